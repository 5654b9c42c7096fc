"""Directory: customer ids to codes, for hundreds of millions of rows without a Python object for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.backtest.hashing import Texts, hash_texts, partitions_of, probe

SEEDS = (0x5E65, 0x57EA)  # of two independent 64-bit hashes: no two ids of any shop share both
CAPACITY_FIRST = 1 << 12  # a small file costs nothing; grows when half full
PIECE_ROWS = 1 << 16  # looked up at a time: room is made for so many unknown ids
WIDTH = 4  # of a table entry: two halves of a key, the code, and one that fills half a line of cache


class Directory:
    """Codes of customer ids in order of first sight, their partitions, and the ids themselves."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.ids: list[str] = []
        self.partition_of: NDArray[np.int64] = np.zeros(CAPACITY_FIRST, np.int64)
        self._table = np.zeros((CAPACITY_FIRST, WIDTH), np.uint64)

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, texts: Texts) -> NDArray[np.int64]:
        """The code of each id; ids not seen before get the next ones."""
        high, low = (hash_texts(texts, seed) for seed in SEEDS)
        out, new = np.empty(len(high), np.int64), np.empty(PIECE_ROWS, np.int64)
        for start in range(0, len(high), PIECE_ROWS):
            piece = slice(start, start + PIECE_ROWS)
            self._make_room(len(high[piece]))
            count = probe(high[piece], low[piece], self._table, len(self.ids), out[piece], new)
            if count:
                self._add(texts, new[:count] + start)
        return out

    def _add(self, texts: Texts, rows: NDArray[np.int64]) -> None:
        content, offsets = texts
        whole = content.tobytes()
        starts, ends = offsets[rows].tolist(), offsets[rows + 1].tolist()
        found = [whole[start:end] for start, end in zip(starts, ends, strict=True)]
        joined = np.frombuffer(b"".join(found), np.uint8)
        borders = np.concatenate([[0], np.cumsum(offsets[rows + 1] - offsets[rows])]).astype(np.int64)
        first = len(self.ids)
        self.ids += [one.decode() for one in found]
        while len(self.partition_of) < len(self.ids):
            self.partition_of = np.concatenate([self.partition_of, np.zeros_like(self.partition_of)])
        self.partition_of[first : len(self.ids)] = partitions_of((joined, borders), self.partitions)

    def _make_room(self, coming: int) -> None:
        """Keep the table at most half full, whatever comes."""
        needed = 2 * (len(self.ids) + coming)
        if needed <= len(self._table):
            return
        known = self._table[self._table[:, 2] > 0]
        known = known[np.argsort(known[:, 2])]
        self._table = np.zeros((1 << int(needed - 1).bit_length(), WIDTH), np.uint64)
        out, new = np.empty(len(known), np.int64), np.empty(len(known), np.int64)
        probe(known[:, 0].copy(), known[:, 1].copy(), self._table, 0, out, new)
