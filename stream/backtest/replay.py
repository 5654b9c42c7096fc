"""Replay: a recorded journal is executed again, entry by entry, and what it gives goes elsewhere.

It is what the worker did: the same replica, the same entries, the same records of the inputs, so the same bytes. Every
record that it writes carries the header `replay-run-id`, and nothing of the recorded system is written to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from stream.codec import journal
from stream.codec.digests import Digest
from stream.errors import SegstreamError
from stream.kafka.marked import MarkedProducer
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from stream.worker.log import Log
from stream.worker.recovery import JournalReader, read_inputs
from stream.worker.replica import Outcome, Replica, rule_of
from stream.worker.verification import documents_of

HEADER = "replay-run-id"
ROWS_HELD_MAX = 20_000  # records before they are written to a file: some 20 MB
SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("replay_run_id", pa.string()),
    ]
)


@dataclass(slots=True)
class Replayed:
    """What came of one partition's journal. `digest` is over keys and values of its changes, in order."""

    partition: int
    entries: int = 0
    events: int = 0
    changes: int = 0
    dead_letters: int = 0
    digest: str = ""


class Sink(Protocol):
    """Where a replay's records go."""

    async def write(self, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Take records of a topic (plain name), in order."""
        ...

    async def flush(self) -> None:
        """Have everything written."""
        ...


class MemorySink:
    """Counts only: the digests say what came."""

    async def write(self, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Take records."""

    async def flush(self) -> None:
        """Nothing is held."""


class FileSink:
    """A Parquet file of records; `close` completes it."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._run_id = run_id
        self._rows: list[tuple[Any, ...]] = []
        try:
            self._writer: Any = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        except OSError as error:
            raise SegstreamError(f"{path} cannot be written ({error.strerror})", "give another path") from error

    async def write(self, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Take records."""
        self._rows += [(topic, partition, key, value, self._run_id) for key, value in records]
        if len(self._rows) >= ROWS_HELD_MAX:
            await self.flush()

    async def flush(self) -> None:
        """Write what is held."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(SCHEMA)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._rows.clear()

    def close(self) -> None:
        """Write the file's end."""
        self._writer.close()


class TopicSink:
    """Topics with another prefix."""

    def __init__(self, producer: MarkedProducer) -> None:
        self._producer = producer

    async def write(self, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Take records."""
        await self._producer.write(topic, partition, records)

    async def flush(self) -> None:
        """Wait for the brokers."""
        await self._producer.flush()


class Pace:
    """Holds a replay to `speed` times the recorded stream time; `now_s` and `sleep` are the caller's clock."""

    def __init__(self, speed: float, now_s: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._speed, self._now_s, self._sleep = speed, now_s, sleep
        self._began: tuple[float, int] | None = None

    async def reach(self, stream_ms: int) -> None:
        """Wait until it is time for what happened at `stream_ms`."""
        if stream_ms <= 0:
            return
        if self._began is None:
            self._began = self._now_s(), stream_ms
        started_s, first_ms = self._began
        ahead_s = started_s + (stream_ms - first_ms) / 1000 / self._speed - self._now_s()
        if ahead_s > 0:
            await self._sleep(ahead_s)


async def replay(
    log: Log, settings: Settings, partitions: Sequence[int], sink: Sink, pace: Pace | None = None
) -> list[Replayed]:
    """Execute the journals of the partitions from their first entry, one partition after the other.

    Raises
    ------
    SegstreamError : entries or input records that are needed are gone, or another engine wrote them.
    """
    documents = await documents_of(log, settings)
    found = []
    for partition in partitions:
        replica = Replica(partition, rule_of(settings), documents.get, partition_of)
        found.append(await _replay_partition(log, replica, sink, pace))
        await log.forget_readers()
    await sink.flush()
    return found


async def _replay_partition(log: Log, replica: Replica, sink: Sink, pace: Pace | None) -> Replayed:
    partition = replica.partition
    first, end = await log.bounds("segment-journal", partition, committed=False)
    if first > 0:
        raise SegstreamError(
            f"the journal of partition {partition} begins at {first}: what came before was deleted",
            "a replay starts at the first entry; replay again before a day has passed",
        )
    ours = replica.rule.fingerprint()
    reader, told, digest = JournalReader(partition, replica.epoch, ours), Replayed(partition), Digest()
    async for offset, entry in reader.entries(log, 0, end):
        if entry is None:
            continue
        if not isinstance(entry, journal.Claim) and reader.fingerprint != ours:
            raise SegstreamError(
                f"journal entry {partition}/{offset} was executed by another engine or settings",
                "replay with the version and the settings of the workers that wrote it",
            )
        outcome = replica.execute(offset, entry, await read_inputs(log, replica, entry))
        if pace is not None:
            await pace.reach(replica.stream_ms)
        await _hand_over(sink, partition, outcome, told, digest)
    told.digest = digest.hexdigest()
    return told


async def _hand_over(sink: Sink, partition: int, outcome: Outcome, told: Replayed, digest: Digest) -> None:
    told.entries += 1
    told.events += outcome.applied
    told.changes += len(outcome.changes)
    told.dead_letters += len(outcome.dead_letters)
    for key, value in outcome.changes:
        digest.update(key)
        digest.update(value)
    if outcome.changes:
        await sink.write("segment-changes", partition, outcome.changes)
    if outcome.dead_letters:
        await sink.write("segment-dead-letters", partition, outcome.dead_letters)
