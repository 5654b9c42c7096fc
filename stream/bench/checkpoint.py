"""What checkpoints cost a partition: processor time of copying rows, packing them and writing memberships; no Kafka."""

from __future__ import annotations

import numpy as np

from models.events import ATTRIBUTES_MAX
from stream.bench.machine import cpu_s, facts
from stream.bench.parts import BATCH_EVENTS
from stream.bench.population import Population
from stream.bench.stream_of_events import Load, kernel_events
from stream.settings import Settings
from stream.worker.checkpoint import Cycle, Draft
from stream.worker.markers import Marked
from stream.worker.warm import warm

GAP_MS = 1_000  # of event time between the past and the events


def run(events: int, customers: int) -> dict[str, object]:
    """Apply events to customers with a past, checkpoint as often as the settings say, and divide by the events."""
    settings = Settings(partitions=1)
    population = Population(customers)
    numbers = np.arange(customers)
    replica = population.replica(0, settings, numbers, [f"c{number:07d}" for number in numbers.tolist()])
    engine, cycle = replica.engine, Cycle()
    if engine is None:
        raise AssertionError("it was made with customers")
    warm(engine.judge.definitions)
    load = Load(events, customers, start_ms=population.now_ms + GAP_MS)
    every = kernel_events(load)[load.warm_up :]
    spent = dict.fromkeys(("copy", "pack", "memberships"), 0.0)
    rows = memberships = checkpoints = since = seq = 0
    for start in range(0, len(every), BATCH_EVENTS):
        part = every[start : start + BATCH_EVENTS]
        engine.apply(part, np.zeros((1, ATTRIBUTES_MAX)))
        since += len(part)
        full = engine.table.dirty_rows >= settings.checkpoint_rows or since >= settings.checkpoint_events
        if not full and start + BATCH_EVENTS < len(every):
            continue
        began = cpu_s()
        draft = Draft(replica, cycle, 0, 0)
        while not draft.advance():
            pass
        copied = cpu_s()
        for _ in draft.state_records(0):
            pass
        packed = cpu_s()
        memberships += sum(1 for _ in draft.membership_records(seq)) - 1
        spent["memberships"] += cpu_s() - packed
        spent["pack"] += packed - copied
        spent["copy"] += copied - began
        rows, checkpoints, since, seq = rows + len(draft.copy.slots), checkpoints + 1, 0, draft.seq
        cycle.written(0, Marked(0, draft.marker))
    return {
        "events": len(every),
        "customers": customers,
        "us_per_event": round(sum(spent.values()) * 1e6 / len(every), 3),
        "checkpoints": checkpoints,
        "rows": rows,
        "memberships": memberships,
        "copy_us_per_row": round(spent["copy"] * 1e6 / rows, 3),
        "pack_us_per_row": round(spent["pack"] * 1e6 / rows, 3),
        "us_per_membership": round(spent["memberships"] * 1e6 / max(memberships, 1), 3),
        "machine": facts(),
    }
