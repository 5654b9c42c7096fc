"""Throughput and cost of an event against workers and customers, and what adding a worker pauses.

Each point: a broker of its own, a checkpoint of the customers, workers that are live, then all events visible at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stream.bench import running
from stream.bench.machine import facts
from stream.bench.population import Population
from stream.bench.stream_of_events import Load, records
from stream.clock import monotonic_s, wall_ms
from stream.codec import journal
from stream.errors import SegstreamError
from stream.kafka.broker import DevBroker
from stream.kafka.bulk import BulkProducer

if TYPE_CHECKING:
    from pathlib import Path

    from stream.bench.child import Child
    from stream.bench.running import Tell
    from stream.settings import Settings

WORKERS = (1, 2)
CUSTOMERS = (10_000, 100_000, 1_000_000)
PAUSE_CUSTOMERS = 100_000  # whose partitions move when a worker is added
PAUSE_RATE = 1_000.0  # events a second meanwhile: every partition has something to do all the time
PAUSE_BEFORE_SECONDS, PAUSE_AFTER_SECONDS = 5.0, 10.0  # of steady work around the joining
GAP_MS = 1_000  # of event time between the customers' past and the events
LOOK_SECONDS = 0.1  # between two looks at the workers
JOIN_SECONDS_MAX = 120.0  # for all workers to have live partitions


def run(cache: Path, events: int, sizes: Sequence[int], tell: Tell) -> dict[str, object]:
    """Measure every point and the pause; one after the other, each from nothing.

    Parameters
    ----------
    sizes : numbers of customers.
    """
    points = []
    for customers in sizes:
        tell(f"giving {customers:,} customers a past")
        population = Population(customers)
        for workers in WORKERS:
            tell(f"{customers:,} customers, {workers} workers, {events:,} events")
            with DevBroker(cache) as broker:
                points.append(asyncio.run(_point(_settings(broker.address), population, workers, events)))
    tell("adding a worker")
    with DevBroker(cache) as broker:
        pause = asyncio.run(_pause(_settings(broker.address), Population(min(PAUSE_CUSTOMERS, max(sizes)))))
    costs = [point["cpu_us_per_event"] for point in points if point["cpu_us_per_event"] is not None]
    return {
        "points": points,
        "cpu_ratio": round(max(costs) / min(costs), 2) if costs else None,
        "pause": pause,
        "machine": facts(),
    }


def _settings(brokers: str) -> Settings:
    """As shipped, but only events move time and nothing is sampled: training has its own share of a core."""
    return running.settings_of(brokers, "bench", clock="events", sample_interval_ms=10**15)


async def _point(settings: Settings, population: Population, workers: int, events: int) -> dict[str, Any]:
    await running.prepare(settings, population.snapshot)
    await population.checkpoint(settings)
    with contextlib.ExitStack() as stack:
        crew = [running.worker(settings) for _ in range(workers)]
        for child, _ in crew:
            stack.enter_context(child)
        await _all_live(settings, crew)
        load = Load(events, population.customers, start_ms=population.now_ms + GAP_MS)
        await running.send(settings, records(load, past=False), at_once=True)
        batches = await running.applied(settings, crew[0][0], events)
        figures = [await running.metrics(address) for _, address in crew]
        for child, _ in crew:
            child.stop()
    first, last = batches[0], batches[-1]
    count = sum(batch.events for batch in batches[:-1])  # the last one is about to be executed
    spent = [child.cpu_seconds(first.wall_ms, last.wall_ms) for child, _ in crew]
    cpu_s = None if None in spent else sum(one for one in spent if one is not None)
    return {
        "workers": workers,
        "customers": population.customers,
        "events": count,
        "events_per_s": round(count * 1000 / max(last.wall_ms - first.wall_ms, 1)),
        "cpu_us_per_event": None if cpu_s is None else round(cpu_s * 1e6 / count, 2),
        "changes_per_event": round(sum(one.get("segstream_changes_total", 0) for one in figures) / events, 3),
        "checkpoints": round(sum(one.get("segstream_checkpoints_total", 0) for one in figures)),
        "rows_checkpointed": round(sum(one.get("segstream_checkpoint_rows_total", 0) for one in figures)),
    }


async def _all_live(settings: Settings, crew: Sequence[tuple[Child, str]]) -> None:
    """Every worker has partitions, and each of them is live."""
    deadline_s = monotonic_s() + JOIN_SECONDS_MAX
    while True:
        owned = [await _owned(address) for _, address in crew]
        if all(owned) and sum(owned) == settings.partitions:
            return
        for child, _ in crew:
            child.check()
        if monotonic_s() > deadline_s:
            raise SegstreamError(f"the workers own {owned} partitions", "run `segstream worker` and read its log")
        await asyncio.sleep(LOOK_SECONDS)


async def _owned(address: str) -> float:
    try:
        return (await running.metrics(address)).get("segstream_partitions_owned", 0.0)
    except OSError:  # not listening yet
        return 0.0


async def _pause(settings: Settings, population: Population) -> dict[str, Any]:
    """A second worker joins while events come at a steady rate: the longest silence of each partition's journal."""
    await running.prepare(settings, population.snapshot)
    await population.checkpoint(settings)
    old, new = running.worker(settings), running.worker(settings)
    with old[0]:
        await _all_live(settings, [old])
        load = Load(10**7, population.customers, start_ms=population.now_ms + GAP_MS)
        async with BulkProducer(settings) as producer:
            sending = asyncio.ensure_future(producer.run(records(load, past=False), rate=PAUSE_RATE))
            await asyncio.sleep(PAUSE_BEFORE_SECONDS)
            joined_ms = wall_ms()
            with new[0]:
                await _all_live(settings, [old, new])
                await asyncio.sleep(PAUSE_AFTER_SECONDS)
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                until_ms = wall_ms()
                found = await running.entries(settings)
                for child, _ in (old, new):
                    child.stop()
    return pauses(found, joined_ms - round(PAUSE_BEFORE_SECONDS * 500), until_ms) | {
        "customers": population.customers,
        "events_per_s": PAUSE_RATE,
    }


def pauses(entries: Sequence[tuple[int, journal.Entry]], since_ms: int, until_ms: int) -> dict[str, Any]:
    """The longest time without an applied batch, in seconds: of partitions claimed meanwhile, and of the others."""
    applied: dict[int, list[int]] = defaultdict(lambda: [since_ms])
    moved = set()
    for partition, entry in entries:
        if isinstance(entry, journal.Claim) and entry.wall_ms >= since_ms:
            moved.add(partition)
        elif isinstance(entry, journal.Batch) and since_ms <= entry.wall_ms < until_ms:
            applied[partition].append(entry.wall_ms)
    longest = {
        partition: max(b - a for a, b in zip(times, [*times[1:], until_ms], strict=True)) / 1000
        for partition, times in applied.items()
    }
    return {
        "moved_partitions": len(moved),
        "moved_seconds": round(max((longest[one] for one in longest if one in moved), default=0.0), 2),
        "kept_partitions": len(longest) - len(moved & set(longest)),
        "kept_seconds": round(max((longest[one] for one in longest if one not in moved), default=0.0), 2),
    }
