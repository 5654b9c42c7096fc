"""The customers' ids of one partition: slots by id and ids by slot, in flat arrays.

A dict and a list of strings cost 190 bytes a customer, this about 40 with ids of 9 bytes, and a whole batch of ids is
looked up in one call of compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel

UNKNOWN = -1  # the slot of an id that is not here
INDEX_FIRST = 1024  # entries of the first index: 8 KB
POOL_FIRST = 16_384  # bytes of the first pool: about a thousand ids
POOL_GROWTH = 1.25  # copied when it grows: a third at most lies idle at the peak
LOAD_MAX = 0.6  # of the index: above it linear probing finds long runs
CHUNK_BYTES = 3  # of an id hashed at a time: 24 bits
TAG_BITS = 31
PRIME = 2**TAG_BITS - 1  # Mersenne: the remainder is a shift and a sum, and products stay within 64 bits
SLOT_MASK = 2**32 - 1  # an entry of the index: the hash above, slot + 1 below; 0: nobody
# The hash is polynomial, its point drawn by Python for this process as for its own strings: nobody outside can choose
# ids that collide. It decides where an entry lies in the index and nothing else: no outcome hangs on it.
POINT = hash("customers") % (PRIME - 2**20) + 2**20


class Packed(NamedTuple):
    """Ids one after the other, as UTF-8, and the size of each."""

    text: NDArray[np.uint8]
    sizes: NDArray[np.uint16]

    def borders(self) -> NDArray[np.int64]:
        """[ids + 1] where each id begins in `text`, and where the last one ends."""
        borders = np.zeros(len(self.sizes) + 1, np.int64)
        np.cumsum(self.sizes, out=borders[1:])
        return borders

    def parts(self) -> list[bytes]:
        """The ids in UTF-8; empty for no customer."""
        text = self.text.tobytes()
        return [text[a:b] for a, b in pairwise(self.borders().tolist())]

    def strings(self) -> list[str]:
        """The ids; "" for no customer."""
        text = self.text.tobytes()
        borders = pairwise(self.borders().tolist())
        if text.isascii():
            letters = text.decode()
            return [letters[a:b] for a, b in borders]
        return [text[a:b].decode() for a, b in borders]


def pack(ids: Sequence[str]) -> Packed:
    """Ids as their bytes."""
    text = "".join(ids).encode()
    sizes = np.fromiter(map(len, ids), np.uint16, len(ids))
    if len(text) != int(sizes.sum()):  # some are not ASCII: characters are not bytes
        sizes = np.fromiter((len(one.encode()) for one in ids), np.uint16, len(ids))
    return Packed(np.frombuffer(text, np.uint8), sizes)


def packed(ids: Sequence[bytes]) -> Packed:
    """Ids that are bytes already."""
    return Packed(np.frombuffer(b"".join(ids), np.uint8), np.fromiter(map(len, ids), np.uint16, len(ids)))


def warm() -> None:
    """Compile every kernel function of this module now."""
    names = Names(INDEX_FIRST)
    names.add([str(n) for n in range(INDEX_FIRST)])  # the index grows once
    names.remove(names.slots()[:1])
    names.add([POOL_FIRST * "a"])  # and the pool
    names.reindex()
    names.find(["1"])
    # A column of records is not contiguous, and numpy calls contiguous what has less than two of a kind.
    names.find_spans(np.zeros(1, np.uint8), np.zeros((2, 3), np.int64)[:, :2])
    names.packed(np.zeros(4, np.int64)[::2])


class Names:
    """Ids by slot and slots by id. A slot without an id is vacant; the lowest vacant slot is given away first."""

    def __init__(self, slots_max: int) -> None:
        self.slots_max = slots_max
        self.end = 0  # slots given so far; those that are vacant again lie below
        self.count = 0  # customers
        self._start = np.zeros(slots_max, np.int64)  # where in the pool; untouched zeros take no memory
        self._size = np.zeros(slots_max, np.uint16)  # 0: vacant
        self._pool = np.zeros(POOL_FIRST, np.uint8)
        self._used = 0  # bytes of the pool
        self._index = np.zeros(INDEX_FIRST, np.int64)
        self._vacant_from = 0  # no vacant slot lies below

    def find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Slots of the ids, UNKNOWN for those that are not here."""
        names = pack(ids)
        found = np.empty(len(names.sizes), np.int64)
        _find_all(names.text, names.sizes, POINT, self._index, self._start, self._size, self._pool, found)
        return found

    def find_spans(self, text: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int64]:
        """As `find`, of ids that lie in `text` as `spans` [ids, 2] say: first byte and length."""
        found = np.empty(len(spans), np.int64)
        _find_spans(text, spans, POINT, self._index, self._start, self._size, self._pool, found)
        return found

    def add(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Give slots to new, different ids in their order; UNKNOWN to those for whom there is no room."""
        slots = np.full(len(ids), UNKNOWN, np.int64)
        room = min(self.slots_max - self.count, len(ids))
        names = pack(ids[:room])
        reused = min(self.end - self.count, room)
        self._vacant_from = _next_vacant(self._size, self._vacant_from, slots[:reused])
        slots[reused:room] = np.arange(self.end, self.end + room - reused)
        self.put(slots[:room], names)
        self.count += room
        self._grow_index()
        _link_all(names.text, names.sizes, POINT, slots, self._index)
        return slots

    def put(self, slots: NDArray[np.int64], names: Packed) -> None:
        """Write ids to their slots without entering them into the index: `reindex` does, when all are there."""
        if not len(slots):
            return
        self.end = max(self.end, int(slots.max()) + 1)
        self._make_room(len(names.text))
        self._used += _put_all(names.text, names.sizes, slots, self._start, self._size, self._pool, self._used)

    def reindex(self) -> None:
        """Enter every id into a new index: after a load."""
        slots = self.slots()
        self.count, self._vacant_from = len(slots), 0
        self._index = np.zeros(INDEX_FIRST, np.int64)
        self._grow_index()
        names = self.packed(slots)
        _link_all(names.text, names.sizes, POINT, slots, self._index)

    def remove(self, slots: NDArray[np.int64]) -> None:
        """Forget the customers in these slots, each once; the slots are vacant afterwards."""
        if not len(slots):
            return
        _unlink_all(slots, POINT, self._index, self._start, self._size, self._pool)
        self._size[slots] = 0
        self.count -= len(slots)
        self._vacant_from = min(self._vacant_from, int(slots.min()))

    def occupied(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a customer is in each of the slots."""
        return self._size[slots] > 0

    def slots(self) -> NDArray[np.int64]:
        """The slots of all customers, rising."""
        return np.flatnonzero(self._size[: self.end])

    def packed(self, slots: NDArray[np.int64]) -> Packed:
        """The ids in the slots; of size 0 where there is nobody."""
        sizes = self._size[slots]
        text = np.empty(int(sizes.sum(dtype=np.int64)), np.uint8)
        _gather(slots, self._start, self._size, self._pool, text)
        text.flags.writeable = False  # as those that were read: one compiled form serves both
        return Packed(text, sizes)

    def _make_room(self, size_bytes: int) -> None:
        """Let so many more bytes fit into the pool; those of ids that were forgotten go."""
        if self._used + size_bytes <= len(self._pool):
            return
        live = int(self._size[: self.end].sum(dtype=np.int64))
        pool = np.zeros(int((live + size_bytes) * POOL_GROWTH) + POOL_FIRST, np.uint8)
        self._used = _move_pool(self._start[: self.end], self._size, self._pool, pool)
        self._pool = pool

    def _grow_index(self) -> None:
        size = len(self._index)
        while self.count > size * LOAD_MAX:
            size *= 2
        if size > len(self._index):
            index = np.zeros(size, np.int64)
            _move_index(self._index, index)
            self._index = index


@kernel
def _hash(text: Any, begin: int, end: int, point: int) -> int:
    """Polynomial of an id's bytes at `point`, 1 to PRIME: a universal family."""
    value = end - begin
    while begin < end:
        chunk = 0
        for _ in range(CHUNK_BYTES):
            chunk <<= 8
            if begin < end:
                chunk |= int(text[begin])
            begin += 1
        value = value * point + chunk
        value = (value & PRIME) + (value >> TAG_BITS)
        value = (value & PRIME) + (value >> TAG_BITS)
    value *= point
    value = (value & PRIME) + (value >> TAG_BITS)
    return (value & PRIME) + (value >> TAG_BITS)  # type: ignore[no-any-return]  # a cell of a numpy array is in it


@kernel
def _place(text: Any, begin: int, end: int, value: int, index: Any, starts: Any, sizes: Any, pool: Any) -> int:
    """Where in the index an id is entered; UNKNOWN if nowhere."""
    mask = len(index) - 1
    place = value & mask
    while index[place] != 0:
        entry = int(index[place])
        if entry >> 32 == value:
            slot = (entry & SLOT_MASK) - 1
            if int(sizes[slot]) == end - begin:
                start, k = starts[slot], 0
                while k < end - begin and pool[start + k] == text[begin + k]:
                    k += 1
                if k == end - begin:
                    return place
        place = (place + 1) & mask
    return UNKNOWN


@kernel
def _find_all(text: Any, sizes: Any, point: int, index: Any, starts: Any, kept: Any, pool: Any, found: Any) -> None:
    begin = 0
    for i in range(len(sizes)):
        end = begin + int(sizes[i])
        place = _place(text, begin, end, _hash(text, begin, end, point), index, starts, kept, pool)
        found[i] = UNKNOWN if place < 0 else (int(index[place]) & SLOT_MASK) - 1
        begin = end


@kernel
def _find_spans(text: Any, spans: Any, point: int, index: Any, starts: Any, kept: Any, pool: Any, found: Any) -> None:
    for i in range(len(spans)):
        begin, end = spans[i, 0], spans[i, 0] + spans[i, 1]
        place = _place(text, begin, end, _hash(text, begin, end, point), index, starts, kept, pool)
        found[i] = UNKNOWN if place < 0 else (int(index[place]) & SLOT_MASK) - 1


@kernel
def _link(index: Any, entry: int) -> None:
    mask = len(index) - 1
    place = (entry >> 32) & mask
    while index[place] != 0:
        place = (place + 1) & mask
    index[place] = entry


@kernel
def _link_all(text: Any, sizes: Any, point: int, slots: Any, index: Any) -> None:
    begin = 0
    for i in range(len(sizes)):
        end = begin + int(sizes[i])
        _link(index, (_hash(text, begin, end, point) << 32) | (int(slots[i]) + 1))
        begin = end


@kernel
def _move_index(old: Any, new: Any) -> None:
    for place in range(len(old)):
        if old[place] != 0:
            _link(new, int(old[place]))


@kernel
def _unlink_all(slots: Any, point: int, index: Any, starts: Any, sizes: Any, pool: Any) -> None:
    """Take ids out of the index; entries after them move up (Knuth's algorithm R), so that no mark stays behind."""
    mask = len(index) - 1
    for i in range(len(slots)):
        begin = int(starts[slots[i]])
        end = begin + int(sizes[slots[i]])
        hole = _place(pool, begin, end, _hash(pool, begin, end, point), index, starts, sizes, pool)
        at = (hole + 1) & mask
        while index[at] != 0:
            home = (int(index[at]) >> 32) & mask
            if ((at - home) & mask) >= ((at - hole) & mask):
                index[hole] = index[at]
                hole = at
            at = (at + 1) & mask
        index[hole] = 0


@kernel
def _next_vacant(sizes: Any, begin: int, out: Any) -> int:
    """The next vacant slots from `begin` on into `out`, as many as it takes; returns where to look on."""
    for i in range(len(out)):
        while sizes[begin] != 0:
            begin += 1
        out[i] = begin
        begin += 1
    return begin


@kernel
def _put_all(text: Any, sizes: Any, slots: Any, starts: Any, kept: Any, pool: Any, used: int) -> int:
    for k in range(len(text)):
        pool[used + k] = text[k]
    for i in range(len(slots)):
        starts[slots[i]] = used
        kept[slots[i]] = sizes[i]
        used += int(sizes[i])
    return len(text)


@kernel
def _move_pool(starts: Any, sizes: Any, old: Any, new: Any) -> int:
    used = 0
    for slot in range(len(starts)):
        start = starts[slot]
        starts[slot] = used
        for k in range(int(sizes[slot])):
            new[used] = old[start + k]
            used += 1
    return used


@kernel
def _gather(slots: Any, starts: Any, sizes: Any, pool: Any, out: Any) -> None:
    at = 0
    for i in range(len(slots)):
        start = starts[slots[i]]
        for k in range(int(sizes[slots[i]])):
            out[at] = pool[start + k]
            at += 1
