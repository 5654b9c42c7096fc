"""The worker against a plain Faust app: one run, one broker, the same topics."""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from stream.bench import running
from stream.bench.child import Child
from stream.bench.machine import facts
from stream.bench.rehearsal import snapshot_of
from stream.bench.stream_of_events import Load, records
from stream.clock import monotonic_s
from stream.codec import plain_json
from stream.errors import SegstreamError
from stream.kafka.broker import DevBroker

if TYPE_CHECKING:
    from pathlib import Path

    from stream.bench.running import Tell
    from stream.settings import Settings

CHECKPOINTS_EACH = 4  # that every partition should make in the run, besides the one at the end
CHECKPOINT_EVENTS_MIN = 1_000  # of a partition, so that a tiny run is not all checkpoints
PLAIN_SETTLE_SECONDS = 4.0  # left out at its start: it joins, opens its table, its buffers fill
PLAIN_START_SECONDS = 60.0  # until its first line: it creates topics and joins a group
PLAIN_EVENTS = 200_000  # more than it can apply while it is measured
PLAIN_PART = 5  # it is given this part of the customers, so that it is through its warm-up in seconds
STILL_SECONDS = 5.0  # without another line: it has read all there is
STRETCH_SECONDS_MAX = 180.0  # for warm-up, settling and the stretch: what takes longer is broken
POLL_SECONDS = 0.1  # between two looks at its lines


def run(cache: Path, load: Load, plain_seconds: float, tell: Tell) -> dict[str, object]:
    """Measure both and return the figures of docs/performance.md.

    Parameters
    ----------
    cache : where the broker's jars are.
    plain_seconds : how long the plain app is measured; it needs minutes for the whole load.
    """
    tell("learning a model")
    snapshot = snapshot_of(load)
    tell("starting a broker")
    with DevBroker(cache) as broker:
        return asyncio.run(_run(broker.address, load, snapshot, plain_seconds, tell))


async def _run(brokers: str, load: Load, snapshot: Any, plain_seconds: float, tell: Tell) -> dict[str, object]:
    settings = load_settings(brokers, load)
    await running.prepare(settings, snapshot)
    tell("plain Faust")
    short = Load(PLAIN_EVENTS, max(load.customers // PLAIN_PART, 100), load.seed)
    plain = await _plain(dataclasses.replace(settings, prefix="plain."), short, plain_seconds)
    tell(f"segstream worker, {load.events:,} events")
    ours = await worker_figures(settings, load)
    ratio = ours["worker_events_per_s"] / plain["plain_faust_events_per_s"]
    return {**plain, **ours, "ratio": round(ratio, 1), "customers": load.customers, "machine": facts()}


def load_settings(brokers: str, load: Load) -> Settings:
    """The worker's settings: defaults, and at least so many checkpoints in the run."""
    partitions = 4
    every = max(load.events // (partitions * CHECKPOINTS_EACH), CHECKPOINT_EVENTS_MIN)
    return running.settings_of(
        brokers, "bench", partitions=partitions, clock="events", checkpoint_events=every,
        sample_interval_ms=10**15,  # no vectors: the model is there, and training has its own share of a core
    )  # fmt: skip


async def _plain(settings: Settings, load: Load, seconds: float) -> dict[str, Any]:
    """A stretch of the plain app's life, once it is through the warm-up and has settled; by its own count of events."""
    await running.prepare(settings, None)
    await running.send(settings, records(load))
    arguments = [settings.brokers, settings.prefix, f"{settings.prefix}segment-changes"]
    child = Child("stream.bench.plain_faust", arguments)
    found = await stretch(child, plain_warm_up(load), PLAIN_SETTLE_SECONDS, seconds)
    return {f"plain_faust_{name}": value for name, value in found.items()}


def plain_warm_up(load: Load) -> int:
    """Events until the plain app has read every purchase: its two agents take turns, so half of all are orders."""
    return max(load.warm_up, 2 * load.purchases)


async def stretch(child: Child, warm_up: int, settle_seconds: float, seconds: float) -> dict[str, Any]:
    """A stretch of the life of a job that reports its count: after the warm-up and `settle_seconds`, so long at most.

    Parameters
    ----------
    child : not started; prints lines of JSON with `wall_ms`, `events` and `changes`. It is killed at the end.

    Raises
    ------
    SegstreamError : it ended by itself, or applied too little to measure.
    """
    with child:
        reports = await _reports(child, warm_up, settle_seconds, seconds)
        if len(reports) < 2:  # noqa: PLR2004 - two points make a rate
            raise SegstreamError("the job applied too few events to measure", "give it more seconds, or more events")
        first, last = reports[0], reports[-1]
        events = last["events"] - first["events"]
        cpu_s = child.cpu_seconds(first["wall_ms"], last["wall_ms"])
        return {
            "events_per_s": round(events * 1000 / (last["wall_ms"] - first["wall_ms"])),
            "cpu_us_per_event": _us(cpu_s, events),
            "changes_per_event": round((last["changes"] - first["changes"]) / events, 3),
            "events": events,
        }


async def _reports(child: Child, warm_up: int, settle_seconds: float, seconds: float) -> list[dict[str, Any]]:
    """What it reported in the stretch, which ends early when there is nothing more to read."""
    started_s = changed_s = monotonic_s()
    begins_ms, seen = float("inf"), 0
    reports, found = list[dict[str, Any]](), list[dict[str, Any]]()
    while not found or found[-1]["wall_ms"] - begins_ms < seconds * 1000:
        child.check()
        await asyncio.sleep(POLL_SECONDS)
        lines = child.lines[seen:]
        seen += len(lines)
        parts = (line.partition("{") for line in lines)  # Faust hides the cursor before the first line
        if new := [plain_json.decode(brace + rest) for _, brace, rest in parts if brace]:
            reports, changed_s = reports + new, monotonic_s()
            through = next((one["wall_ms"] for one in reports if one["events"] >= warm_up), float("inf"))
            begins_ms = max(reports[0]["wall_ms"] + settle_seconds * 1000, through)
            found = [one for one in reports if one["wall_ms"] >= begins_ms]
        if monotonic_s() - changed_s > (STILL_SECONDS if reports else PLAIN_START_SECONDS):
            break
        if monotonic_s() - started_s > STRETCH_SECONDS_MAX:
            break
    return found


async def send_load(settings: Settings, load: Load) -> None:
    """A worker gets a past from the warm-up and stops; everything after it then lies there for the next one."""
    source = records(load)
    await running.send(settings, islice(source, load.warm_up))
    child, _ = running.worker(settings)
    with child:
        await running.applied(settings, child, load.warm_up)
        child.stop()
    await running.send(settings, source)


async def worker_figures(settings: Settings, load: Load) -> dict[str, Any]:
    """A worker recovers a past (`send_load`) and is measured on everything after."""
    await send_load(settings, load)
    child, address = running.worker(settings)
    with child:
        batches = await running.applied(settings, child, load.warm_up + load.events)
        figures = await running.metrics(address)
        child.stop()
    past = np.cumsum([batch.events for batch in batches]) <= load.warm_up
    batches = batches[int(past.sum()) :]
    first, last = batches[0], batches[-1]
    events = sum(batch.events for batch in batches[:-1])  # the last one is about to be executed
    changes = await running.count_since(settings, "segment-changes", first.wall_ms)
    cpu_s = child.cpu_seconds(first.wall_ms, last.wall_ms)
    return {
        "worker_events_per_s": round(events * 1000 / max(last.wall_ms - first.wall_ms, 1)),
        "cpu_us_per_event": _us(cpu_s, events),
        "changes_per_event": round(changes / events, 3),
        "checkpoints": int(figures.get("segstream_checkpoints_total", 0)),
        "checkpoint_rows": int(figures.get("segstream_checkpoint_rows_total", 0)),
        "dead_letters": int(figures.get("segstream_dead_letters_total", 0)),
        "events": events,
    }


def _us(cpu_s: float | None, events: int) -> float | None:
    return None if cpu_s is None else round(cpu_s * 1e6 / events, 2)
