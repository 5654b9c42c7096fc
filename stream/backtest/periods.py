"""Periods: what the calendar months and weeks of a run came to, for the report. Counted where the rows are.

A period ends at the trainer's next interval after it, as things stand there: looking changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import DAY_MS, ORDERS
from models.engine import Judge
from models.features.catalogue import CLUSTER_FEATURES
from stream.backtest.tally import Codes

MONTH, WEEK = "month", "week"
KEPT_MAX = 600  # periods of each kind: fifty years of months; older ones are forgotten
EPOCH = dt.date(1970, 1, 1)
MONDAY_SHIFT_DAYS = 3  # the first of January 1970 was a Thursday
VECTORS_MAX = 1500  # customers on the map of the clusters: more hide each other


@dataclass(slots=True)
class Period:
    """One period of some customers.

    Attributes
    ----------
    number : months or weeks since 1970.
    keys, counts : moves since the period before, as `from * total codes + to` in the numbering of `Codes`, and how many
        customers made each; who was not there before comes from "none" (code 0).
    buyers, spend_minor : [periods so far], who ordered in this period, and what they spent, by the period of their
        first order.
    """

    number: int
    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    buyers: NDArray[np.int64]
    spend_minor: NDArray[np.int64]

    def add(self, other: Period) -> Period:
        """The sum over two sets of customers."""
        keys, places = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        counts = np.zeros(len(keys), np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        return Period(self.number, keys, counts, self.buyers + other.buyers, self.spend_minor + other.spend_minor)


@dataclass(slots=True)
class Vectors:
    """Customers picked evenly by slot, for a map: vectors [n, features], global segment codes [n, dimensions]."""

    vectors: NDArray[np.float64]
    codes: NDArray[np.int64]


@dataclass(slots=True)
class Calendar:
    """Ended periods of one run; `first` is the number of the first, `number` that of the one that goes on."""

    months: list[Period] = field(default_factory=list)
    weeks: list[Period] = field(default_factory=list)
    vectors: Vectors = field(
        default_factory=lambda: Vectors(np.zeros((0, len(CLUSTER_FEATURES))), np.zeros((0, 0), np.int64))
    )

    def add(self, other: Calendar) -> Calendar:
        """The sum over two partitions, which have the same periods."""
        return Calendar(
            [a.add(b) for a, b in zip(self.months, other.months, strict=True)],
            [a.add(b) for a, b in zip(self.weeks, other.weeks, strict=True)],
            Vectors(
                np.concatenate([self.vectors.vectors, other.vectors.vectors]),
                np.concatenate([self.vectors.codes, other.vectors.codes]),
            ),
        )


def number_of(kind: str, at_ms: int) -> int:
    """Which month or week since 1970 a time lies in (UTC; weeks begin on Monday)."""
    if kind == WEEK:
        return (at_ms // DAY_MS + MONDAY_SHIFT_DAYS) // 7
    day = EPOCH + dt.timedelta(days=at_ms // DAY_MS)
    return (day.year - 1970) * 12 + day.month - 1


def first_day(kind: str, number: int) -> dt.date:
    """The day on which a period begins."""
    if kind == WEEK:
        return EPOCH + dt.timedelta(days=number * 7 - MONDAY_SHIFT_DAYS)
    return dt.date(1970 + number // 12, number % 12 + 1, 1)


class Looker:
    """Ends periods of one kind for the customers of a partition."""

    def __init__(self, kind: str, codes: Codes, judge: Judge, first_ms: int) -> None:
        self.kind = kind
        self.periods: list[Period] = []
        self._codes, self._judge = codes, judge
        self._number = number_of(kind, first_ms)
        self._ended = 0
        dimensions = len(codes.first)
        self._before = np.zeros((0, dimensions), np.int64)
        self._orders, self._spend_minor, self._cohort = np.zeros((3, 0), np.int64)

    def look(self, rows: Any, at_ms: int) -> None:
        """End every period that is over at `at_ms`; moves made since the last look belong to the first of them."""
        number = number_of(self.kind, at_ms)
        while self._number < number:
            self.end(rows)

    def end(self, rows: Any) -> None:
        """End the period that goes on."""
        self._make_room(len(rows))
        standing = self._judge.codes(rows)
        codes = np.stack([self._codes.of(d, standing[:, d]) for d in range(len(self._codes.first))], axis=1)
        keys, counts = np.unique(self._before * self._codes.total + codes, return_counts=True)
        orders = rows["count"][:, ORDERS].astype(np.int64)
        spend_minor = rows["spend_minor"] - rows["refund_minor"]
        present = rows["first_ms"] > 0  # who has left after a long silence has an empty row: that is no refund
        ordered = orders > self._orders
        self._cohort[ordered & (self._cohort < 0)] = self._ended
        spent = np.zeros(self._ended + 1, np.int64)
        counted = present & (self._cohort >= 0)
        np.add.at(spent, self._cohort[counted], (spend_minor - self._spend_minor)[counted])
        buyers = np.bincount(self._cohort[ordered], minlength=self._ended + 1)
        self.periods.append(Period(self._number, keys, counts, buyers, spent))
        del self.periods[:-KEPT_MAX]
        self._before, self._orders, self._spend_minor = codes, orders, spend_minor
        self._ended += 1
        self._number += 1

    def _make_room(self, count: int) -> None:
        new = count - len(self._orders)
        first = np.array([self._codes.first], np.int64)
        self._before = np.concatenate([self._before, np.repeat(first, new, axis=0)])
        self._orders, self._spend_minor = (np.pad(one, (0, new)) for one in (self._orders, self._spend_minor))
        self._cohort = np.pad(self._cohort, (0, new), constant_values=-1)


def joined(parts: Sequence[Calendar | None]) -> Calendar | None:
    """All partitions together; None where nothing was counted."""
    kept = [part for part in parts if part is not None]
    whole = kept[0] if kept else None
    for part in kept[1:]:
        whole = part if whole is None else whole.add(part)
    return whole
