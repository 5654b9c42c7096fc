"""Tally: what changes add up to, counted as they come, so that no change need be kept.

Segments are numbered through all dimensions: `Codes.first[d] + code`, code 0 of each being "none".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.changes import TRIGGERS
from models.compiled import kernel, records
from models.customers.row import DAY_MS
from models.definitions.document import CLUSTER, Definitions

CLUSTER_IDS_MAX = 256  # cluster ids told apart; a model a month uses them up in decades
FLAP_MS = 7 * DAY_MS  # back within a week in the segment that was left: a flap
AUDIENCE_CODES = 2  # of a dimension with one segment: in it, or not; to be out is a stay like any other
MINUTE_MS = 60_000
ROWS_FIRST = 1024  # customers that there is room for at first


@dataclass(frozen=True, slots=True)
class Codes:
    """The numbering of segments through all dimensions."""

    first: tuple[int, ...]
    total: int

    def of(self, dimension: int, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of a dimension's codes; cluster ids beyond what is told apart share the last number."""
        end = self.first[dimension + 1] if dimension + 1 < len(self.first) else self.total
        return np.minimum(self.first[dimension] + codes.astype(np.int64), end - 1)


def codes_of(definitions: Definitions) -> Codes:
    """The numbering of a document's segments."""
    first, total = [], 0
    for dimension in definitions.dimensions:
        first.append(total)
        total += 1 + (CLUSTER_IDS_MAX if dimension.kind == CLUSTER else len(dimension.segments))
    return Codes(tuple(first), total)


@kernel
def _count(
    changes: Any, first: Any, ends: Any, first_day: int, since: Any, before: Any,
    sizes: Any, flows: Any, stays: Any, stay_ms: Any, flaps: Any, triggers: Any, entered: Any, left: Any,
) -> None:  # fmt: skip
    for i in range(len(changes)):
        change = changes[i]
        d, slot, now = change.dimension, change.slot, change.decided_ms
        old = min(first[d] + change.previous, ends[d] - 1)
        new = min(first[d] + max(change.segment, 0), ends[d] - 1)  # who leaves is in none
        day = now // DAY_MS - first_day
        triggers[change.trigger] += 1
        flows[old, new] += 1
        if change.segment > 0:
            sizes[day, new] += 1
        if change.previous > 0:
            sizes[day, old] -= 1
            stays[old] += 1
            stay_ms[old] += now - since[slot, d]
        out = change.previous == 0 and ends[d] - first[d] == AUDIENCE_CODES
        if (change.previous > 0 or out) and before[slot, d] == change.segment and now - since[slot, d] < FLAP_MS:
            flaps[new] += 1
        before[slot, d] = change.previous
        since[slot, d] = now
        if len(entered) > 0:
            minute = now // MINUTE_MS
            if entered[slot, new] == 0:
                entered[slot, new] = minute
            left[slot, new] = minute


@dataclass(slots=True)
class Totals:
    """What the changes of some partitions add up to.

    Attributes
    ----------
    first_day : the day (since 1970) of `sizes`' first row.
    sizes : [days, codes], by how much each segment grew on a day; summed up over days it is its size.
    flows : [codes, codes], changes from one segment to another.
    stays, stay_ms : [codes], stays that have ended and how long they were in all.
    flaps : [codes], returns within `FLAP_MS`.
    triggers : [6], changes by models.changes.TRIGGERS.
    """

    first_day: int
    sizes: NDArray[np.int64]
    flows: NDArray[np.int64]
    stays: NDArray[np.int64]
    stay_ms: NDArray[np.int64]
    flaps: NDArray[np.int64]
    triggers: NDArray[np.int64]

    @property
    def changes(self) -> int:
        """How many changes there were."""
        return int(self.triggers.sum())

    def add(self, other: Totals) -> Totals:
        """The sum of two, over all of their days."""
        days = max(len(self.sizes), len(other.sizes))
        sizes = np.zeros((days, self.sizes.shape[1]), np.int64)
        sizes[: len(self.sizes)] += self.sizes
        sizes[: len(other.sizes)] += other.sizes
        return Totals(
            self.first_day,
            sizes,
            self.flows + other.flows,
            self.stays + other.stays,
            self.stay_ms + other.stay_ms,
            self.flaps + other.flaps,
            self.triggers + other.triggers,
        )


class Tally:
    """Totals of one partition, and what of each customer is needed to count on."""

    def __init__(self, definitions: Definitions, first_ms: int, *, keep_entries: bool) -> None:
        self.codes = codes_of(definitions)
        total, dimensions = self.codes.total, len(definitions.dimensions)
        self._first = np.array(self.codes.first, np.int64)
        self._ends = np.array([*self.codes.first[1:], total], np.int64)
        self._since = np.zeros((ROWS_FIRST, dimensions), np.int64)
        self._before = np.zeros((ROWS_FIRST, dimensions), np.int64)
        # minutes since 1970 of the first and the latest entry into each segment; 0: never
        self.entered, self.latest = np.zeros((2, ROWS_FIRST if keep_entries else 0, total), np.int32)
        self.totals = Totals(
            first_ms // DAY_MS,
            np.zeros((1, total), np.int64),
            np.zeros((total, total), np.int64),
            np.zeros(total, np.int64),
            np.zeros(total, np.int64),
            np.zeros(total, np.int64),
            np.zeros(len(TRIGGERS), np.int64),
        )

    def add(self, changes: NDArray[np.void], customers: int) -> None:
        """Count CHANGE records of a table with so many customers."""
        if not len(changes):
            return
        self._make_room(customers, int(changes["decided_ms"].max()) // DAY_MS - self.totals.first_day + 1)
        t = self.totals
        _count(
            records(changes), self._first, self._ends, t.first_day, self._since, self._before,
            t.sizes, t.flows, t.stays, t.stay_ms, t.flaps, t.triggers, self.entered, self.latest,
        )  # fmt: skip

    def _make_room(self, customers: int, days: int) -> None:
        if customers > len(self._since):
            rows = max(customers, len(self._since) * 3 // 2)
            self._since, self._before = _longer(self._since, rows), _longer(self._before, rows)
            if len(self.entered):
                self.entered, self.latest = _longer(self.entered, rows), _longer(self.latest, rows)
        if days > len(self.totals.sizes):
            self.totals.sizes = _longer(self.totals.sizes, max(days, len(self.totals.sizes) * 2))


def _longer(array: NDArray[Any], rows: int) -> NDArray[Any]:
    longer = np.zeros((rows, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
