"""The worker's Log on Apache Kafka: one producer, readers of ranges, a transactional identity each."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced, UnknownTopicOrPartitionError

from stream.codec.block import Block
from stream.kafka import client
from stream.kafka.failures import absent, partitions_there, unreadable
from stream.kafka.feed import Feed, Place
from stream.kafka.producer import Producer
from stream.worker.log import FencedError, Keyed, LogUnavailableError, Several

if TYPE_CHECKING:
    from stream.settings import Settings

Sent = list[tuple[asyncio.Future[Any], int]]
"""Batches on their way: the acknowledgement to come, and how many records."""

READERS_MAX = 24  # kept open between ranges: five for each of four partitions that recover at once, and some
POLL_MS = 200  # how long a range read waits for the next records before it looks at its position again


class KafkaLog:
    """See stream.worker.log.Log. Start before use, stop after."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(settings)
        self._timeout_s = settings.ack_timeout_seconds
        self._idle: list[RangeReader] = []
        self._block_readers: dict[Place, BlockReader] = {}
        self._askers: dict[bool, AIOKafkaConsumer] = {}
        self._asking = asyncio.Lock()
        self._partitions: dict[str, int] = {}  # of the topics that are there, by name

    async def start(self) -> None:
        """Connect; raises SegstreamError when no broker takes us."""
        await client.started(self._settings, self._producer)

    async def stop(self) -> None:
        """Disconnect, within the ack timeout."""
        await self.forget_readers()
        for asker in self._askers.values():
            await asker.stop()
        await asyncio.wait_for(self._producer.stop(), self._timeout_s)

    def _name(self, topic: str) -> str:
        return self._settings.prefix + topic

    def append(self, topic: str, partition: int, value: bytes) -> Awaitable[int]:
        """See Log.append. It is queued at once, not when it is awaited."""
        return self._producer.append(topic, partition, value)

    async def publish(self, topic: str, partition: int, records: Sequence[Keyed]) -> Awaitable[int]:
        """See Log.publish."""
        return await self._producer.publish(topic, partition, records)

    async def read(
        self, topic: str, partition: int, start: int, end: int, *, committed: bool
    ) -> AsyncIterator[list[Any]]:
        """See Log.read. A reader that stands at `start` already goes on: ranges one after the other cost one."""
        if start >= end:
            return
        reader = await self._reader_at(topic, partition, start, committed=committed)
        async with _closing_what_fails(reader, topic, partition, start):
            while (records := await reader.next(end)) is not None:
                if records:
                    yield records
        self._idle.append(reader)
        if len(self._idle) > READERS_MAX:
            await self._idle.pop(0).close()

    async def blocks(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Block]:
        """See Log.blocks. The reader is kept for the next range, as in `read`."""
        if start >= end:
            return
        place = (topic, partition)
        reader = self._block_readers.pop(place, None) or await BlockReader.started(self._settings, place)
        reader.seek(start)
        async with _closing_what_fails(reader, topic, partition, start):
            async for block in reader.until(end):
                yield block
        self._block_readers[place] = reader  # one for each input of each partition

    async def _reader_at(self, topic: str, partition: int, start: int, *, committed: bool) -> RangeReader:
        place = (self._name(topic), partition, committed)
        for reader in self._idle:
            if reader.place == place:
                self._idle.remove(reader)
                reader.seek(start)
                return reader
        reader = RangeReader(self._settings, place)
        await reader.start(start)
        return reader

    async def forget_readers(self) -> None:
        """See Log.forget_readers."""
        idle, self._idle = self._idle, []
        for reader in idle:
            await reader.close()
        blocks, self._block_readers = self._block_readers, {}
        for block_reader in blocks.values():
            await block_reader.close()

    async def bounds(self, topic: str, partition: int, *, committed: bool) -> tuple[int, int]:
        """See Log.bounds. Raises SegstreamError when there is no such place, or no broker answers."""
        place = TopicPartition(self._name(topic), partition)
        await self._look_for(place)
        asker = await self._asker(committed=committed)
        try:
            first = await asker.beginning_offsets([place])
            last = await asker.end_offsets([place])
        except KafkaError as error:
            raise await client.unreachable(self._settings, error) from error
        return first[place], last[place]

    async def _look_for(self, place: TopicPartition) -> None:
        """Raise SegstreamError for a place that is not there: asked of it, the driver waits 40 s and says nothing."""
        async with self._asking:
            if place.partition >= self._partitions.get(place.topic, 0):
                self._partitions = await partitions_there(self._settings)
        if place.partition >= (count := self._partitions.get(place.topic, 0)):
            raise absent(place.topic, place.partition, count)

    async def _asker(self, *, committed: bool) -> AIOKafkaConsumer:
        """A consumer that only asks for offsets; kept, since the first question about a topic takes 0.1 s."""
        async with self._asking:
            asker = self._askers.get(committed)
            if asker is None:
                made = client.reader(self._settings, "read_committed" if committed else "read_uncommitted")
                asker = self._askers[committed] = await client.started(self._settings, made)
            return asker

    async def transactions(self, identity: str, partition: int) -> KafkaTransactions:
        """See Log.transactions."""
        identity = f"{self._settings.prefix}{identity}"
        producer = client.transactional_producer(self._settings, identity)
        try:
            await asyncio.wait_for(client.started(self._settings, producer), self._timeout_s)
        except TimeoutError:
            raise LogUnavailableError(f"no identity for transactions within {self._timeout_s:g} s") from None
        return KafkaTransactions(producer, self._settings, partition)

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See Log.delete_before."""
        admin = client.admin(self._settings)
        place = TopicPartition(self._name(topic), partition)
        try:
            async with asyncio.timeout(self._timeout_s):
                await admin.start()
                await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
        except UnknownTopicOrPartitionError:  # the topic was removed under us: the next write says so
            return
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailableError(f"{place.topic} [{partition}] was not deleted: {type(error).__name__}") from error
        finally:
            await admin.close()


class RangeReader:
    """One consumer over one partition, which remembers what it fetched beyond the range asked for."""

    def __init__(self, settings: Settings, place: tuple[str, int, bool]) -> None:
        self.place = place
        topic, partition, committed = place
        self._tp = TopicPartition(topic, partition)
        self._settings = settings
        self._consumer = client.reader(settings, "read_committed" if committed else "read_uncommitted")
        self._left: list[Any] = []
        self._next = 0

    async def start(self, start: int) -> None:
        """Connect and stand at `start`."""
        await client.started(self._settings, self._consumer)
        self._consumer.assign([self._tp])
        self._consumer.seek(self._tp, start)
        self._next = start

    def seek(self, start: int) -> None:
        """Stand at `start`; keeps what is fetched already when it goes on from there."""
        if start != self._next:
            self._left.clear()
            self._consumer.seek(self._tp, start)
            self._next = start

    async def next(self, end: int) -> list[Any] | None:
        """Some records below `end`, perhaps none yet; None when there are no more."""
        if not self._left:
            if await self._consumer.position(self._tp) >= end:
                self._next = end
                return None
            self._left = (await self._consumer.getmany(self._tp, timeout_ms=POLL_MS)).get(self._tp, [])
        cut = bisect_left(self._left, end, key=_offset)
        records, self._left = self._left[:cut], self._left[cut:]
        if self._left:
            self._next = end
            return records or None
        return records

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()


_offset = attrgetter("offset")


@asynccontextmanager
async def _closing_what_fails(
    reader: RangeReader | BlockReader, topic: str, partition: int, start: int
) -> AsyncIterator[None]:
    """Close a reader whose range was not read to its end; a broker's error says what to do."""
    try:
        yield
    except BaseException as error:
        await reader.close()
        if isinstance(error, KafkaError):
            raise unreadable(topic, partition, start, error) from error
        raise


class BlockReader:
    """A feed of one place, which remembers what it fetched beyond the range asked for."""

    def __init__(self, settings: Settings, place: Place) -> None:
        self._place = place
        self._feed = Feed(settings, client_id="blocks")
        self._next = -1
        self._left: Block | None = None

    @classmethod
    async def started(cls, settings: Settings, place: Place) -> BlockReader:
        """A connected one."""
        reader = cls(settings, place)
        try:
            await reader._feed.start()
        except BaseException:
            await reader.close()
            raise
        return reader

    def seek(self, start: int) -> None:
        """Stand at `start`; keeps what is fetched already when it goes on from there."""
        if start != self._next:
            self._next, self._left = start, None
            self._feed.assign({self._place: start})

    async def until(self, end: int) -> AsyncIterator[Block]:
        """The records below `end`."""
        while True:
            if self._left is None:
                if self._feed.position(self._place) >= end:
                    break
                self._left = (await self._feed.poll(POLL_MS)).get(self._place)
                continue
            cut = int(np.searchsorted(self._left.index["offset"], end))
            block, self._left = self._left.part(0, cut), self._left.part(cut, len(self._left))
            if cut:
                yield block
            if len(self._left):
                break
            self._left = None
        self._next = end

    async def close(self) -> None:
        """Disconnect."""
        await self._feed.stop()


class KafkaTransactions:
    """See stream.worker.log.Transactions."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, partition: int) -> None:
        self._producer = producer
        self._settings = settings
        self._partition = partition

    async def write(self, parts: Sequence[tuple[str, Several]]) -> list[int]:
        """See Transactions.write."""
        try:
            async with asyncio.timeout(self._settings.ack_timeout_seconds) as limit:
                return await self._write(parts, limit)
        except ProducerFenced as error:
            raise FencedError from error
        except TimeoutError:
            raise LogUnavailableError("a checkpoint was not acknowledged in time") from None
        except (KafkaError, IllegalOperation) as error:
            raise LogUnavailableError(f"a checkpoint failed: {error}") from error

    async def _write(self, parts: Sequence[tuple[str, Several]], limit: asyncio.Timeout) -> list[int]:
        def progressed() -> None:  # a large checkpoint takes long: what is limited is the wait for one answer
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time() + self._settings.ack_timeout_seconds)

        await self._producer.begin_transaction()
        sent: list[Sent] = [[] for _ in parts]
        try:
            for (topic, records), batches in zip(parts, sent, strict=True):
                pile = _Pile(self._producer, self._settings.prefix + topic, self._partition, batches, progressed)
                await pile.take(records)
        except IllegalOperation:  # the transaction failed meanwhile: what was sent before knows why
            await _all_of(sent)
            raise
        await _all_of(sent)
        firsts = [batches[0][0].result().offset if batches else -1 for batches in sent]
        await self._producer.commit_transaction()
        return firsts

    async def close(self) -> None:
        """See Transactions.close."""
        await self._producer.stop()


class _Pile:
    """Records on their way to one place as whole batches, noted in `sent`: a future for each would cost 60-80 us."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        sent: Sent,
        progressed: Callable[[], None] | None = None,
    ) -> None:
        """Send nothing yet; `progressed` is told whenever a batch was taken, for which the one before was sent."""
        self._producer, self._topic, self._partition, self._sent = producer, topic, partition, sent
        self._progressed = progressed
        self._batch, self._count = producer.create_batch(), 0

    async def take(self, records: Several) -> None:
        """Queue records in their order."""
        if isinstance(records, AsyncIterator):
            async for key, value in records:
                if not self._add(key, value):
                    await self._next(key, value)
        else:
            for key, value in records:
                if not self._add(key, value):
                    await self._next(key, value)
        await self._send()

    def _add(self, key: bytes | None, value: bytes | None) -> bool:
        """Take a record; False when it has no room in this batch."""
        fits = self._batch.append(key=key, value=value, timestamp=None) is not None
        self._count += fits
        return fits

    async def _next(self, key: bytes | None, value: bytes | None) -> None:
        """Send the batch and take a record that had no room in it."""
        await self._send()
        if not self._add(key, value):  # larger than a batch: aiokafka sends it alone, up to the largest request
            alone = await self._producer.send(self._topic, value, key=key, partition=self._partition)
            self._sent.append((alone, 1))
            self._batch = self._producer.create_batch()

    async def _send(self) -> None:
        """Queue what there is."""
        if self._count:
            batch = await self._producer.send_batch(self._batch, self._topic, partition=self._partition)
            self._sent.append((batch, self._count))
            self._batch, self._count = self._producer.create_batch(), 0
            if self._progressed is not None:
                self._progressed()
            await asyncio.sleep(0)  # a millisecond has passed


async def _all_of(sent: list[Sent]) -> None:
    """Wait for every batch; raises the first failure and has looked at all."""
    await asyncio.gather(*(future for batches in sent for future, _ in batches))
