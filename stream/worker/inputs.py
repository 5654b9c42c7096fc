"""What has been read of one partition's inputs and not been applied yet: merged by event time, cut into batches.

Records are applied in the order of event time across topics as far as what has been read allows: a topic that still
has unread records holds the others back to its newest time read, so that a purchase of March is not applied before a
click of February only because the clicks are read more slowly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.events import TS_MS_MIN
from stream.codec.block import Block, block_of, digest, joined
from stream.codec.columns import Columns, together
from stream.codec.documents import PAYLOAD_BYTES_MAX
from stream.codec.events import VALUE_BYTES_MAX, decode
from stream.codec.journal import Embedded, Position

BUFFER_RECORDS_MAX = 10_000  # of one topic: two batches and a half; fetching pauses above it, and a fetch brings half
BUFFER_BYTES_MAX = 32 * 1024 * 1024  # of one topic: what one fetch may bring at most; large records pause it sooner
EMBEDDED_BYTES_MAX = 2_000_000  # of one entry: with its last record below the 4 MB that a message may have
IDLE_SECONDS_MAX = 0.5  # how long an input whose end is unknown may hold the others back


@dataclass(slots=True, eq=False)
class Chunk:
    """What one fetch brought of a topic: decoded, and from where on it is still to be applied."""

    columns: Columns
    order_ms: NDArray[np.int64]  # running maximum of event time, one for each record
    end: int  # the offset after it, and after what holds no records behind it
    done: int = 0  # records already taken

    def __len__(self) -> int:
        return len(self.order_ms) - self.done


@dataclass(slots=True)
class Input:
    """One topic of one partition: what was read, decoded, in offset order."""

    kind: int
    position: int  # of the next record to apply
    read: int  # of the next record to fetch
    caught_up: bool = False  # the last successful fetch reached the end
    newest_ms: int = 0  # event time, of what was applied
    chunks: deque[Chunk] = field(default_factory=deque)  # bounded by `Inputs.full`: fetching pauses
    waiting: int = 0  # records of all chunks
    size_bytes: int = 0  # of the keys and values of those records

    def add(self, block: Block, limit_ms: int) -> None:
        """Decode what a fetch brought; times beyond `limit_ms` count as `limit_ms` for the order."""
        if not len(block):
            return
        columns = decode(self.kind, block)
        times = np.full(len(block), TS_MS_MIN, np.int64)
        times[columns.rows["record"]] = np.minimum(columns.rows["ts_ms"], limit_ms)
        if self.chunks:
            times[0] = max(times[0], self.chunks[-1].order_ms[-1])
        self.read = int(block.index["offset"][-1]) + 1
        self.chunks.append(Chunk(columns, np.maximum.accumulate(times), self.read))
        self.waiting += len(block)
        self.size_bytes += block.size_bytes

    def reach(self, read: int) -> None:
        """All below `read` was fetched: what came after the last record is control records and aborted ones."""
        self.read = max(self.read, read)
        if self.chunks:
            self.chunks[-1].end = self.read

    @property
    def newest_order_ms(self) -> int:
        """The newest event time among what is waiting."""
        return int(self.chunks[-1].order_ms[-1])

    def times_ms(self, limit: int) -> NDArray[np.int64]:
        """When the first `limit` records are due to be applied."""
        times, count = [], 0
        for chunk in self.chunks:
            times.append(chunk.order_ms[chunk.done : chunk.done + limit - count])
            count += len(times[-1])
            if count >= limit:
                break
        return np.concatenate(times) if times else np.zeros(0, np.int64)

    def take(self, count: int) -> Columns:
        """Cut off the first `count` records with what was decoded from them."""
        parts: list[Columns] = []
        self.waiting -= count
        while count:
            chunk = self.chunks[0]
            several = min(count, len(chunk))
            whole = several == len(chunk.order_ms)  # what one fetch brought, as it is at light traffic
            parts.append(chunk.columns if whole else chunk.columns.part(chunk.done, chunk.done + several))
            chunk.done += several
            count -= several
            if not len(chunk):
                self.chunks.popleft()
        taken = together(parts)
        self.size_bytes -= taken.block.size_bytes
        self.position = int(taken.block.index["offset"][-1]) + 1 if len(chunk) else chunk.end
        return taken


@dataclass(frozen=True, slots=True)
class Taken:
    """One batch: what goes into its journal entry, and the decoded records."""

    positions: tuple[Position, ...]
    columns: dict[int, Columns]  # by event kind
    embedded: tuple[Embedded, ...]
    count: int
    oldest_timestamp_ms: int  # Kafka's, for latency
    newest_timestamp_ms: int  # Kafka's, for lag


class Inputs:
    """The four inputs of one partition."""

    def __init__(self, compacted: frozenset[int]) -> None:
        self.by_kind: dict[int, Input] = {}
        self._compacted = compacted
        self._waiting_since: float | None = None

    def open(self, kind: int, position: int) -> None:
        """Begin, or begin again, to read a topic at `position`."""
        self.by_kind[kind] = Input(kind, position, position)

    @property
    def buffered(self) -> int:
        """Records read and not applied."""
        return sum(entry.waiting for entry in self.by_kind.values())

    def full(self, kind: int) -> bool:
        """Whether fetching this topic should pause."""
        entry = self.by_kind[kind]
        return entry.waiting >= BUFFER_RECORDS_MAX or entry.size_bytes >= BUFFER_BYTES_MAX

    def take(self, limit: int, now_s: float) -> Taken | None:
        """The next batch of at most `limit` records, or None when there is nothing to apply yet."""
        if not self.buffered or self._must_wait(now_s):
            return None
        bound = min(
            (entry.newest_order_ms for entry in self.by_kind.values() if entry.waiting and not entry.caught_up),
            default=None,
        )
        if bound is None and self.buffered <= limit:
            return self._cut({kind: self._fitting(kind, entry.waiting) for kind, entry in self.by_kind.items()})
        times, kinds = [], []
        for kind, entry in sorted(self.by_kind.items()):
            order = entry.times_ms(limit)
            if bound is not None:
                order = order[: np.searchsorted(order, bound, side="right")]
            times.append(order)
            kinds.append(np.full(len(order), kind))
        kind_of = np.concatenate(kinds)
        first = kind_of[np.lexsort((kind_of, np.concatenate(times)))[:limit]]
        return self._cut({kind: self._fitting(kind, int((first == kind).sum())) for kind in self.by_kind})

    def _fitting(self, kind: int, count: int) -> int:
        """How many of the first `count` records fit in one entry, at least one."""
        if kind not in self._compacted:
            return count
        size, i = 0, 0
        for chunk in self.by_kind[kind].chunks:
            for key, value in _lengths(chunk)[: count - i].tolist():
                size += min(max(value, 0), VALUE_BYTES_MAX + 1) + min(max(key, 0), PAYLOAD_BYTES_MAX)
                if size > EMBEDDED_BYTES_MAX:
                    return max(i, 1)
                i += 1
        return count

    def _must_wait(self, now_s: float) -> bool:
        """Whether an input with unread records has nothing to show yet, for a bounded time."""
        blind = any(not entry.caught_up and not entry.waiting for entry in self.by_kind.values())
        if not blind:
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = now_s
        return now_s - self._waiting_since < IDLE_SECONDS_MAX

    def _cut(self, counts: dict[int, int]) -> Taken:
        positions: list[Position] = []
        columns: dict[int, Columns] = {}
        embedded: list[Embedded] = []
        oldest, newest = 2**62, 0
        for kind, count in sorted(counts.items()):
            if not count:
                continue
            start = self.by_kind[kind].position
            taken = columns[kind] = self.by_kind[kind].take(count)
            block = taken.block
            oldest = min(oldest, int(block.index["timestamp"][0]))
            newest = max(newest, int(block.index["timestamp"][-1]))
            if kind in self._compacted:
                kept = [_embedded(kind, record) for record in block.records()]
                embedded.extend(kept)
                block = block_of(kept)
            positions.append(Position(kind, start, self.by_kind[kind].position, count, digest(block)))
        return Taken(tuple(positions), columns, tuple(embedded), sum(counts.values()), oldest, newest)

    def pass_by(self) -> tuple[Position, ...]:
        """What was fetched behind the last record of inputs with nothing to apply; it counts as applied from now on.

        Control records and aborted ones: retention may delete them, and nobody could tell then what they were.
        """
        passed = []
        for kind, entry in sorted(self.by_kind.items()):
            if not entry.waiting and entry.position < entry.read:
                passed.append(Position(kind, entry.position, entry.read, 0, digest(joined([]))))
                entry.position = entry.read
        return tuple(passed)

    def note_applied(self, taken: Taken, limit_ms: int, ours: Callable[[bytes], bool] | None = None) -> None:
        """Remember each topic's newest event time; those beyond `limit_ms` or of customers not `ours` are refused."""
        for kind, columns in taken.columns.items():
            entry = self.by_kind[kind]
            times = columns.rows["ts_ms"]
            if not len(times):
                continue
            first = int(times.argmax())
            newest_ms = int(times[first])
            if newest_ms <= entry.newest_ms:
                continue
            if newest_ms <= limit_ms and (ours is None or ours(columns.customer_id(first))):
                entry.newest_ms = newest_ms
                continue
            newer = np.flatnonzero((times > entry.newest_ms) & (times <= limit_ms))
            for i in newer[np.argsort(-times[newer], kind="stable")].tolist():
                if ours is None or ours(columns.customer_id(i)):
                    entry.newest_ms = int(times[i])
                    break

    def stream_ms(self) -> int | None:
        """The newest event time up to which every input has been read, or None while one is unknown.

        An input with unread records holds it back to its newest time; one that has been read to its end does not.
        """
        unread = [entry for entry in self.by_kind.values() if entry.waiting or not entry.caught_up]
        if not unread:
            return max((entry.newest_ms for entry in self.by_kind.values()), default=0)
        least = min(entry.newest_ms for entry in unread)
        return least or None

    @property
    def all_read(self) -> bool:
        """Whether every input has been read and applied to its end."""
        return all(entry.caught_up and not entry.waiting for entry in self.by_kind.values())


def _lengths(chunk: Chunk) -> Any:
    """[records, 2] lengths of key and value of what is left of a chunk; negative for null."""
    index = chunk.columns.block.index[chunk.done :]
    return np.stack((index["key"][:, 1], index["value"][:, 1]), axis=1)


def _embedded(kind: int, record: Any) -> Embedded:
    """The record as its entry keeps it: one that is too large is refused as such by its first bytes alone, and of a
    key no more is kept than a dead letter shows.
    """
    key, value = record.key, record.value
    return Embedded(
        kind,
        record.offset,
        record.timestamp,
        None if key is None else key[:PAYLOAD_BYTES_MAX],
        None if value is None else value[: VALUE_BYTES_MAX + 1],
    )
