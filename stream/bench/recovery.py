"""How long a worker takes to come back: a checkpoint of many customers, a full debt after it, and a SIGKILL."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from stream.bench import running
from stream.bench.machine import facts
from stream.bench.population import Population
from stream.bench.stream_of_events import Load, records
from stream.clock import monotonic_s, wall_ms
from stream.codec import journal
from stream.errors import SegstreamError
from stream.kafka.broker import DevBroker
from stream.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from stream.bench.child import Child
    from stream.bench.running import Tell

GAP_MS = 1_000  # of event time between the past and the debt
NEVER = {"checkpoint_seconds": 86_400.0, "checkpoint_events": 10**9, "checkpoint_rows": 10**9}  # while the debt is made
LOOK_SECONDS = 0.02  # between two looks whether it is live
LIVE_SECONDS_MAX = 600.0  # a small machine with all customers of the world


def run(cache: Path, customers: int, debt: int | None, tell: Tell) -> dict[str, object]:
    """Measure from the claim to live, and from the start of the process to live.

    Parameters
    ----------
    debt : events in the journal after the checkpoint; None for as many as the settings allow.
    """
    tell("giving customers a past")
    population = Population(customers)
    tell("starting a broker")
    with DevBroker(cache) as broker:
        return asyncio.run(_run(broker.address, population, debt, tell))


async def _run(brokers: str, population: Population, debt: int | None, tell: Tell) -> dict[str, object]:
    settings = running.settings_of(brokers, "bench", clock="events", sample_interval_ms=10**15)
    events = settings.checkpoint_events * settings.partitions if debt is None else debt
    await running.prepare(settings, population.snapshot)
    tell(f"writing a checkpoint of {population.customers:,} customers")
    await population.checkpoint(settings)
    tell(f"making a debt of {events:,} events")
    load = Load(events, population.customers, start_ms=population.now_ms + GAP_MS)
    await running.send(settings, records(load, past=False))
    child, _ = running.worker(dataclasses.replace(settings, **NEVER))  # type: ignore[arg-type]  # as Settings has them
    with child:
        await running.applied(settings, child, events)
        child.kill()
    tell("recovering")
    started_ms = wall_ms()
    child, address = running.worker(settings)
    with child:
        live_ms = await live(child, address)
        claims = await claims_since(settings, started_ms)
        cpu_s = child.cpu_seconds(min(claims.values()), live_ms)
        figures = await running.metrics(address)
        child.stop()
    executed = int(figures["segstream_recovered_events_total"])
    if executed != events or int(figures["segstream_customers"]) < population.customers:
        raise SegstreamError(f"{executed} of {events} events were executed again", "report it: this is a fault")
    return {
        "customers": int(figures["segstream_customers"]),
        "seconds": round((live_ms - min(claims.values())) / 1000, 2),
        "events": executed,
        "cpu_seconds": None if cpu_s is None else round(cpu_s, 2),
        "start_to_live_seconds": round((live_ms - started_ms) / 1000, 2),
        "partitions": settings.partitions,
        "machine": facts(),
    }


async def live(child: Child, address: str) -> int:
    """When every partition that the group gave was live, in wall-clock milliseconds."""
    ready = address.removesuffix("/metrics") + "/readyz"
    deadline_s = monotonic_s() + LIVE_SECONDS_MAX
    while not await asyncio.to_thread(_is_ready, ready):
        child.check()
        if monotonic_s() > deadline_s:
            raise SegstreamError("the worker did not become ready", "run `segstream worker` and read its log")
        await asyncio.sleep(LOOK_SECONDS)
    return wall_ms()


def _is_ready(address: str) -> bool:
    try:
        with urlopen(address, timeout=running.READ_SECONDS) as answer:  # noqa: S310 - our own address
            return bool(answer.status)
    except (URLError, OSError):  # not listening yet, or 503: why not
        return False


async def claims_since(settings: Settings, since_ms: int) -> dict[int, int]:
    """When each partition was first claimed at or after a wall-clock time."""
    found: dict[int, int] = {}
    for partition, entry in await running.entries(settings):
        if isinstance(entry, journal.Claim) and entry.wall_ms >= since_ms:
            found.setdefault(partition, entry.wall_ms)
    return found
