"""The feed on a real broker: what it brings is what the library's own consumer brings."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from stream.codec.block import Record, joined
from stream.kafka import client, topic_admin
from stream.kafka.feed import Feed, Place
from stream.kafka.log import KafkaLog
from stream.kafka.topics import names
from stream.settings import Settings

pytestmark = pytest.mark.kafka

PLACE: Place = ("clicks", 1)
POLL_MS = 500


async def produce(settings: Settings) -> None:
    """Plain, compressed, empty and null records, a committed and an aborted transaction."""
    topic = names(settings).clicks
    for codec in (None, "gzip", "lz4", "zstd", "snappy"):
        producer = AIOKafkaProducer(bootstrap_servers=settings.brokers, compression_type=codec, linger_ms=20)
        await producer.start()
        values = [b"", None, *(f"{codec} {i}".encode() * 30 for i in range(40))]
        await asyncio.gather(*[await producer.send(topic, one, key=b"k", partition=1) for one in values])
        await producer.stop()
    upstream = client.transactional_producer(settings, "upstream")
    await upstream.start()
    for ending in (upstream.abort_transaction, upstream.commit_transaction):
        await upstream.begin_transaction()
        await upstream.send_and_wait(topic, ending.__name__.encode(), partition=1)
        await ending()
    await upstream.stop()


async def by_the_library(settings: Settings) -> tuple[list[Record], int]:
    """Everything as aiokafka's consumer reads it, and the end."""
    place = TopicPartition(names(settings).clicks, 1)
    reader = client.reader(settings, "read_committed")
    await reader.start()
    try:
        reader.assign([place])
        reader.seek(place, 0)
        end = (await reader.end_offsets([place]))[place]
        found: list[Record] = []
        while await reader.position(place) < end:
            records = (await reader.getmany(timeout_ms=POLL_MS)).get(place, [])
            found.extend(Record(one.offset, one.key, one.value, one.timestamp) for one in records)
    finally:
        await reader.stop()
    return found, end


async def by_the_feed(settings: Settings, start: int) -> list[Record]:
    """Everything from an offset on, until nothing remains."""
    feed = Feed(settings)
    await feed.start()
    found: list[Record] = []
    try:
        feed.assign({PLACE: start, ("clicks", 0): 0})
        async with asyncio.timeout(30):
            while feed.remaining(PLACE) != 0:
                for place, block in (await feed.poll(POLL_MS)).items():
                    assert place == PLACE
                    found += block.records()
    finally:
        await feed.stop()
    return found


async def poll_for_ever(feed: Feed) -> None:
    """Until it raises."""
    while True:
        await feed.poll(POLL_MS)


def test_the_feed_brings_what_the_library_brings(settings: Settings) -> None:
    """All codecs, nulls, control records, an aborted transaction; from the start and from the middle of a batch."""

    async def run() -> None:
        await topic_admin.create(settings)
        await produce(settings)
        wanted, end = await by_the_library(settings)
        assert [record.value for record in wanted if b"transaction" in (record.value or b"")] == [b"commit_transaction"]
        assert await by_the_feed(settings, 0) == wanted
        assert await by_the_feed(settings, 57) == [record for record in wanted if record.offset >= 57]
        log = KafkaLog(settings)
        await log.start()
        try:
            for start in range(0, end, 37):  # ranges one after the other, as a recovery asks
                blocks = [block async for block in log.blocks(*PLACE, start, min(start + 37, end))]
                assert list(joined(blocks).records()) == [one for one in wanted if start <= one.offset < start + 37]
        finally:
            await log.stop()

    asyncio.run(run())


def test_a_position_that_is_gone_is_an_error(settings: Settings) -> None:
    """Never a silent jump: what is missing would be missing from every answer."""

    async def run() -> None:
        await topic_admin.create(settings)
        feed = Feed(settings)
        await feed.start()
        try:
            feed.assign({PLACE: 1_000})
            async with asyncio.timeout(30):
                with pytest.raises(OffsetOutOfRangeError):
                    await poll_for_ever(feed)
        finally:
            await feed.stop()

    asyncio.run(run())


def test_a_paused_place_rests_and_a_new_assignment_begins_anew(settings: Settings) -> None:
    """What was on its way for the old assignment is dropped."""

    async def run() -> None:
        await topic_admin.create(settings)
        await produce(settings)
        feed = Feed(settings)
        await feed.start()
        try:
            feed.assign({PLACE: 0})
            feed.pause(PLACE, paused=True)
            assert await feed.poll(POLL_MS) == {}
            feed.pause(PLACE, paused=False)
            async with asyncio.timeout(30):
                while not await feed.poll(POLL_MS):
                    pass
                before = feed.generation
                feed.assign({PLACE: 3})
                found = await feed.poll(POLL_MS)
                while not found:
                    found = await feed.poll(POLL_MS)
            assert feed.generation == before + 1
            assert int(found[PLACE].index["offset"][0]) == 3
        finally:
            await feed.stop()

    asyncio.run(run())


def test_what_is_on_its_way_has_not_been_read(settings: Settings) -> None:
    """Of more than one fetch can bring, nothing is passed over: a position counts when its records are handed over."""

    async def run() -> None:
        await topic_admin.create(settings)
        producer = client.producer(settings)
        await producer.start()
        for i in range(30):
            await producer.send(names(settings).clicks, b"%d" % i * 60_000, partition=1)
        await producer.stop()
        found = await by_the_feed(settings, 0)
        assert [record.offset for record in found] == list(range(30))
        log = KafkaLog(settings)
        await log.start()
        try:
            blocks = [block async for block in log.blocks(*PLACE, 0, 30)]
            assert sum(len(block) for block in blocks) == 30
        finally:
            await log.stop()

    asyncio.run(run())


def test_an_assignment_between_asking_and_sending_is_no_error(settings: Settings) -> None:
    """A fetch that was asked for under the old assignment knows its own positions."""

    async def run() -> None:
        await topic_admin.create(settings)
        feed = Feed(settings)
        await feed.start()
        try:
            feed.assign({PLACE: 0})
            polling = asyncio.ensure_future(feed.poll(POLL_MS))
            await asyncio.sleep(0)  # it has asked, and nothing is sent yet
            feed.assign({})
            assert await polling == {}
        finally:
            await feed.stop()

    asyncio.run(run())
