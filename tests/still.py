"""One partition over a log in memory in which nothing fails by itself: what upgrades, recoveries and verification are
tested with. What is wrong with a log, a test does to its shelves.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.events import TOPICS
from stream.codec import plain_json
from stream.codec.block import Block, block_of
from stream.codec.definitions import load
from stream.settings import Settings
from stream.worker.documents import DEFINITIONS_TOPIC
from stream.worker.log import Keyed, Log, Several
from stream.worker.partition import Partition
from stream.worker.recovery import JournalReader, read_inputs
from stream.worker.replica import Replica, rule_of
from stream.worker.verification import documents_of

LOOK_SECONDS = 0.002  # between two looks at a working partition
LOOKS_MAX = 10_000  # twenty seconds, where one is enough
BATCH_RECORDS = 7  # of a read: several batches even of a short topic


@dataclass(frozen=True, slots=True)
class Stored:
    """One record."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0


@dataclass(slots=True)
class Shelf:
    """One partition of one topic."""

    records: list[Stored] = field(default_factory=list)
    start: int = 0
    end: int = 0  # control records of transactions take offsets too
    takes: int = 2**62  # as many records as a crash lets through; what comes later is never acknowledged

    def put(self, key: bytes | None, value: bytes | None) -> int:
        """Append a record; returns its offset."""
        self.records.append(Stored(self.end, key, value))
        self.end += 1
        return self.end - 1

    def forget_before(self, offset: int) -> None:
        """What retention or an owner deletes."""
        self.start = max(self.start, offset)
        self.records = [record for record in self.records if record.offset >= offset]


class StillTransactions:
    """See stream.worker.log.Transactions."""

    def __init__(self, log: StillLog, partition: int) -> None:
        self._log, self._partition = log, partition

    async def write(self, parts: Sequence[tuple[str, Several]]) -> list[int]:
        """See Transactions.write: all or nothing, and a control record after it."""
        firsts = []
        for topic, records in parts:
            shelf = self._log.shelf(topic, self._partition)
            firsts.append(shelf.end)
            for key, value in [one async for one in records] if isinstance(records, AsyncIterator) else records:
                shelf.put(key, value)
            shelf.end += 1
        return firsts

    async def close(self) -> None:
        """See Transactions.close."""


class StillLog:
    """See stream.worker.log.Log."""

    def __init__(self) -> None:
        self.shelves: dict[tuple[str, int], Shelf] = defaultdict(Shelf)

    def shelf(self, topic: str, partition: int = 0) -> Shelf:
        """One partition of one topic."""
        return self.shelves[topic, partition]

    async def append(self, topic: str, partition: int, value: bytes) -> int:
        """See Log.append."""
        return self.shelf(topic, partition).put(None, value)

    async def publish(self, topic: str, partition: int, records: Sequence[Keyed]) -> asyncio.Future[int]:
        """See Log.publish."""
        shelf = self.shelf(topic, partition)
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        for key, value in records:
            if len(shelf.records) >= shelf.takes:
                return done
            shelf.put(key, value)
        done.set_result(shelf.end if records else -1)
        return done

    async def read(
        self, topic: str, partition: int, start: int, end: int, *, committed: bool
    ) -> AsyncIterator[list[Any]]:
        """See Log.read."""
        assert isinstance(committed, bool)  # all is
        records = [r for r in self.shelf(topic, partition).records if start <= r.offset < end]
        for i in range(0, len(records), BATCH_RECORDS):
            yield records[i : i + BATCH_RECORDS]
            await asyncio.sleep(0)

    async def blocks(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Block]:
        """See Log.blocks."""
        async for records in self.read(topic, partition, start, end, committed=True):
            yield block_of(records)

    async def bounds(self, topic: str, partition: int, *, committed: bool) -> tuple[int, int]:
        """See Log.bounds."""
        assert isinstance(committed, bool)  # all is
        shelf = self.shelf(topic, partition)
        return shelf.start, shelf.end

    async def transactions(self, identity: str, partition: int) -> StillTransactions:
        """See Log.transactions."""
        assert identity
        return StillTransactions(self, partition)

    async def forget_readers(self) -> None:
        """See Log.forget_readers."""

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See Log.delete_before."""
        self.shelf(topic, partition).forget_before(offset)


class StillClock:
    """The clock that a test sets: wall time stands, monotonic time is the loop's."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        """Epoch milliseconds."""
        return self.now_ms

    def monotonic_s(self) -> float:
        """Seconds."""
        return asyncio.get_running_loop().time()


class Silent:
    """An observer that is told everything and says nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args: None

    async def sampled(self, *_args: object) -> None:
        """Vectors go nowhere here."""


def send(log: StillLog, events: Iterable[tuple[str, Mapping[str, Any]]], path: str = "") -> None:
    """Put events (topic, payload) and definitions (those shipped, or of a file) into their topics."""
    definitions, document = load(path)
    log.shelf(DEFINITIONS_TOPIC).put(definitions.digest.encode(), document)
    for topic, payload in events:
        log.shelf(topic).put(str(payload["customer_id"]).encode(), plain_json.encode(payload))


async def claimed(
    log: Any, settings: Settings, clock: StillClock, make: type[Partition] = Partition, observer: Any = None
) -> Partition:
    """A new owner of partition 0 that has recovered."""
    observer = observer or Silent()
    typed: Log = log
    documents = await documents_of(typed, settings)
    partition = make(0, settings, typed, clock, documents, observer, rule_of(settings), lambda *_: 0)

    async def read_documents() -> None:
        await asyncio.sleep(0)

    await partition.claim("still", read_documents)
    return partition


async def work(log: StillLog, partition: Partition, until: Any = None) -> None:
    """Apply every record of the inputs, or until the condition holds; afterwards the partition does nothing more."""
    running = asyncio.ensure_future(partition.run())
    for _ in range(LOOKS_MAX):
        for kind, entry in partition.inputs.by_kind.items():
            shelf = log.shelf(TOPICS[kind])
            if records := [record for record in shelf.records if record.offset >= entry.read]:
                entry.add(block_of(records), 2**62)
            entry.caught_up = True
        partition.wake.set()
        await asyncio.sleep(LOOK_SECONDS)
        if running.done():
            running.result()
        if until is not None and until():
            break
        engine = partition.replica.engine
        idle = engine is not None and not len(engine.table.due_slots(partition.replica.stream_ms, 1))
        if until is None and partition.inputs.all_read and not partition.replica.adopting and idle:
            async with partition.lock:  # the entry that is being written is written to its end
                running.cancel()
            break
    else:
        raise AssertionError("the work was never finished")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def live(log: StillLog, settings: Settings, clock: StillClock, *, then_die: bool = False) -> Partition:
    """Claim, apply everything, and stop as SIGTERM does, or as SIGKILL does."""
    partition = await claimed(log, settings, clock)
    await work(log, partition)
    if not then_die:
        await partition.release()
    return partition


async def executed(log: StillLog, settings: Settings) -> tuple[Replica, list[bytes]]:
    """The whole journal executed once in an empty replica, whoever wrote it: the replica, and every change in order."""
    typed: Any = log
    documents = await documents_of(typed, settings)
    replica = Replica(0, rule_of(settings), documents.get, lambda *_: 0)
    reader, changes = JournalReader(0, -1), []
    for record in log.shelf("segment-journal").records:
        entry = reader.accept(record.offset, record.value or b"")
        if entry is None:
            continue
        inputs = await read_inputs(typed, replica, entry)
        changes += [value for _, value in replica.execute(record.offset, entry, inputs).changes]
    return replica, changes
