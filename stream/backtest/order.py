"""Records in the order of application, (event time, kind, row), out of sources that are each in time order.

What is not in time order is sorted first, outside of memory: sorted runs on disk, merged like any other sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.events import TOPICS
from stream.backtest.fitted import Fitted

RUN_BYTES = 1 << 28  # sorted in memory at a time: a quarter of a gigabyte, twice that while it is sorted
PIECE_ROWS = 1 << 16  # read of each run at a time while they are merged


class NotInOrderError(Exception):
    """A source is not in time order; `source` is its place among the sources, `row` the first that is too old."""

    def __init__(self, source: int, row: int) -> None:
        super().__init__(source, row)
        self.source = source
        self.row = row


def order_key(records: Fitted) -> NDArray[np.int64]:
    """Event time and kind in one number: records of equal keys stay in the order of their rows."""
    ts_ms: NDArray[np.int64] = records["ts_ms"]
    return np.asarray(ts_ms * len(TOPICS) + records["kind"], dtype=np.int64)


def in_order(sources: Sequence[Iterator[Fitted]]) -> Iterator[Fitted]:
    """Merge sources; every record of a time comes in one piece, however the sources were cut.

    Raises
    ------
    NotInOrderError : a record is older than one before it in its own source.
    """
    heads = [_Head(i, source) for i, source in enumerate(sources)]
    while True:
        for head in heads:
            head.fill()
        reading = [head for head in heads if not head.ended]
        if not reading:
            break
        border_ms = min(head.newest_ms for head in reading)  # older records cannot come any more
        parts = [head.take_before(border_ms) for head in heads]
        parts = [part for part in parts if len(part)]
        if parts:
            yield _sorted(parts)
        for head in reading:
            if head.newest_ms == border_ms:
                head.wanted = True
    parts = [head.held for head in heads if len(head.held)]
    if parts:
        yield _sorted(parts)


class _Head:
    """What is held of one source, in time order."""

    def __init__(self, number: int, source: Iterator[Fitted]) -> None:
        self.number = number
        self.held: Fitted = np.zeros(0, np.void)
        self.newest_ms = 0
        self.ended = False
        self.wanted = True
        self._source = source
        self._started = False

    def fill(self) -> None:
        """Read the next piece, if one is wanted."""
        while self.wanted and not self.ended:
            piece = next(self._source, None)
            if piece is None:
                self.ended = True
            elif len(piece):
                self._check(piece)
                self.held = np.concatenate([self.held, piece]) if self._started and len(self.held) else piece
                self.newest_ms = int(piece["ts_ms"][-1])
                self._started, self.wanted = True, False

    def _check(self, piece: Fitted) -> None:
        ts_ms = piece["ts_ms"]
        back = np.flatnonzero(ts_ms[1:] < ts_ms[:-1])
        if len(back) or (self._started and ts_ms[0] < self.newest_ms):
            place = 0 if self._started and ts_ms[0] < self.newest_ms else int(back[0]) + 1
            raise NotInOrderError(self.number, int(piece["row"][place]))

    def take_before(self, border_ms: int) -> Fitted:
        if not self._started:
            return self.held
        count = int(np.searchsorted(self.held["ts_ms"], border_ms))
        taken, self.held = self.held[:count], self.held[count:]
        return taken


def _sorted(parts: list[Fitted]) -> Fitted:
    records = parts[0] if len(parts) == 1 else np.concatenate(parts)
    key = order_key(records)
    if len(parts) == 1 and not (key[1:] < key[:-1]).any():
        return records
    if len(parts) > 1:
        return records[np.lexsort((records["row"], key))]
    return records[np.argsort(key, kind="stable")]


def sorted_runs(source: Iterator[Fitted], folder: Path, dtype: np.dtype[np.void]) -> list[Iterator[Fitted]]:
    """Sort a source of any order into runs on disk; returns them as sources. The folder is the caller's to remove."""
    runs: list[Path] = []
    held: list[Fitted] = []
    rows_max = max(RUN_BYTES // dtype.itemsize, 1)
    count = 0

    def write() -> None:
        records = np.concatenate(held)
        path = folder / f"run-{len(runs)}"
        records[np.lexsort((records["row"], order_key(records)))].tofile(path)
        runs.append(path)
        held.clear()

    for records in source:
        held.append(records)
        count += len(records)
        if count >= rows_max:
            write()
            count = 0
    if count:
        write()
    return [_run(path, dtype) for path in runs]


def _run(path: Path, dtype: np.dtype[np.void]) -> Iterator[Fitted]:
    start = 0
    while True:
        piece = np.fromfile(path, dtype, PIECE_ROWS, offset=start * dtype.itemsize)
        if not len(piece):
            return
        start += len(piece)
        yield piece
