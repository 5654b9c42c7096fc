"""SIGTERM at bad moments: a broker that froze, a recovery that has just begun, and SIGTERM again and again."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import pytest

from stream.clock import monotonic_s
from stream.kafka.broker import DevBroker
from stream.settings import Settings
from stream.worker.ending import EXIT_UNFINISHED
from tests.kafka.agreement import everything_agrees
from tests.kafka.worker import Worker, crew, feed, final_times, settle, story, told, until

pytestmark = pytest.mark.kafka
logger = logging.getLogger(__name__)

CUSTOMERS = 60
SHUTDOWN_SECONDS = 5.0
NOTICE_SECONDS = 3.0  # a loaded machine takes so long to end a process and to see that it has ended


async def has_begun(worker: Worker) -> bool:
    """Whether the group has given it partitions."""
    return re.search(r"assigned partitions \[\d", worker.log) is not None


async def asked_twice(worker: Worker) -> float:
    """SIGTERM, and again; returns the seconds until it had gone."""
    begun_s = monotonic_s()
    worker.terminate()
    await worker.stop(EXIT_UNFINISHED)
    return monotonic_s() - begun_s


def test_sigterm_ends_in_time_whatever_happens(settings: Settings, broker: DevBroker, tmp_path: Path) -> None:
    """Frozen broker: code 4 in time. In a recovery: in time. Then a worker goes on, and nothing is lost or double."""
    settings = told(settings, shutdown_seconds=SHUTDOWN_SECONDS, checkpoint_seconds=600.0)
    sent = story(seed=21, customers=CUSTOMERS, days=120)

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            await feed(settings, sent[: len(sent) // 2])
            await until(lambda: log.has_applied(len(sent) // 2), "progress", worker)
            broker.pause()
            try:
                frozen_s = await asked_twice(worker)
            finally:
                broker.resume()
            assert worker.exit_code == EXIT_UNFINISHED
            worker.launch()
            await until(lambda: has_begun(worker), "assignment", worker)
            recovering_s = await asked_twice(worker)
            logger.info("ended in %.1f s (frozen) and %.1f s (recovering)", frozen_s, recovering_s)
            assert max(frozen_s, recovering_s) < SHUTDOWN_SECONDS + NOTICE_SECONDS
            await worker.start()
            await feed(settings, sent[len(sent) // 2 :])
            await settle(log, final_times(settings, sent), worker)
            await worker.stop()
            await everything_agrees(settings, sent, log)

    asyncio.run(run())
