"""A second worker joins while events come: some partitions move with their rows, the others go on untouched."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from stream.bench import running
from stream.codec import journal
from stream.settings import Settings
from tests.kafka.agreement import everything_agrees
from tests.kafka.worker import Worker, crew, feed, final_times, settle, story, told, until

pytestmark = pytest.mark.kafka

CUSTOMERS = 120
RATE = 1_500  # events a second: every partition has something to do all the time


async def share(one: Worker, other: Worker, partitions: int) -> bool:
    """Whether both have live partitions, and together all."""
    owned = [await worker.metric("segstream_partitions_owned") for worker in (one, other)]
    return all(owned) and sum(owned) == partitions


def test_adding_a_worker_moves_some_partitions_and_leaves_the_others_alone(settings: Settings, tmp_path: Path) -> None:
    """Who keeps a partition keeps its rows: no second claim. Who takes one recovers it. Nothing is lost or double."""
    settings, sent = told(settings), story(seed=23, customers=CUSTOMERS, days=130)

    async def run() -> None:
        async with crew(settings, tmp_path, "first", "second") as (log, [first, second]):
            await first.start()
            half = len(sent) // 2
            feeding = asyncio.create_task(feed(settings, sent[:half], rate=RATE))
            await until(lambda: log.has_applied(len(sent) // 8), "progress", first)
            await second.start()
            await until(lambda: share(first, second, settings.partitions), "second owner", first, second)
            await feeding
            await feed(settings, sent[half:], rate=RATE)
            await settle(log, final_times(settings, sent), first, second)
            claims = await claims_of(settings)
            assert await first.metric("segstream_claims_total") == settings.partitions
            assert await second.metric("segstream_claims_total") == sum(len(workers) - 1 for workers in claims.values())
            await asyncio.gather(first.stop(), second.stop())
            kept = [workers for workers in claims.values() if len(workers) == 1]
            moved = [workers for workers in claims.values() if len(workers) == 2]
            assert kept
            assert moved
            assert len(kept) + len(moved) == settings.partitions
            assert len({workers[0] for workers in claims.values()}) == 1  # the first had them all
            assert len({workers[1] for workers in moved}) == 1
            await everything_agrees(settings, sent, log)

    asyncio.run(run())


async def claims_of(settings: Settings) -> dict[int, list[str]]:
    """Who claimed each partition, in order."""
    found: dict[int, list[str]] = defaultdict(list)
    for partition, entry in await running.entries(settings):
        if isinstance(entry, journal.Claim):
            found[partition].append(entry.worker)
    return found
