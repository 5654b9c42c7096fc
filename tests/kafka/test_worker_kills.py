"""Workers killed at any moment, and more of them joining: nothing lost, nothing double, every copy the same."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path

import pytest

from stream.settings import Settings
from tests.kafka.agreement import everything_agrees
from tests.kafka.worker import Worker, crew, feed, final_times, settle, story, told, until

pytestmark = pytest.mark.kafka
logger = logging.getLogger(__name__)

CUSTOMERS = 150
RATE = 3_000  # events a second: slow enough to be hit in the middle


async def both_own(*workers: Worker) -> bool:
    """Whether each of them has live partitions."""
    return all([await worker.metric("segstream_partitions_owned") for worker in workers])


def test_two_sigkills_and_a_second_worker_lose_and_double_nothing(settings: Settings, tmp_path: Path) -> None:
    """Killed twice in mid-stream and restarted, then joined by a second one: all as if nothing had happened."""
    settings, sent = told(settings), story(seed=12, customers=CUSTOMERS)

    async def run() -> None:
        async with crew(settings, tmp_path, "first", "second") as (log, [first, second]):
            await first.start()
            parts = [sent[: len(sent) // 3], sent[len(sent) // 3 : 2 * len(sent) // 3], sent[2 * len(sent) // 3 :]]
            for part in parts[:2]:
                feeding = asyncio.create_task(feed(settings, part, rate=RATE))
                half = log.records + len(part) // 2
                await until(functools.partial(log.has_applied, half), "progress", first)
                first.kill()
                await asyncio.gather(first.start(), feeding)
            feeding = asyncio.create_task(feed(settings, parts[2], rate=RATE))
            await second.start()
            await until(lambda: both_own(first, second), "second owner", first, second)
            await feeding
            await until(lambda: log.has_adopted(2 * settings.partitions), "adopted model", first, second)
            await settle(log, final_times(settings, sent), first, second)
            await asyncio.gather(first.stop(), second.stop())
            changes, copies = await everything_agrees(settings, sent, log)
            logger.info("%d events, %d changes, %d copies, %d claims", len(sent), changes, copies, log.claims)

    asyncio.run(run())
