"""How many customers are in each segment: counted over all rows, some of them at a time, so that events do not wait."""

from __future__ import annotations

from typing import Any

import numpy as np

ROWS_AT_ONCE = 65_536  # rows a look counts: a millisecond or two of the event loop


class Census:
    """The counting of one partition; `sizes` are those of the last whole pass."""

    def __init__(self) -> None:
        self.sizes: dict[tuple[str, str], int] = {}
        self._counted: dict[tuple[int, int], int] = {}  # by dimension and code
        self._next = 0
        self._generation = -1

    def advance(self, engine: Any) -> None:
        """Count some more rows; begins anew when new rules came."""
        if engine.adoption.generation != self._generation:
            self._counted, self._next, self._generation = {}, 0, engine.adoption.generation
        table = engine.table
        slots = np.arange(self._next, min(self._next + ROWS_AT_ONCE, len(table)))
        codes = table.rows["segment"][slots[table.names.occupied(slots)]]
        for d in range(len(engine.judge.definitions.dimensions)):
            for code, count in enumerate(np.bincount(codes[:, d]).tolist()):
                if count:
                    self._counted[d, code] = self._counted.get((d, code), 0) + count
        self._next += len(slots)
        if self._next >= len(table):
            self.sizes = self._named(engine)
            self._counted, self._next = {}, 0

    def _named(self, engine: Any) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for (d, code), count in self._counted.items():
            name = engine.judge.segment_name(d, code)
            if name is not None:
                key = (engine.judge.definitions.dimensions[d].name, name)
                found[key] = found.get(key, 0) + count
        return found
