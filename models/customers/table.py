"""The customers of one partition: rows, ids, due times, what changed, and a copy that stands still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from models.compiled import records
from models.customers.names import UNKNOWN, Names, Packed, pack
from models.customers.row import NEVER_MS, ROW


class TableFull(Exception):  # noqa: N818 - it names a state, and nobody did wrong
    """The table holds as many customers as it may; nothing was added."""


def whole(rows: NDArray[np.void]) -> NDArray[np.void]:
    """The same rows as pieces of memory: numpy copies those ten times as fast as field by field."""
    return rows.view(np.ndarray).view(f"V{rows.dtype.itemsize}")


class Table:
    """Rows by slot. Slots are given in order of first sight and never move.

    `rows`, `due_ms` and `dirty` are arrays the kernel writes, `kernel_rows` is the same memory for its calls; `pending`
    marks rows that a Copy has still to take. Room for all is reserved at once: the system gives memory to what is
    touched, so nothing is ever copied to grow.

    `calm_ms` spares the kernel work and is no part of a row's state: before it waiting moves nothing but what clicks
    move too; 0: not known, which is always true to say.
    """

    def __init__(self, customers_max: int) -> None:
        self.customers_max = customers_max
        self.names = Names(customers_max)
        rows = np.zeros(customers_max, ROW)
        self.rows: Any = rows.view(np.recarray)
        self.kernel_rows = records(rows)
        self.due_ms: NDArray[np.int64] = np.zeros(customers_max, np.int64)  # written when a slot is given
        self.calm_ms: NDArray[np.int64] = np.zeros(customers_max, np.int64)
        self.dirty: NDArray[np.bool_] = np.zeros(customers_max, np.bool_)
        self.pending: NDArray[np.bool_] = np.zeros(customers_max, np.bool_)
        self._copies: WeakSet[Copy] = WeakSet()  # who still needs to know the ids of the moment they began

    def __len__(self) -> int:
        """Slots given so far, those that are vacant again included."""
        return self.names.end

    @property
    def customers(self) -> int:
        """Customers in the table."""
        return self.names.count

    @property
    def dirty_rows(self) -> int:
        """Rows that changed since the last checkpoint took them."""
        return int(np.count_nonzero(self.dirty[: len(self)]))

    def items(self) -> Iterator[tuple[str, int]]:
        """Each customer's id and slot, by slot."""
        slots = self.names.slots()
        return zip(self.names.packed(slots).strings(), slots.tolist(), strict=True)

    def ids(self, slots: NDArray[np.int64]) -> list[str]:
        """The ids in the slots; "" where there is nobody."""
        return self.names.packed(slots).strings()

    def find(self, customer_id: str) -> int:
        """The customer's slot, -1 for somebody unknown."""
        return int(self.names.find([customer_id])[0])

    def add(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Slots for new, different customers; -1 for those for whom there is no room."""
        end = len(self)
        slots = self.names.add(ids)
        for copy in self._copies:
            copy.note(slots[(slots != UNKNOWN) & (slots < end)], "")
        self.due_ms[slots[slots != UNKNOWN]] = NEVER_MS
        return slots

    def slot_of(self, customer_id: str) -> int:
        """The customer's slot, a new one at first sight; raises TableFull when there is no room."""
        slot = self.find(customer_id)
        if slot == UNKNOWN:
            slot = int(self.add([customer_id])[0])
        if slot == UNKNOWN:
            raise TableFull
        return slot

    def remove(self, slots: NDArray[np.int64]) -> None:
        """Forget the customers in these slots, whose rows are empty; the lowest slot is given away first."""
        for copy in self._copies:
            copy.note(slots)
        self.names.remove(slots)

    def due_slots(self, until_ms: int, limit: int) -> NDArray[np.int64]:
        """Slots whose due time is not after `until_ms`, in slot order, at most `limit` of them."""
        return np.flatnonzero(self.due_ms[: len(self)] <= until_ms)[:limit]

    def freeze(self, copy: Copy, extra: slice) -> NDArray[np.int64]:
        """Begin `copy`, of the dirty rows and of the slice `extra`; returns their slots. None stays dirty."""
        wanted = self.dirty[: len(self)].copy()
        wanted[extra] = True
        slots = np.flatnonzero(wanted)
        self.pending[slots] = True
        self.dirty[: len(self)] = False
        self._copies.add(copy)
        return slots

    def load(
        self, slots: NDArray[np.int64], rows: NDArray[np.void], due_ms: NDArray[np.int64], ids: Sequence[str] | Packed
    ) -> None:
        """Put checkpointed rows in place, in any order of slots as long as none stays empty at the end.

        `loaded` ends a load. Raises TableFull when a slot is beyond what the table may hold.
        """
        if not len(slots):
            return
        if int(slots.max()) >= self.customers_max:
            raise TableFull
        first, last = int(slots[0]), int(slots[-1])
        lies_together = last - first + 1 == len(slots) and bool((np.diff(slots) == 1).all())
        places = slice(first, last + 1) if lies_together else slots  # copied as a whole: half the time
        whole(self.rows)[places] = whole(np.ascontiguousarray(rows))
        self.due_ms[places] = due_ms
        self.calm_ms[places] = 0
        self.names.put(slots, ids if isinstance(ids, Packed) else pack(ids))

    def hasten(self, retention_ms: int) -> None:
        """Look at nobody later than a retention ends: it may have been longer, or none, when rows were decided."""
        slots = self.names.slots()
        if retention_ms:
            ends = self.rows["newest_ms"][slots] + retention_ms
            self.due_ms[slots] = np.minimum(self.due_ms[slots], ends)

    def loaded(self) -> None:
        """All rows of a checkpoint are in place: customers can be found from now on."""
        self.names.reindex()


class Copy:
    """A consistent copy of some rows, taken in slices while the table goes on changing."""

    def __init__(self, table: Table, extra: slice) -> None:
        self.table = table
        self.slots = table.freeze(self, extra)
        self._renamed: dict[int, str] = {}  # slots that somebody left or took since, and who was in them
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

    def note(self, slots: NDArray[np.int64], who: str | None = None) -> None:
        """Remember who is in these slots (or that it is `who`): they are about to have another customer, or none."""
        ids = self.table.ids(slots) if who is None else [who] * len(slots)
        for slot, customer_id in zip(slots.tolist(), ids, strict=True):
            self._renamed.setdefault(slot, customer_id)

    def names(self, slots: NDArray[np.int64]) -> Packed:
        """The ids in the slots when the copy began; of size 0 where there was nobody."""
        packed = self.table.names.packed(slots)
        if not self._renamed:
            return packed
        ids = zip(slots.tolist(), packed.strings(), strict=True)
        return pack([self._renamed.get(slot, customer_id) for slot, customer_id in ids])

    def _take(self, places: NDArray[np.int64]) -> None:
        slots = self.slots[places]
        rows = whole(self.table.rows)
        if len(places) and places[-1] - places[0] + 1 == len(places):  # straight into place: half the time
            np.take(rows, slots, out=whole(self.rows)[places[0] : places[-1] + 1], mode="clip")
        else:
            whole(self.rows)[places] = rows[slots]
        self.due_ms[places] = self.table.due_ms[slots]
        self.table.pending[slots] = False
