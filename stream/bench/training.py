"""Does training hold up events? One worker at a steady rate, with the trainer idle and at full rate in turn."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.features.catalogue import CLUSTER_FEATURES
from stream.bench import running
from stream.bench.latency import LAST_SECONDS, PERCENTILES, Seen, on_a_broker, quiet, read, stamped
from stream.bench.machine import facts
from stream.bench.stream_of_events import Load
from stream.clock import monotonic_s, wall_ms
from stream.codec.vectors import encode
from stream.errors import SegstreamError
from stream.kafka.bulk import BulkProducer
from stream.kafka.log import KafkaLog
from stream.worker.training import TOPIC

if TYPE_CHECKING:
    from pathlib import Path

    from models.clusters.snapshot import Snapshot
    from stream.bench.running import Tell
    from stream.kafka.bulk import BulkRecord
    from stream.settings import Settings

VECTORS_PER_SECOND = 6_000  # more than the trainer can learn in its share of a core: it is never idle
VECTORS_PER_SAMPLE = 1_000
DRAIN_SECONDS = 300.0  # for what is left when a phase ends: the next must find the trainer idle
LOOK_SECONDS = 0.5  # between two looks at how much was learned
PHASES = ("off", "on", "off", "on", "off", "on")  # in turn, so that the machine's other work falls on both
METRIC = "segstream_vectors_learned_total"


@dataclass(slots=True)
class Course:
    """The paced events, and where those of the present phase are noted."""

    load: Load
    seen: Seen = field(default_factory=Seen)

    def events(self) -> Iterator[BulkRecord]:
        """Each event stamped at the moment it is asked for."""
        for event_id, sent, event in stamped(self.load):
            self.seen.sent[event_id] = sent
            yield event


def run(cache: Path, rate: float, seconds: float, customers: int, tell: Tell) -> dict[str, object]:
    """Measure phases of so many seconds; the load has an event time of now and `clock` is live."""
    load = Load(int(rate * seconds) * len(PHASES), customers, start_ms=wall_ms())
    return on_a_broker(cache, load, rate, tell, _run)


async def _run(settings: Settings, load: Load, snapshot: Snapshot, rate: float, tell: Tell) -> dict[str, object]:
    child, address = running.worker(settings)
    log = KafkaLog(settings)
    await log.start()
    course, waits = Course(load), {"off": list[float](), "on": list[float]()}
    learned = 0.0
    try:
        with child:
            await running.applied(settings, child, load.warm_up)
            async with running.following(settings, "segment-changes") as follower:
                follower.seek(await follower.first_offsets())
                await quiet(follower, child)
                events = course.events()
                for number, phase in enumerate(PHASES):
                    tell(f"phase {number + 1} of {len(PHASES)}, training {phase}")
                    course.seen = Seen()
                    before = await _learned(address)
                    count = load.events // len(PHASES)
                    if phase == "on":
                        await _feed(log, snapshot.as_of_ms, number, int(count / rate * VECTORS_PER_SECOND))
                    reading = asyncio.ensure_future(read(follower, course.seen))
                    async with BulkProducer(settings) as producer:
                        await producer.run(itertools.islice(events, count), rate=rate)
                    learned += await _learned(address) - before
                    await asyncio.sleep(LAST_SECONDS)
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
                    waits[phase] += course.seen.arrived_ms
                    child.check()
                    await _drained(address)
            child.stop()
    finally:
        await log.stop()
    return _figures(waits, learned / (load.events / rate / 2))


async def _feed(log: KafkaLog, as_of_ms: int, offset: int, count: int) -> None:
    """Samples of customers for the trainer, as partitions would send them."""
    draw = np.random.default_rng(offset)
    values = []
    for part in range(count // VECTORS_PER_SAMPLE):
        vectors = np.abs(draw.normal(1.0, 1.0, (VECTORS_PER_SAMPLE, len(CLUSTER_FEATURES))))
        slots = np.arange(VECTORS_PER_SAMPLE, dtype=np.int64)
        values += encode(offset, offset * count + part, as_of_ms, vectors, np.ones((VECTORS_PER_SAMPLE, 3)), slots)
    await (await log.publish(TOPIC, 0, [(None, value) for value in values]))


async def _learned(address: str) -> float:
    return (await running.metrics(address)).get(METRIC, 0.0)


async def _drained(address: str) -> None:
    """Wait until nothing more is learned."""
    before, deadline_s = -1.0, monotonic_s() + DRAIN_SECONDS
    while (now := await _learned(address)) > before and monotonic_s() < deadline_s:
        before = now
        await asyncio.sleep(4 * LOOK_SECONDS)


def _figures(waits: dict[str, list[float]], vectors_per_s: float) -> dict[str, object]:
    if not all(waits.values()):
        raise SegstreamError("no change was seen", "give more seconds, or a higher rate")
    found: dict[str, object] = {}
    for phase, values in waits.items():
        for name, q in PERCENTILES.items():
            found[f"{name}_training_{phase}_ms"] = round(float(np.percentile(values, q)), 2)
    off, on = (float(np.percentile(waits[phase], PERCENTILES["p99"])) for phase in ("off", "on"))
    return {
        "p99_ratio": round(on / off, 3),
        **found,
        "vectors_per_s": round(vectors_per_s),
        "changes": sum(map(len, waits.values())),
        "machine": facts(),
    }
