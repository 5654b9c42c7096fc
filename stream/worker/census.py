"""What is in each segment: counted over all rows, some of them at a time, so that events do not wait."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import EMAIL_CLICKS, EMAILS_SENT, OPENS

ROWS_AT_ONCE = 8_192  # rows a look counts: a millisecond or two of the event loop
NOTHING = np.zeros(4, np.int64)  # customers, spend in minor units, e-mails sent, e-mails opened or clicked


class Census:
    """The counting of one partition; `sizes` are those of the last whole pass, by dimension and segment, [4] each."""

    def __init__(self) -> None:
        self.sizes: dict[tuple[str, str], NDArray[np.int64]] = {}
        self._counted: dict[tuple[int, int], NDArray[np.int64]] = {}  # by dimension and code
        self._next = 0
        self._generation = -1

    def advance(self, engine: Any) -> None:
        """Count some more rows; begins anew when new rules came."""
        if engine.adoption.generation != self._generation:
            self._counted, self._next, self._generation = {}, 0, engine.adoption.generation
        table = engine.table
        end = min(self._next + ROWS_AT_ONCE, len(table))
        rows = table.rows[self._next : end]
        judged = rows["generation"] == self._generation  # others' answers are in the numbers of the rules before
        there = table.names.occupied(np.arange(self._next, end)) & judged
        count, codes = rows["count"][there], engine.judge.codes(rows)[there]
        amounts = (
            (rows["spend_minor"] - rows["refund_minor"])[there],
            count[:, EMAILS_SENT],
            count[:, OPENS] + count[:, EMAIL_CLICKS],
        )
        for d in range(len(engine.judge.definitions.dimensions)):
            sums = [np.bincount(codes[:, d]), *(np.bincount(codes[:, d], weights=one) for one in amounts)]
            for code in np.flatnonzero(sums[0]).tolist():
                found = np.array([one[code] for one in sums], np.int64)
                self._counted[d, code] = self._counted.get((d, code), NOTHING) + found
        self._next = end
        if self._next >= len(table):
            self.sizes = self._named(engine)
            self._counted, self._next = {}, 0

    def _named(self, engine: Any) -> dict[tuple[str, str], NDArray[np.int64]]:
        found: dict[tuple[str, str], NDArray[np.int64]] = {}
        for (d, code), counts in self._counted.items():
            name = engine.judge.segment_name(d, code)
            if name is not None:
                key = (engine.judge.definitions.dimensions[d].name, name)
                found[key] = found.get(key, NOTHING) + counts
        return found
