"""The clients of `stream.kafka.client` against a real broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from stream.kafka import client, topic_admin
from stream.kafka.partitioner import partition_of
from stream.kafka.topics import names
from stream.settings import Settings

pytestmark = pytest.mark.kafka


async def values(settings: Settings, topic: str, partition: int) -> list[bytes | None]:
    """Return the committed values of a partition, oldest first."""
    reader = client.reader(settings, "read_committed")
    await reader.start()
    try:
        place = TopicPartition(topic, partition)
        reader.assign([place])
        reader.seek(place, 0)
        end = (await reader.end_offsets([place]))[place]
        found: list[bytes | None] = []
        while await reader.position(place) < end:
            found += [one.value for records in (await reader.getmany(timeout_ms=200)).values() for one in records]
        return found
    finally:
        await reader.stop()


def test_a_record_lands_where_the_partitioner_says(settings: Settings) -> None:
    """The driver's default and our rule are the same on a real topic."""

    async def run() -> int:
        await topic_admin.create(settings)
        producer = client.producer(settings)
        await producer.start()
        try:
            sent = await producer.send_and_wait(names(settings).clicks, b"x", key=b"c17850")
        finally:
            await producer.stop()
        return int(sent.partition)

    assert asyncio.run(run()) == partition_of("c17850", settings.partitions)


def test_a_three_megabyte_record_passes(settings: Settings) -> None:
    """Driver, broker and topic agree about the largest message."""

    async def run() -> list[bytes | None]:
        await topic_admin.create(settings)
        producer = client.producer(settings)
        await producer.start()
        try:
            await producer.send_and_wait(names(settings).state, bytes(3_000_000), partition=0)
        finally:
            await producer.stop()
        return await values(settings, names(settings).state, 0)

    assert [len(value or b"") for value in asyncio.run(run())] == [3_000_000]


def test_a_successor_fences_its_predecessor(settings: Settings) -> None:
    """Starting the transactional producer aborts what the old one left open, and the old one is refused."""

    async def run() -> list[bytes | None]:
        await topic_admin.create(settings)
        topic = names(settings).state
        old = client.transactional_producer(settings, "p0")
        new = client.transactional_producer(settings, "p0")
        await old.start()
        await old.begin_transaction()
        await old.send_and_wait(topic, b"old", partition=0)
        await new.start()
        with pytest.raises(ProducerFenced):
            await old.commit_transaction()
        async with new.transaction():
            await new.send_and_wait(topic, b"new", partition=0)
        await asyncio.gather(old.stop(), new.stop(), return_exceptions=True)
        return await values(settings, topic, 0)

    assert asyncio.run(run()) == [b"new"]
