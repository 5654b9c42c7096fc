"""The producer over a broker in memory that refuses, breaks off and doubles: what it acknowledged lies there once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, NotLeaderForPartitionError
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka import producer as p
from stream.kafka.producer import Producer
from stream.kafka.wire import Produce, Produced
from stream.settings import Settings
from stream.worker.log import LogUnavailableError

TURNS_SECONDS_MAX = 20.0  # nothing here waits for time: longer is for ever
OK, REFUSED, LOST, UNHEARD, FATAL = "ok", "refused", "lost", "unheard", "fatal"


class Broker:
    """One broker that leads everything, as `AIOKafkaClient` shows it. `script` is what befalls the next requests."""

    def __init__(self, script: list[str]) -> None:
        self.script = script
        self.logs: dict[TopicPartition, list[bytes]] = defaultdict(list)
        self.next: dict[TopicPartition, int] = defaultdict(int)  # sequence
        self.last: dict[TopicPartition, tuple[int, int]] = {}  # sequence and offset of the newest batch
        self.sizes: list[int] = []  # batches in each request
        self.topics: set[str] = set()
        self.cluster = self

    async def bootstrap(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    def get_random_node(self) -> int:
        """The one broker."""
        return 0

    def leader_for_partition(self, place: TopicPartition) -> int | None:
        """Known once the topic is followed."""
        return 0 if place.topic in self.topics else None

    async def add_topic(self, topic: str) -> None:
        """Follow a topic."""
        self.topics.add(topic)

    def force_metadata_update(self) -> asyncio.Future[None]:
        """Ask again who leads."""
        known = asyncio.get_running_loop().create_future()
        known.set_result(None)
        return known

    async def send(self, _node: int, request: Any) -> Any:
        """Take a request, with what the script says."""
        await asyncio.sleep(0)
        if not isinstance(request, Produce):
            return SimpleNamespace(error_code=0, producer_id=7, producer_epoch=0)
        fate = self.script.pop(0) if self.script else OK
        self.sizes.append(sum(len(batches) for _, batches in request._topics))
        if fate == LOST:
            raise KafkaConnectionError
        topics = [
            (
                topic,
                [(number, *self._take(TopicPartition(topic, number), batch, fate), 0, 0) for number, batch in batches],
            )
            for topic, batches in request._topics
        ]
        if fate == UNHEARD:
            raise KafkaConnectionError
        return Produced(topics)

    def _take(self, place: TopicPartition, content: bytes | bytearray, fate: str) -> tuple[int, int]:
        """(error, offset) of a batch; one that came before is known by its sequence."""
        if fate in {REFUSED, FATAL}:
            return (NotLeaderForPartitionError if fate == REFUSED else MessageSizeTooLargeError).errno, -1
        sequence = int.from_bytes(content[53:57], "big")
        if place in self.last and self.last[place][0] == sequence:
            return 0, self.last[place][1]
        assert sequence == self.next[place]
        batch = MemoryRecords(bytes(content)).next_batch()
        assert batch is not None
        values = [record.value for record in batch]
        self.last[place] = sequence, len(self.logs[place])
        self.logs[place] += values
        self.next[place] += len(values)
        return 0, self.last[place][1]


class Moving(Broker):
    """Two brokers with the same logs; the first may leave a request unanswered and lose its leadership meanwhile."""

    def __init__(self) -> None:
        super().__init__([])
        self.leader = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.taken = asyncio.Event()

    def leader_for_partition(self, place: TopicPartition) -> int | None:
        """Whoever leads now."""
        return None if super().leader_for_partition(place) is None else self.leader

    async def send(self, node: int, request: Any) -> Any:
        """What the first took is replicated before it answers."""
        answer = await super().send(node, request)
        if node == 0 and not self.answers.is_set():
            self.taken.set()
            await self.answers.wait()
        return answer


def started(broker: Broker, seconds: float = 30.0) -> Producer:
    """A producer on it; call in a running loop."""
    return Producer(Settings(ack_timeout_seconds=seconds), lambda *_: broker)


@given(st.lists(st.sampled_from((OK, REFUSED, LOST, UNHEARD)), max_size=6), st.lists(st.integers(0, 3), max_size=12))
def test_what_is_acknowledged_lies_there_once_and_in_order(script: list[str], partitions: list[int]) -> None:
    """Whatever befalls the requests: every offset is that of its record."""

    async def run() -> None:
        broker = Broker(list(script))
        producer = started(broker)
        await producer.start()
        sent = []
        for number, partition in enumerate(partitions):
            value = str(number).encode()
            if number % 2:
                sent.append((partition, value, producer.append("t", partition, value), 0))
            else:
                sent.append((partition, value, await producer.publish("t", partition, [(b"k", value)]), 1))
        for partition, value, acked, more in sent:
            assert broker.logs[TopicPartition("t", partition)][await acked - more] == value
        await producer.stop()
        assert sum(map(len, broker.logs.values())) == len(sent)

    before, p.RETRY_SECONDS = p.RETRY_SECONDS, 0.0
    try:
        asyncio.run(run())
    finally:
        p.RETRY_SECONDS = before


def test_what_is_queued_together_leaves_together() -> None:
    """Four partitions in one turn of the loop are one request; what comes meanwhile is the next."""

    async def run() -> list[int]:
        broker = Broker([])
        producer = started(broker)
        await producer.start()
        await producer.append("t", 0, b"")  # the topic's leaders are asked for
        first = [producer.append("t", partition, b"") for partition in range(4)]
        await asyncio.sleep(0)
        later = [producer.append("t", partition, b"") for partition in range(2)]
        await asyncio.gather(*first, *later)
        await producer.stop()
        return broker.sizes

    assert asyncio.run(run()) == [1, 4, 2]


def test_a_leader_that_moves_under_a_request_costs_no_write() -> None:
    """The next leader is asked again before the first has answered; the late answer settles nothing a second time."""

    async def run() -> tuple[list[int], list[bytes]]:
        broker = Moving()
        producer = started(broker)
        await producer.start()
        offsets = [await producer.append("t", 0, b"0")]
        broker.answers.clear()
        slow = producer.append("t", 0, b"1")
        await broker.taken.wait()
        broker.leader = 1
        next_one = producer.append("t", 0, b"2")
        offsets.append(await slow)
        broker.answers.set()
        offsets.append(await next_one)
        offsets.append(await producer.append("t", 0, b"3"))
        await producer.stop()
        return offsets, broker.logs[TopicPartition("t", 0)]

    found = asyncio.run(asyncio.wait_for(run(), TURNS_SECONDS_MAX))
    assert found == ([0, 1, 2, 3], [b"0", b"1", b"2", b"3"])


def test_many_records_wait_for_room_and_keep_their_order() -> None:
    """More than a partition's queue may hold is taken as it empties."""
    records = [(None, bytes([n]) * 300_000) for n in range(40)]

    async def run() -> tuple[list[bytes], int]:
        broker = Broker([])
        producer = started(broker)
        await producer.start()
        end = await (await producer.publish("t", 0, records))
        await producer.stop()
        return broker.logs[TopicPartition("t", 0)], end

    logged, end = asyncio.run(run())
    assert (logged, end) == ([value for _, value in records], len(records))


@pytest.mark.parametrize(("script", "seconds"), [([FATAL], 30.0), ([REFUSED] * 9, 0.2)])
def test_what_cannot_be_written_ends_the_producer(script: list[str], seconds: float) -> None:
    """An error that does not pass, or too long without an acknowledgement: nothing may follow."""

    async def run() -> None:
        producer = started(Broker(script), seconds)
        await producer.start()
        with pytest.raises(LogUnavailableError):
            await producer.append("t", 0, b"")
        with pytest.raises(LogUnavailableError):
            producer.append("t", 1, b"")
        await producer.stop()

    asyncio.run(run())


def test_nothing_to_publish_is_published_at_once() -> None:
    """The end of nothing is -1."""

    async def run() -> int:
        producer = started(Broker([]))
        return await (await producer.publish("t", 0, []))

    assert asyncio.run(run()) == -1
