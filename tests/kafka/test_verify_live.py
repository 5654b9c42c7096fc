"""Verification beside a worker at work, and what the command says and returns."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from stream.cli import EXIT_BROKEN, EXIT_FINDINGS, main
from stream.kafka.log import KafkaLog
from stream.settings import Settings
from stream.worker.verification import Range, kept_of, verify
from tests.kafka.worker import Worker, crew, feed, final_times, read_all, settle, story, told, until

pytestmark = pytest.mark.kafka
logger = logging.getLogger(__name__)

RATE = 1_500  # events a second: the worker is busy all the time, and verification has to share the processor
STARTS = ("latest", "first", "latest-1", "")  # again and again while events come


async def has_markers(settings: Settings, count: int) -> bool:
    """Whether every partition has so many."""
    return all(len(kept) >= count for kept in (await kept_of(settings, range(settings.partitions))).values())


async def verify_meanwhile(settings: Settings, feeding: asyncio.Task[None], worker: Worker) -> int:
    """Verify from everywhere while events come; returns how many changes were found equal beside a live worker."""
    equal = 0
    while not feeding.done():
        for start in STARTS:
            reports = await verify(settings, range(settings.partitions), chosen=Range(start))
            assert [str(report.difference) for report in reports if report.difference] == []
            equal += sum(report.changes for report in reports)
    assert worker.running
    return equal


def test_a_live_worker_is_verified_and_not_disturbed(settings: Settings, tmp_path: Path) -> None:
    """From every kind of start: no difference, nobody fenced, nothing claimed anew; then a forgery is found."""
    settings, sent = told(settings, partitions=2), story(seed=21, customers=60, days=200)

    async def run() -> None:
        async with crew(settings, tmp_path, "busy") as (log, [worker]):
            await worker.start()
            feeding = asyncio.create_task(feed(settings, sent, rate=RATE))
            await until(lambda: has_markers(settings, 3), "three markers", worker)
            equal = await verify_meanwhile(settings, feeding, worker)
            await settle(log, final_times(settings, sent), worker)
            assert await worker.metric("segstream_fenced_total") == 0
            assert log.claims == settings.partitions
            await worker.stop()
            reports = await verify(settings, range(settings.partitions), chosen=Range("oldest", settled=True))
            assert [str(report.difference) for report in reports if report.difference] == []
            logger.info("%d changes found equal beside a live worker", equal)

    asyncio.run(run())
    asyncio.run(forge(settings))
    said = ["--brokers", settings.brokers, "--prefix", settings.prefix, "--partitions", "2"]
    assert main(["verify", *said, "--from", "oldest", "--partition", "1"]) == EXIT_FINDINGS
    assert main(["verify", *said, "--from", "oldest", "--to", "0"]) == EXIT_BROKEN


async def forge(settings: Settings) -> None:
    """Publish a change of partition 1 a second time with other bytes."""
    last = [one for one in await read_all(settings, "segment-changes") if one.partition == 1][-1]
    log = KafkaLog(settings)
    await log.start()
    value = json.dumps({**json.loads(last.value or b"{}"), "segment": "forged"}).encode()
    await (await log.publish("segment-changes", 1, [(last.key, value)]))
    await log.stop()
