"""The worker's idempotent producer: batches of all partitions in one request, each partition's in its order.

aiokafka's has a future for each record, a task for each request and a queue it looks through on every turn: 0.9 ms of
processor time for the journal entries and changes of one poll. Here what is queued in one turn of the event loop
leaves in the next, in one request for each broker, and one more follows when that was answered. A batch keeps its place
and its sequence number until it is acknowledged, so trying again neither reorders nor doubles; what cannot be tried
again ends the producer, since whatever came after would be refused for the gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoError, for_code
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.kafka import client
from stream.kafka.wire import Produce
from stream.worker.log import Keyed, LogUnavailableError

if TYPE_CHECKING:
    from stream.settings import Settings

MAGIC, NO_CODEC = 2, 0  # of record batches
NOBODY = -1  # as the leader of a partition
QUEUED_MAX = 8  # batches of one partition: bounds memory where many records are written at once
RETRY_SECONDS = 0.1  # after an error that passes: leaders move within some tenths of a second
SEQUENCE_MASK = 2**31 - 1  # numbers begin again at 0 after it

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Batch:
    """Records on their way to one partition."""

    content: bytearray
    more: int  # added to the offset of its first record: what `acked` tells
    acked: asyncio.Future[int]
    queued_s: float


class Producer:
    """Start before use, stop after.

    Parameters
    ----------
    make_client : what sends requests of the protocol; tests have one in memory.
    """

    def __init__(self, settings: Settings, make_client: Callable[[Settings, str], Any] = client.writing) -> None:
        self._client = make_client(settings, "producer")
        self._prefix = settings.prefix
        self._timeout_s = settings.ack_timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._identity = (-1, -1)  # producer id, epoch
        self._sequences: dict[TopicPartition, int] = defaultdict(int)  # of the next record
        self._queues: dict[TopicPartition, deque[Batch]] = {}  # those that have something, `QUEUED_MAX` each
        self._requests: dict[int, asyncio.Task[None]] = {}  # by broker
        self._waiting: list[asyncio.Future[None]] = []  # for room
        self._soon: asyncio.Handle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._failed: LogUnavailableError | None = None

    async def start(self) -> None:
        """Connect and get an identity.

        Raises KafkaError when no broker answers or one refuses, LogUnavailableError for no identity in time.
        """
        await self._client.bootstrap()
        try:
            async with asyncio.timeout(self._timeout_s):
                while not await self._identified():  # noqa: ASYNC110 - it asks again, and waits for no event of ours
                    await asyncio.sleep(RETRY_SECONDS)
        except TimeoutError:
            raise LogUnavailableError(f"no identity for a producer within {self._timeout_s:g} s") from None

    async def _identified(self) -> bool:
        node = self._client.get_random_node()
        try:
            answer = await self._client.send(node, InitProducerIdRequest(None, int(self._timeout_s * 1000)))
        except KafkaError as failure:
            logger.warning("no identity for a producer yet: %s", failure)
            await self._client.force_metadata_update()
            return False
        error = for_code(answer.error_code)
        if error is not NoError:
            if not error.retriable:
                raise error
            logger.warning("no identity for a producer yet: %s", error.__name__)
            return False
        self._identity = (answer.producer_id, answer.producer_epoch)
        return True

    async def stop(self) -> None:
        """Wait for what is queued, and disconnect."""
        left = [batch.acked for queue in self._queues.values() for batch in queue]
        if left and self._failed is None:
            await asyncio.wait(left)
        for handle in (self._soon, self._limit):
            if handle is not None:
                handle.cancel()
        for task in self._requests.values():
            task.cancel()
        await asyncio.gather(*self._requests.values(), return_exceptions=True)
        await self._client.close()

    def append(self, topic: str, partition: int, value: bytes) -> asyncio.Future[int]:
        """Queue one record; its offset, or LogUnavailableError."""
        builder = self._builder()
        builder.append(0, None, None, value, [])
        return self._queue(self._place(topic, partition), builder, 1, 0)

    async def publish(self, topic: str, partition: int, records: Iterable[Keyed]) -> asyncio.Future[int]:
        """Queue records in order, waiting for room where they are many; the offset after the last, -1 for none."""
        place = self._place(topic, partition)
        builder, count, acked = self._builder(), 0, None
        for key, value in records:
            if builder.append(count, None, key, value, []) is None:  # full; the first always has room
                acked = self._queue(place, builder, count, count)
                await self._room(place)
                builder, count = self._builder(), 0
                builder.append(0, None, key, value, [])
            count += 1
        if count:
            acked = self._queue(place, builder, count, count)
        if acked is None:
            acked = self._loop.create_future()
            acked.set_result(-1)
        return acked

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, partition)

    def _builder(self) -> Any:
        return DefaultRecordBatchBuilder(MAGIC, NO_CODEC, 0, *self._identity, 0, client.BATCH_SIZE_BYTES)

    def _queue(self, place: TopicPartition, builder: Any, count: int, more: int) -> asyncio.Future[int]:
        if self._failed is not None:
            raise LogUnavailableError(*self._failed.args)
        sequence = self._sequences[place]
        self._sequences[place] = (sequence + count) & SEQUENCE_MASK
        builder.set_producer_state(*self._identity, sequence)
        batch = Batch(builder.build(), more, self._loop.create_future(), self._loop.time())
        self._queues.setdefault(place, deque()).append(batch)
        self._send_soon()
        if self._limit is None:
            self._limit = self._loop.call_at(batch.queued_s + self._timeout_s, self._look_for_late)
        return batch.acked

    async def _room(self, place: TopicPartition) -> None:
        """Wait until a batch more may be queued; a batch has taken a millisecond, so let others pass in any case."""
        await asyncio.sleep(0)
        while len(self._queues.get(place, ())) >= QUEUED_MAX:
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            await waiter

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send_soon(self) -> None:
        """What else is queued in this turn of the loop leaves in the same request."""
        if self._soon is None:
            self._soon = self._loop.call_soon(self._send)

    def _send(self) -> None:
        """A request to each broker that owes no answer, with the oldest batch of each partition it leads."""
        self._soon = None
        wanted: dict[int, list[TopicPartition]] = defaultdict(list)
        for place in self._queues:
            wanted[self._leader(place)].append(place)
        for node, places in wanted.items():
            if node not in self._requests:
                self._requests[node] = asyncio.ensure_future(self._deliver(node, places))

    def _leader(self, place: TopicPartition) -> int:
        """The broker that leads a partition; NOBODY also when nobody has said who."""
        node = self._client.cluster.leader_for_partition(place)
        return NOBODY if node is None else node

    async def _deliver(self, node: int, places: list[TopicPartition]) -> None:
        try:
            if not await self._delivered(node, places):
                self._client.force_metadata_update()
                await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            logger.exception("a fault in sending")
            self._fail("not understood")
        del self._requests[node]
        if self._queues:
            self._send_soon()

    async def _delivered(self, node: int, places: list[TopicPartition]) -> bool:
        """Send the oldest batch of each place; False when some must be sent again."""
        if node == NOBODY:
            for topic in {place.topic for place in places}:
                await self._client.add_topic(topic)
            return all(self._leader(place) != NOBODY for place in places)
        batches = {place: self._queues[place][0] for place in places if place in self._queues}  # others moved meanwhile
        if not batches:
            return True
        by_topic: dict[str, list[tuple[int, bytes | bytearray]]] = defaultdict(list)
        for place, batch in batches.items():
            by_topic[place.topic].append((place.partition, batch.content))
        try:
            answer = await self._client.send(node, Produce(int(self._timeout_s * 1000), list(by_topic.items())))
        except KafkaError as error:
            logger.warning("a write failed and is tried again: %s", error)
            return False
        for topic, partitions in answer.topics:
            for partition, code, offset, *_ in partitions:
                place = TopicPartition(topic, partition)
                if place in batches and self._settle(place, batches[place], for_code(code), offset):
                    del batches[place]
        return not batches

    def _settle(self, place: TopicPartition, batch: Batch, error: type[KafkaError], offset: int) -> bool:
        """Take in what became of a batch; False when it must be sent again."""
        queue = self._queues.get(place)
        if queue is None or queue[0] is not batch:
            return True  # all failed, or the partition moved and its next leader has answered before this one
        if error is NoError and offset >= 0:
            queue.popleft()
            if not queue:
                del self._queues[place]
            if not batch.acked.done():  # else whoever waited was told to stop
                batch.acked.set_result(offset + batch.more)
            self._let_in()
            return True
        if error is not NoError and error.retriable:
            logger.warning("a write to %s [%d] was refused and is tried again: %s", *place, error.__name__)
            return False
        self._fail("acknowledged without an offset" if error is NoError else f"refused: {error.__name__}")
        return True

    def _let_in(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    def _look_for_late(self) -> None:
        """The library tries again for ever; here the oldest batch that is queued says when it has been enough."""
        oldest_s = min((queue[0].queued_s for queue in self._queues.values()), default=None)
        self._limit = None
        if oldest_s is None:
            return
        if self._loop.time() >= oldest_s + self._timeout_s:
            self._fail(f"not acknowledged within {self._timeout_s:g} s")
        else:
            self._limit = self._loop.call_at(oldest_s + self._timeout_s, self._look_for_late)

    def _fail(self, why: str) -> None:
        """No write can follow one that failed."""
        self._failed = LogUnavailableError(f"a write was {why}")
        for queue in self._queues.values():
            for batch in queue:
                if not batch.acked.done():
                    batch.acked.set_exception(self._failed)
                    batch.acked.exception()  # it may be that nobody waits for this one
        self._queues.clear()
        self._let_in()
