"""The memory of a worker with many customers: a real process that recovers them, applies events and checkpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from models.customers.row import ROW
from stream.bench import running
from stream.bench.machine import facts
from stream.bench.population import Population
from stream.bench.recovery import GAP_MS, live
from stream.bench.stream_of_events import Load, records
from stream.kafka.broker import DevBroker

if TYPE_CHECKING:
    from pathlib import Path

    from stream.bench.running import Tell

EVENTS = 3_000_000  # a quarter of a minute at full rate: every partition checkpoints while others come
CHECKPOINT_SECONDS = 3.0  # so that one is under way all the time
MB = 2**20


def run(cache: Path, customers: int, tell: Tell) -> dict[str, object]:
    """Measure the resident memory of a worker process at its peak, and what it is made of."""
    tell("giving customers a past")
    population = Population(customers)
    tell("starting a broker")
    with DevBroker(cache) as broker:
        return asyncio.run(_run(broker.address, population, tell))


async def _run(brokers: str, population: Population, tell: Tell) -> dict[str, object]:
    empty = running.settings_of(brokers, "bench-empty", prefix="empty.", clock="events")
    await running.prepare(empty, population.snapshot)
    tell("measuring a worker without customers")
    child, address = running.worker(empty)
    with child:  # the first start may compile: only a second one is like any other
        await live(child, address)
        child.stop()
    child, address = running.worker(empty)
    with child:
        await live(child, address)
        base = child.memory_bytes("VmHWM")
        child.stop()
    settings = running.settings_of(brokers, "bench", clock="events", checkpoint_seconds=CHECKPOINT_SECONDS)
    await running.prepare(settings, population.snapshot)
    tell(f"writing a checkpoint of {population.customers:,} customers")
    await population.checkpoint(settings)
    load = Load(EVENTS, population.customers, start_ms=population.now_ms + GAP_MS)
    child, address = running.worker(settings)
    with child:
        tell("recovering")
        await live(child, address)
        recovered, at_rest = child.memory_bytes("VmHWM"), child.memory_bytes("VmRSS")
        tell(f"applying {EVENTS:,} events")
        await running.send(settings, records(load, past=False))
        await running.applied(settings, child, EVENTS)
        figures = await running.metrics(address)
        child.stop()
        peak = child.memory_bytes("VmHWM")
    return {
        "customers": int(figures["segstream_customers"]),
        "rss_mb": round(peak / MB),
        "base_mb": round(base / MB),
        "recovered_mb": round(recovered / MB),
        "at_rest_mb": round(at_rest / MB),
        "bytes_per_customer": round((peak - base) / population.customers),
        "row_bytes": ROW.itemsize,
        "checkpoints": int(figures["segstream_checkpoints_total"]),
        "checkpoint_rows": int(figures["segstream_checkpoint_rows_total"]),
        "partitions": settings.partitions,
        "machine": facts(),
    }
