"""What has been read of one partition's inputs and not been applied yet: merged by event time, cut into batches.

Records are applied in the order of event time across topics as far as what has been read allows: a topic that still
has unread records holds the others back to its newest time read, so that a purchase of March is not applied before a
click of February only because the clicks are read more slowly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.events import TS_MS_MIN
from stream.codec.events import VALUE_BYTES_MAX, Columns, decode, digest
from stream.codec.journal import Embedded, Position

BUFFER_RECORDS_MAX = 20_000  # of one topic: five batches; fetching pauses above it
BUFFER_BYTES_MAX = 32 * 1024 * 1024  # of one topic: what one fetch may bring at most; large records pause it sooner
EMBEDDED_BYTES_MAX = 2_000_000  # of one entry: with its last record below the 4 MB that a message may have
EMBEDDED_KEY_BYTES = 4096  # as much as a dead letter shows
IDLE_SECONDS_MAX = 0.5  # how long an input whose end is unknown may hold the others back
COLUMN_NAMES = (
    "ts_ms", "action", "amount_minor", "id_hash", "machine_open", "customer_id", "event_id", "record",
)  # fmt: skip


@dataclass(slots=True)
class Input:
    """One topic of one partition: what was read, decoded, in offset order."""

    kind: int
    position: int  # of the next record to apply
    read: int  # of the next record to fetch
    caught_up: bool = False  # the last successful fetch reached the end
    newest_ms: int = 0  # event time, of what was applied
    columns: Columns = field(default_factory=lambda: Columns(0))
    records: list[Any] = field(default_factory=list)
    size_bytes: int = 0  # of the keys and values of those records
    order_ms: list[int] = field(default_factory=list)  # running maximum of event time, one for each record

    def add(self, records: list[Any], limit_ms: int) -> None:
        """Decode what a fetch brought; times beyond `limit_ms` count as `limit_ms` for the order."""
        columns = decode(self.kind, records)
        refused = {record.offset for record, _ in columns.refused}
        newest = self.order_ms[-1] if self.order_ms else TS_MS_MIN
        times = iter(columns.ts_ms)
        for record in records:
            if record.offset not in refused:
                newest = max(newest, min(next(times), limit_ms))
            self.order_ms.append(newest)
        for name in (*COLUMN_NAMES, "attributes", "refused"):
            getattr(self.columns, name).extend(getattr(columns, name))
        self.records.extend(records)
        self.size_bytes += _size_bytes(records)
        self.read = records[-1].offset + 1

    def take(self, count: int) -> tuple[list[Any], Columns]:
        """Cut off the first `count` records and what was decoded from them."""
        records, self.records = self.records[:count], self.records[count:]
        end = records[-1].offset
        self.size_bytes -= _size_bytes(records)
        del self.order_ms[:count]
        columns = self.columns
        kept = sum(1 for record in columns.record[: len(records)] if record.offset <= end)
        taken, rest = Columns(self.kind), Columns(self.kind)
        for name in COLUMN_NAMES:
            values = getattr(columns, name)
            setattr(taken, name, values[:kept])
            setattr(rest, name, values[kept:])
        if columns.attributes:
            taken.attributes, rest.attributes = columns.attributes[:kept], columns.attributes[kept:]
        taken.refused = [entry for entry in columns.refused if entry[0].offset <= end]
        rest.refused = columns.refused[len(taken.refused) :]
        self.columns = rest
        self.position = end + 1
        return records, taken


@dataclass(frozen=True, slots=True)
class Taken:
    """One batch: what goes into its journal entry, and the decoded records."""

    positions: tuple[Position, ...]
    columns: dict[int, Columns]
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
        self.by_kind[kind] = Input(kind, position, position, columns=Columns(kind))

    @property
    def buffered(self) -> int:
        """Records read and not applied."""
        return sum(len(entry.records) for entry in self.by_kind.values())

    def full(self, kind: int) -> bool:
        """Whether fetching this topic should pause."""
        entry = self.by_kind[kind]
        return len(entry.records) >= BUFFER_RECORDS_MAX or entry.size_bytes >= BUFFER_BYTES_MAX

    def take(self, limit: int, now_s: float) -> Taken | None:
        """The next batch of at most `limit` records, or None when there is nothing to apply yet."""
        if not self.buffered or self._must_wait(now_s):
            return None
        bound = min(
            (entry.order_ms[-1] for entry in self.by_kind.values() if entry.records and not entry.caught_up),
            default=None,
        )
        times, kinds = [], []
        for kind, entry in sorted(self.by_kind.items()):
            order = np.array(entry.order_ms[:limit], np.int64)
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
        size = 0
        for i, record in enumerate(self.by_kind[kind].records[:count]):
            size += min(len(record.value or b""), VALUE_BYTES_MAX + 1) + min(len(record.key or b""), EMBEDDED_KEY_BYTES)
            if size > EMBEDDED_BYTES_MAX:
                return max(i, 1)
        return count

    def _must_wait(self, now_s: float) -> bool:
        """Whether an input with unread records has nothing to show yet, for a bounded time."""
        blind = any(not entry.caught_up and not entry.records for entry in self.by_kind.values())
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
            records, columns[kind] = self.by_kind[kind].take(count)
            oldest = min(oldest, records[0].timestamp)
            newest = max(newest, records[-1].timestamp)
            if kind in self._compacted:
                records = [_embedded(kind, record) for record in records]
                embedded.extend(records)
            positions.append(Position(kind, start, records[-1].offset + 1, count, digest(records)))
        return Taken(tuple(positions), columns, tuple(embedded), sum(counts.values()), oldest, newest)

    def note_applied(self, taken: Taken, limit_ms: int, ours: Callable[[str], bool] | None = None) -> None:
        """Remember each topic's newest event time; those beyond `limit_ms` or of customers not `ours` are refused."""
        for kind, columns in taken.columns.items():
            entry = self.by_kind[kind]
            times, ids = columns.ts_ms, columns.customer_id
            for i in sorted(range(len(times)), key=times.__getitem__, reverse=True):
                if times[i] <= limit_ms and (ours is None or ours(ids[i])):
                    entry.newest_ms = max(entry.newest_ms, times[i])
                    break

    def stream_ms(self) -> int | None:
        """The newest event time up to which every input has been read, or None while one is unknown.

        An input with unread records holds it back to its newest time; one that has been read to its end does not.
        """
        unread = [entry for entry in self.by_kind.values() if entry.records or not entry.caught_up]
        if not unread:
            return max((entry.newest_ms for entry in self.by_kind.values()), default=0)
        least = min(entry.newest_ms for entry in unread)
        return least or None

    @property
    def all_read(self) -> bool:
        """Whether every input has been read and applied to its end."""
        return all(entry.caught_up and not entry.records for entry in self.by_kind.values())


def _size_bytes(records: list[Any]) -> int:
    return sum(len(record.value or b"") + len(record.key or b"") for record in records)


def _embedded(kind: int, record: Any) -> Embedded:
    """The record as its entry keeps it: one that is too large is refused as such by its first bytes alone."""
    key, value = record.key, record.value
    return Embedded(
        kind,
        record.offset,
        record.timestamp,
        None if key is None else key[:EMBEDDED_KEY_BYTES],
        None if value is None else value[: VALUE_BYTES_MAX + 1],
    )
