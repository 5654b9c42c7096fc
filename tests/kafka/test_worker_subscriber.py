"""Subscribers of a real worker: however late, interrupted or repeated they read, they end with the same memberships."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stream.kafka.bulk import BulkProducer
from stream.settings import Settings
from stream.subscriber import Subscriber
from tests.kafka.agreement import Memberships, agree, memberships_of_topic
from tests.kafka.worker import crew, feed, final_times, read_all, settle, story, told, until

pytestmark = pytest.mark.kafka

CUSTOMERS = 60
WAIT_MS = 300  # longer than a fetch waits: nothing more has come
COPIES = 200  # changes published again, as a superseded owner may


async def read_to_the_end(subscriber: Subscriber) -> Memberships:
    """Everything there is; the subscriber's view of everybody."""
    await subscriber.catch_up()
    return {name: subscriber.segments(name) for name in subscriber.view.customers()}


async def repeat_changes(settings: Settings) -> None:
    """Publish the newest changes a second time, as they are."""
    records = (await read_all(settings, "segment-changes"))[-COPIES:]
    async with BulkProducer(settings) as producer:
        await producer.run([("segment-changes", r.key or b"", r.value or b"") for r in records])


def test_late_killed_and_repeated_readers_end_alike(settings: Settings, tmp_path: Path) -> None:
    """One reads all along, one is started again in the middle among copies, one comes at the end: the same view."""
    settings, sent = told(settings), story(seed=14, customers=CUSTOMERS)
    half = len(sent) // 2

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]), Subscriber(settings) as faithful:
            await worker.start()
            await feed(settings, sent[:half])
            await until(lambda: log.has_applied(half // 2), "progress", worker)
            worker.kill()
            async with Subscriber(settings) as interrupted:  # the last it sees is what a dead worker left
                await interrupted.poll(WAIT_MS)
            await worker.start()
            await until(lambda: log.has_applied(half), "progress", worker)
            await repeat_changes(settings)
            await feed(settings, sent[half:])
            async with Subscriber(settings) as restarted:
                await settle(log, final_times(settings, sent), worker)
                await worker.stop()
                views = [await read_to_the_end(restarted), await read_to_the_end(faithful)]
            async with Subscriber(settings) as late:
                views.append(await read_to_the_end(late))
            memberships = await memberships_of_topic(settings)
            assert len(memberships) == len({payload["customer_id"] for _, payload in sent})
            for view in views:
                agree(view, memberships)
            assert faithful.view.duplicate_count >= COPIES
            assert faithful.view.applied_count > late.view.applied_count

    asyncio.run(run())
