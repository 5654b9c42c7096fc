"""The parts of a worker measured alone, in this process: no Kafka, no waiting. Processor time throughout."""

from __future__ import annotations

import cProfile
import io
import pstats
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import DAY_MS
from models.definitions.language import parse
from models.engine import Engine, judge_of
from models.events import ATTRIBUTES_MAX
from stream.bench.machine import cpu_s, facts
from stream.bench.rehearsal import CUSTOMERS_MAX, POLL_RECORDS, Fetch, Rehearsal, Stages, fetches_of, snapshot_of
from stream.bench.stream_of_events import Load, kernel_events
from stream.codec import block, definitions, events

HOUR_MS = DAY_MS // 24
BATCH_EVENTS = 4_000  # as the worker's batch_records
SWEEP_CUSTOMERS = 20_000  # that really lived; a larger table repeats them
PROFILE_LINES = 40  # functions shown


def kernel(count: int, customers: int, audiences: int = 0) -> dict[str, object]:
    """The kernel: events applied, all dimensions and so many audiences decided, changes left as records."""
    load = Load(count, customers)
    engine = _engine(load, audiences)
    attributes = np.zeros((1, ATTRIBUTES_MAX))
    every = kernel_events(load)
    engine.table.add([str(number) for number in range(customers)])
    for part in _cut(every[: load.warm_up]):
        engine.apply(part, attributes)
    changes, began = 0, cpu_s()
    for part in _cut(every[load.warm_up :]):
        changes += len(engine.apply(part, attributes))
    seconds = cpu_s() - began
    return {
        "events": count,
        "customers": customers,
        "audiences": audiences,
        "us_per_event": round(seconds * 1e6 / count, 3),
        "changes_per_event": round(changes / count, 3),
        "machine": facts(),
    }


def sweep(customers: int) -> dict[str, object]:
    """An hour passes for a table of customers: finding who is due, and judging them; then every row looked at."""
    load = Load(SWEEP_CUSTOMERS, min(SWEEP_CUSTOMERS, customers))
    lived = Rehearsal(snapshot_of(load))
    for fetches in (fetches_of(load, warm_up=True), fetches_of(load, warm_up=False)):
        lived.run(fetches)
    engine, small = _engine(load), lived.engine.table
    places = np.arange(customers) % len(small)
    engine.table.load(
        np.arange(customers), small.rows[places], small.due_ms[places], [f"c{n}" for n in range(customers)]
    )
    engine.table.loaded()
    engine.adoption = lived.engine.adoption
    until_ms = lived.replica.stream_ms + HOUR_MS
    began = cpu_s()
    due = engine.table.due_slots(until_ms, customers)
    found = cpu_s()
    changes = engine.sweep(due, until_ms)
    judged = cpu_s()
    engine.sweep(np.arange(customers), until_ms)
    whole_s = cpu_s() - judged
    return {
        "customers": customers,
        "seconds": round(judged - began, 4),
        "due_customers": len(due),
        "find_due_seconds": round(found - began, 4),
        "judge_due_seconds": round(judged - found, 4),
        "changes": len(changes),
        "whole_table_seconds": round(whole_s, 4),  # every row looked at, due or not, as an adoption does
        "machine": facts(),
    }


def decode(count: int, customers: int) -> dict[str, object]:
    """Input records decoded into columns, and their digest, a fetch at a time."""
    fetches = fetches_of(Load(count, customers), warm_up=False)
    began = cpu_s()
    for fetch in fetches:
        for kind, fetched in fetch:
            events.decode(kind, fetched)
    decoded = cpu_s()
    for fetch in fetches:
        for _, fetched in fetch:
            block.digest(fetched)
    digested = cpu_s()
    return {
        "events": count,
        "fetch_records": POLL_RECORDS,
        "decode_us_per_event": round((decoded - began) * 1e6 / count, 3),
        "digest_us_per_event": round((digested - decoded) * 1e6 / count, 3),
        "machine": facts(),
    }


def path(count: int, customers: int, *, profile: bool = False) -> tuple[dict[str, object], str]:
    """Every stage of a batch but Kafka, in microseconds an event; with `profile` also a table of functions."""
    load = Load(count, customers)
    rehearsal = Rehearsal(snapshot_of(load))
    rehearsal.run(fetches_of(load, warm_up=True))
    fetches = fetches_of(load, warm_up=False)
    stages, table = _profiled(rehearsal, fetches) if profile else (rehearsal.run(fetches), "")
    seconds = {"decode": stages.decode_s, "cut": stages.cut_s, "execute": stages.execute_s, "tick": stages.tick_s}
    figures: dict[str, object] = {f"{name}_us_per_event": round(s * 1e6 / count, 3) for name, s in seconds.items()}
    figures["us_per_event"] = round(sum(seconds.values()) * 1e6 / count, 3)
    figures["changes_per_event"] = round(stages.changes / count, 3)
    return {"events": count, "customers": customers, **figures, "machine": facts()}, table


def _profiled(rehearsal: Rehearsal, fetches: list[Fetch]) -> tuple[Stages, str]:
    profiler, text = cProfile.Profile(), io.StringIO()
    stages = profiler.runcall(rehearsal.run, fetches)
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(PROFILE_LINES)
    return stages, text.getvalue()


def _engine(load: Load, audiences: int = 0) -> Engine:
    document = definitions.plain(definitions.shipped_text())
    if audiences:
        document["audiences"] = {f"audience {n}": _audience(n) for n in range(audiences)}
    engine = Engine(judge_of(parse(document), snapshot_of(load)), CUSTOMERS_MAX)
    engine.warm()
    return engine


def _audience(n: int) -> dict[str, Any]:
    """What a campaign asks for: none asks quite as another does, so that each costs its own comparisons."""
    conditions: tuple[dict[str, Any], ...] = (
        {"when": {"all": [f"spend >= {100 + 40 * n}", f"days_since_order < {30 + n}"]}},
        {
            "when": {"all": [f"no order for {20 + n} days", f"orders >= {1 + n % 6}"]},
            "stay": f"no order for {10 + n} days",
        },
        {"when": f"clicks in {1 + n} days >= 3", "stay": f"clicks in {1 + n} days >= 2"},
        {"when": {"any": [f"open_rate >= {0.2 + n / 200:g}", f"amount in {10 + n} days >= {50 + n}"]}},
    )
    return conditions[n % len(conditions)]


def _cut(every: NDArray[np.void]) -> Iterator[NDArray[np.void]]:
    for start in range(0, len(every), BATCH_EVENTS):
        yield every[start : start + BATCH_EVENTS]
