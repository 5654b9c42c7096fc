"""A simple job on plain Faust, Quix Streams and Kafka Streams, beside segstream whole: `make bench-peers`.

One broker, one run, the same topics: the segstream worker is measured as `segstream bench throughput` does, then the
others read what it read (clicks and purchases; e-mail, 5.5 % of the records, only segstream uses). The job: a segment
by money spent and decayed clicks, in durable state with a changelog, each change published.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import streams_program
from aiokafka.admin import NewTopic

from stream.bench import running, throughput
from stream.bench.child import Child
from stream.bench.machine import facts
from stream.bench.rehearsal import snapshot_of
from stream.bench.stream_of_events import Load
from stream.errors import SegstreamError
from stream.kafka import client
from stream.kafka.broker import DevBroker
from stream.settings import Settings

HERE = Path(__file__).parent
NAMES = {
    "segstream": "segstream, all dimensions",
    "kafka_streams": "Kafka Streams, 1 thread",
    "kafka_streams_cached": "the same, its store cached",
    "quix": "Quix Streams",
    "plain_faust": "plain Faust",
}
AIMS = {"plain_faust": 50.0, "kafka_streams": 2.0, "kafka_streams_cached": 2.0}  # times as many events a second
SETTLE_SECONDS = 4.0  # left out: it joins, its buffers fill
SETTLE_JVM_SECONDS = 8.0  # it compiles meanwhile
EVENTS, CUSTOMERS = 3_000_000, 10_000  # more than the fastest reads while it settles
SECONDS = 20.0  # of each of the others, or to the end of the topics


async def compare(cache: Path, load: Load, seconds: float, quix_python: str) -> dict[str, Any]:
    """Figures of each by its name in NAMES; None for one that cannot run or be measured here, which is told."""
    _tell("learning a model, starting a broker")
    snapshot = snapshot_of(load)
    with DevBroker(cache) as broker, tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        settings = dataclasses.replace(throughput.load_settings(broker.address, load), prefix="peers.")
        await running.prepare(settings, snapshot)
        _tell(f"segstream, {load.events:,} events")
        ours = await throughput.worker_figures(settings, load)
        found: dict[str, Any] = {
            "segstream": {
                "events_per_s": ours["worker_events_per_s"],
                **{name: ours[name] for name in ("cpu_us_per_event", "changes_per_event", "checkpoints", "events")},
            }
        }
        for name in [name for name in NAMES if name != "segstream"]:
            topic = f"{settings.prefix}{name}-changes"
            await _create(settings, topic)
            child = _job(name, cache, Path(scratch), [settings.brokers, settings.prefix, topic], quix_python)
            if child is None:
                found[name] = None
                continue
            _tell(NAMES[name])
            settle_seconds = SETTLE_JVM_SECONDS if name.startswith("kafka_streams") else SETTLE_SECONDS
            warm_up = throughput.plain_warm_up(load) if name == "plain_faust" else load.warm_up
            try:
                found[name] = await throughput.stretch(child, warm_up, settle_seconds, seconds)
            except SegstreamError as error:  # the others' figures took minutes: they are kept
                _tell(f"{NAMES[name]} is left out: {error.message}")
                found[name] = None
    return found


def _job(name: str, cache: Path, scratch: Path, arguments: list[str], quix_python: str) -> Child | None:
    """The process of one of the others, not started."""
    state = scratch / name
    state.mkdir()
    if name == "plain_faust":
        return Child("stream.bench.plain_faust", arguments)
    if name == "quix":
        return Child(str(HERE / "quix_job.py"), [*arguments, str(state)], program=[quix_python])
    if not streams_program.has_jdk():
        _tell("Kafka Streams is left out: there is no JDK (javac and java) on this machine")
        return None
    classes = scratch / "classes"
    classes.mkdir(exist_ok=True)
    arguments = [arguments[0], arguments[1], arguments[2], str(state), "cached" if "cached" in name else "uncached"]
    return Child("StreamsJob", arguments, program=streams_program.program(cache, classes))


async def _create(settings: Settings, topic: str) -> None:
    admin = client.admin(settings)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, settings.partitions, 1)])
    finally:
        await admin.close()


def with_ratios(found: dict[str, Any], load: Load) -> dict[str, Any]:
    """The figures with segstream's share of each, the aims beside them, and the machine."""
    ours = found["segstream"]
    ratios = {
        name: {
            "events_per_s": round(ours["events_per_s"] / one["events_per_s"], 2),
            "cpu": None
            if not ours["cpu_us_per_event"]
            else round(one["cpu_us_per_event"] / ours["cpu_us_per_event"], 2),
            "aim": AIMS.get(name),
        }
        for name, one in found.items()
        if one and name != "segstream"
    }
    return {
        **found,
        "ratios": ratios,
        "customers": load.customers,
        "load_average": round(os.getloadavg()[0], 1),
        "machine": facts(),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| | events/s | us of CPU an event | changes an event | segstream: times events/s | times less CPU | aim |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, words in NAMES.items():
        one, ratio = figures[name], figures["ratios"].get(name, {})
        if one is None:
            lines.append(f"| {words} | not measured: see above | | | | | |")
            continue
        aim = f"{ratio['aim']:g} times" if ratio.get("aim") else ""
        shown = [f"{one['events_per_s']:,}", f"{one['cpu_us_per_event']}", f"{one['changes_per_event']}"]
        shown += [f"{ratio[key]:.1f}" if ratio else "" for key in ("events_per_s", "cpu")]
        lines.append(f"| {words} | {' | '.join(shown)} | {aim} |")
    return "\n".join(lines)


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quix-python", required=True, help="an interpreter that has requirements.txt")
    parser.add_argument("--events", type=int, default=EVENTS, help="events in the topics, after a warm-up")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="different customers")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each of the others is measured")
    parser.add_argument("--json", action="store_true", help="JSON for programs instead of a table")
    given = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # the driver tells of every retry
    load = Load(given.events, given.customers)
    try:
        found = asyncio.run(compare(Settings.load().cache_folder(), load, given.seconds, given.quix_python))
    except SegstreamError as error:
        print(f"error: {error.message}\n  {error.advice}", file=sys.stderr)
        return 2
    figures = with_ratios(found, load)
    print(json.dumps(figures) if given.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
