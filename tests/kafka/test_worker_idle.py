"""Real workers on inputs that upstream writes in transactions, and that outlive every record of theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from stream.codec import plain_json
from stream.kafka import client
from stream.kafka.partitioner import partition_of
from stream.kafka.topics import names
from stream.settings import Settings
from tests.kafka.worker import crew, ends_of, told, until

pytestmark = pytest.mark.kafka

CLICKS = [
    {"event_id": f"e{i}", "customer_id": f"c{i % 5}", "ts": 1_700_000_000_000 + i, "action": "view"} for i in range(10)
]


async def _send(settings: Settings) -> None:
    """The clicks in a transaction that is aborted, and once more in one that is committed."""
    producer = client.transactional_producer(settings, "upstream")
    await producer.start()
    for ending in (producer.abort_transaction, producer.commit_transaction):
        await producer.begin_transaction()
        for click in CLICKS:
            customer = str(click["customer_id"])
            place = partition_of(customer, settings.partitions)
            await producer.send(names(settings).clicks, plain_json.encode(click), customer.encode(), place)
        await producer.flush()
        await ending()
    await producer.stop()


async def _outlive(settings: Settings) -> None:
    """Delete every click, as retention does with a topic that nothing comes to."""
    admin = client.admin(settings)
    await admin.start()
    ends = await ends_of(settings, "clicks")
    topic = names(settings).clicks
    await admin.delete_records({TopicPartition(topic, n): RecordsToDelete(end) for n, end in ends.items()})
    await admin.close()


def test_inputs_may_outlive_their_last_transaction(settings: Settings, tmp_path: Path) -> None:
    """Nobody misses what was no record: not a live worker when partitions move, and not one that starts anew."""
    settings = told(settings)

    async def run() -> None:
        async with crew(settings, tmp_path, "first", "second") as (log, [first, second]):
            await first.start()
            await _send(settings)
            await until(lambda: log.has_applied(len(CLICKS)), "applied clicks", first)
            await _outlive(settings)
            await second.start()  # partitions move, and the first asks for those that it keeps anew
            await first.stop()
            await second.stop()
            await log.read()
            for partition, end in (await ends_of(settings, "clicks")).items():
                assert log.positions_of(partition).get(0, end) == end
            await first.start()
            await first.stop()
            assert log.records == len(CLICKS)

    asyncio.run(run())
