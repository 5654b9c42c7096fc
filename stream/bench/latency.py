"""From an event's sending to its change: paced events, and a reader of segment-changes beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stream.bench import running
from stream.bench.machine import facts
from stream.bench.rehearsal import snapshot_of
from stream.bench.stream_of_events import Load, draws, record, records
from stream.clock import monotonic_s, wall_ms
from stream.codec import plain_json
from stream.errors import SegstreamError
from stream.kafka.broker import DevBroker
from stream.kafka.bulk import BulkProducer

if TYPE_CHECKING:
    from pathlib import Path

    from models.clusters.snapshot import Snapshot
    from stream.bench.child import Child
    from stream.bench.running import Tell
    from stream.kafka.bulk import BulkRecord
    from stream.kafka.follow import Follower
    from stream.settings import Settings

    Measure = Callable[[Settings, Load, Snapshot, float, Tell], Coroutine[Any, Any, dict[str, object]]]

POLL_MS = 50  # of the reader of changes: an answer comes at once when there is a change
QUIET_SECONDS = 2.0  # without a change: the warm-up and its silences are over
QUIET_SECONDS_MAX = 60.0  # by then they must be
LAST_SECONDS = 2.0  # for the changes of the last events
SETTLE_SECONDS = 2.0  # of the paced events, not counted: connections and caches warm up
CHECKPOINTS = "segstream_checkpoints_total"
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0}


Sent = tuple[float, int]
"""When an event was sent: monotonic seconds, wall-clock milliseconds."""


@dataclass(slots=True)
class Seen:
    """When events were sent, and how long their changes took."""

    sent: dict[str, Sent] = field(default_factory=dict)  # by event id
    arrived_ms: list[float] = field(default_factory=list)  # until the change was read here: an upper bound
    written_ms: list[float] = field(default_factory=list)  # until the worker sent it: a lower bound


def run(
    cache: Path, rate: float, seconds: float, customers: int, tell: Tell, checkpoint_seconds: float
) -> dict[str, object]:
    """Measure one worker at a steady rate; the load has an event time of now and `clock` is live."""
    load = Load(int(rate * seconds), customers, start_ms=wall_ms())
    return on_a_broker(cache, load, rate, tell, _run, checkpoint_seconds=checkpoint_seconds)


def on_a_broker(
    cache: Path, load: Load, rate: float, tell: Tell, measure: Measure, **more: object
) -> dict[str, object]:
    """Learn a model for the load, start a broker, send the past, and measure; `more` are settings."""
    tell("learning a model")
    snapshot = snapshot_of(load)
    tell("starting a broker")
    with DevBroker(cache) as broker:
        settings = running.settings_of(broker.address, "bench", **more)
        return asyncio.run(_after_the_past(settings, load, snapshot, rate, tell, measure))


async def _after_the_past(
    settings: Settings, load: Load, snapshot: Snapshot, rate: float, tell: Tell, measure: Measure
) -> dict[str, object]:
    past = Load(0, load.customers, load.seed, wall_ms())
    await running.prepare(settings, snapshot)
    await running.send(settings, records(past))
    tell("starting a worker")
    return await measure(settings, load, snapshot, rate, tell)


async def _run(settings: Settings, load: Load, _snapshot: Snapshot, rate: float, tell: Tell) -> dict[str, object]:
    child, address = running.worker(settings)
    with child:
        await running.applied(settings, child, load.warm_up)
        async with running.following(settings, "segment-changes") as follower:
            follower.seek(await follower.first_offsets())
            await quiet(follower, child)
            tell(f"{load.events:,} events at {rate:g} a second")
            seen = Seen()
            before, begin_ms = await running.metrics(address), wall_ms()
            reading = asyncio.ensure_future(read(follower, seen))
            async with BulkProducer(settings) as producer:
                count = await producer.run(_paced(load, seen), rate=rate)
            end_ms = wall_ms()
            cpu_s = child.cpu_seconds(begin_ms, end_ms)
            after = await running.metrics(address)
            await asyncio.sleep(LAST_SECONDS)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        child.check()
        child.stop()
    checkpoints = int(after[CHECKPOINTS] - before[CHECKPOINTS])
    return {**_figures(seen, count, (end_ms - begin_ms) / 1000, cpu_s), "checkpoints": checkpoints}


def _figures(seen: Seen, count: int, seconds: float, cpu_s: float | None) -> dict[str, object]:
    if not seen.arrived_ms:
        raise SegstreamError("no change was seen", "give more seconds, or a higher rate")
    upper = {f"{name}_ms": round(float(np.percentile(seen.arrived_ms, q)), 2) for name, q in PERCENTILES.items()}
    lower = {f"sent_{name}_ms": round(float(np.percentile(seen.written_ms, q)), 2) for name, q in PERCENTILES.items()}
    return {
        "events_per_s": round(count / seconds),
        **upper,
        **lower,
        "changes": len(seen.arrived_ms),
        "core_share": None if cpu_s is None else round(cpu_s / seconds, 3),
        "machine": facts(),
    }


def stamped(load: Load) -> Iterator[tuple[str, Sent, BulkRecord]]:
    """The measured events with their ids, each stamped at the moment it is asked for."""
    for part in draws(load):
        columns = (part.customer.tolist(), part.kind.tolist(), part.action.tolist(), part.amount_minor.tolist())
        for number, (customer, kind, action, amount) in enumerate(zip(*columns, strict=True), part.first):
            if number >= load.warm_up:
                sent = monotonic_s(), wall_ms()
                yield f"e{number:09d}", sent, record(number, customer, kind, action, amount, sent[1])


def _paced(load: Load, seen: Seen) -> Iterator[BulkRecord]:
    """The measured events; those of the first seconds are not noted."""
    settled_s = monotonic_s() + SETTLE_SECONDS
    for event_id, sent, event in stamped(load):
        if sent[0] >= settled_s:
            seen.sent[event_id] = sent
        yield event


async def quiet(follower: Follower, child: Child) -> None:
    """Wait until no more changes come: the worker is through the past."""
    deadline_s = monotonic_s() + QUIET_SECONDS_MAX
    last_s = monotonic_s()
    while monotonic_s() - last_s < QUIET_SECONDS and monotonic_s() < deadline_s:
        if await follower.records(POLL_MS):
            last_s = monotonic_s()
        child.check()


async def read(follower: Follower, seen: Seen) -> None:
    """Note when the change of each event arrives, until cancelled."""
    while True:
        changes = await follower.records(POLL_MS)
        now_s = monotonic_s()
        for change in changes:
            trigger = plain_json.decode(change.value or b"{}")["trigger"]
            sent = seen.sent.get(trigger["event_id"] or "")
            if sent is not None:
                seen.arrived_ms.append((now_s - sent[0]) * 1000)
                seen.written_ms.append(float(change.timestamp_ms - sent[1]))
