"""The customers of one partition: rows, ids, due times, what changed, and a copy that stands still."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import NEVER_MS, ROW

CAPACITY_FIRST = 1024  # small enough that an idle partition costs under a megabyte
GROWTH = 1.5  # doubling a million rows would double the memory at the peak


class TableFull(Exception):  # noqa: N818 - it names a state, and nobody did wrong
    """The table holds as many customers as it may; nothing was added."""


class Table:
    """Rows by slot. Slots are given in order of first sight and never move.

    `rows`, `due_ms` and `dirty` are arrays the kernel writes; `pending` marks rows that a Copy has still to
    take.
    """

    def __init__(self, customers_max: int) -> None:
        self.customers_max = customers_max
        self.ids: list[str] = []
        self.slots: dict[str, int] = {}
        self.rows: Any = np.zeros(0, ROW).view(np.recarray)
        self.due_ms: NDArray[np.int64] = np.zeros(0, np.int64)
        self.dirty: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.pending: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._allocate(CAPACITY_FIRST)

    def _allocate(self, capacity: int) -> None:
        capacity, kept = min(capacity, self.customers_max), len(self.rows)
        rows, due_ms = np.zeros(capacity, ROW), np.full(capacity, NEVER_MS, np.int64)
        dirty, pending = np.zeros((2, capacity), np.bool_)
        rows[:kept], due_ms[:kept], dirty[:kept], pending[:kept] = (
            self.rows,
            self.due_ms,
            self.dirty,
            self.pending,
        )
        self.rows, self.due_ms, self.dirty, self.pending = rows.view(np.recarray), due_ms, dirty, pending

    def __len__(self) -> int:
        return len(self.ids)

    def slot_of(self, customer_id: str) -> int:
        """The customer's slot, a new one at first sight; raises TableFull when there is no room."""
        slot = self.slots.get(customer_id)
        if slot is not None:
            return slot
        slot = len(self.ids)
        if slot >= len(self.rows):
            if slot >= self.customers_max:
                raise TableFull
            self._allocate(int(slot * GROWTH) + 1)
        self.ids.append(customer_id)
        self.slots[customer_id] = slot
        return slot

    def due_slots(self, until_ms: int, limit: int) -> NDArray[np.int64]:
        """Slots whose due time is not after `until_ms`, in slot order, at most `limit` of them."""
        return np.flatnonzero(self.due_ms[: len(self.ids)] <= until_ms)[:limit]

    def freeze(self, extra: slice) -> NDArray[np.int64]:
        """Begin a copy of the dirty rows and of the slice `extra`; returns their slots. None stays dirty."""
        wanted = self.dirty[: len(self.ids)].copy()
        wanted[extra] = True
        slots = np.flatnonzero(wanted)
        self.pending[slots] = True
        self.dirty[:] = False
        return slots

    def load(self, slots: NDArray[np.int64], rows: NDArray[np.void], due_ms: NDArray[np.int64], ids: list[str]) -> None:
        """Put checkpointed rows in place, in any order of slots as long as none stays empty at the end.

        Raises TableFull when a slot is beyond what the table may hold.
        """
        if not len(slots):
            return
        needed = int(slots.max()) + 1
        if needed > self.customers_max:
            raise TableFull
        if needed > len(self.rows):
            self._allocate(max(needed, int(len(self.rows) * GROWTH)))
        self.ids.extend([""] * (needed - len(self.ids)))
        self.rows[slots] = rows
        self.due_ms[slots] = due_ms
        for slot, customer_id in zip(slots.tolist(), ids, strict=True):
            self.ids[slot] = customer_id
            self.slots[customer_id] = slot


class Copy:
    """A consistent copy of some rows, taken in slices while the table goes on changing."""

    def __init__(self, table: Table, extra: slice) -> None:
        self.table = table
        self.slots = table.freeze(extra)
        self.rows = np.zeros(len(self.slots), ROW)  # zeros: the padding of a record is written out too
        self.due_ms = np.empty(len(self.slots), np.int64)
        self._next = 0

    def guard(self, slots: NDArray[np.int64]) -> None:
        """Copy those of `slots` that are still to be copied: they are about to change."""
        waiting = slots[self.table.pending[slots]]
        if len(waiting):
            self._take(np.searchsorted(self.slots, np.unique(waiting)))

    def advance(self, count: int) -> bool:
        """Copy up to `count` more rows; True when all are."""
        places = np.arange(self._next, min(self._next + count, len(self.slots)))
        self._next += len(places)
        self._take(places[self.table.pending[self.slots[places]]])
        return self._next >= len(self.slots)

    def _take(self, places: NDArray[np.int64]) -> None:
        slots = self.slots[places]
        self.rows[places] = self.table.rows[slots]
        self.due_ms[places] = self.table.due_ms[slots]
        self.table.pending[slots] = False
