"""The worker's inner path without Kafka: decode, cut into batches, kernel, encode. What a profile looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.clusters.settings import TrainerSettings
from models.clusters.snapshot import Snapshot, digest
from models.clusters.trainer import Trainer
from models.engine import Engine
from models.events import PROFILE, TOPICS
from models.features.catalogue import CLUSTER_FEATURES
from stream.bench.machine import cpu_s
from stream.bench.stream_of_events import Load, records
from stream.codec import definitions
from stream.codec.block import Block, Record, block_of
from stream.codec.journal import Adopt, Batch, Claim, Tick
from stream.kafka.partitioner import partition_of
from stream.worker.inputs import Inputs
from stream.worker.replica import Replica, Rule
from stream.worker.warm import warm

POLL_RECORDS = 2_000  # of a topic in one fetch, as the feed brings them at full rate
FUTURE_MS = 2**50  # no event of the bench is from the future
WARMUP_VECTORS = 500  # as the trainer, unless the customers are fewer
MODEL_VECTORS = 4_000  # learned for a model: 0.2 ms each in River
TICK_LIMIT = 4_000  # as stream.worker.partition
CUSTOMERS_MAX = 5_000_000  # more than any bench asks for
CLUSTERS = 6  # as many as a shop has, and the same in every run
NEVER_SAMPLED_MS = 2**50  # no vectors for a trainer: it is no part of what is measured


Fetch = list[tuple[int, Block]]  # by kind, as one poll brings them


@dataclass(slots=True)
class Stages:
    """Processor seconds spent in each stage, and what was done."""

    decode_s: float = 0.0
    cut_s: float = 0.0
    execute_s: float = 0.0
    tick_s: float = 0.0
    events: int = 0
    changes: int = 0


class Rehearsal:
    """One partition that owns every customer, fed by hand."""

    def __init__(self, snapshot: Snapshot | None = None, batch_records: int = 4_000) -> None:
        shipped, _ = definitions.load("")
        documents: dict[str, Any] = {shipped.digest: shipped}
        rule = Rule(1, FUTURE_MS, CUSTOMERS_MAX, NEVER_SAMPLED_MS, 1)
        self.replica = Replica(0, rule, lambda name: documents[name], partition_of)
        self.inputs = Inputs(frozenset({PROFILE}))
        self._batch_records = batch_records
        self._entries = 0
        self._execute(Claim("bench", "", "bench", rule.fingerprint(), 0))
        self._execute(Adopt(0, "definitions", shipped.digest, 0, 0))
        if snapshot is not None:
            documents[digest(snapshot)] = snapshot
            self._execute(Adopt(0, "model", digest(snapshot), 0, 0))
        for kind in range(len(TOPICS)):
            self.inputs.open(kind, 0)
            self.inputs.by_kind[kind].caught_up = True
        warm(shipped)

    @property
    def engine(self) -> Engine:
        """The partition's engine."""
        engine = self.replica.engine
        if engine is None:
            raise AssertionError("definitions were adopted")
        return engine

    def _execute(self, entry: Claim | Adopt) -> None:
        self.replica.execute(self._entries, entry, {})
        self._entries += 1

    def run(self, fetches: list[Fetch]) -> Stages:
        """Feed fetch after fetch and apply what has come, until all is applied."""
        stages = Stages()
        for fetch in fetches:
            began = cpu_s()
            for kind, fetched in fetch:
                self.inputs.by_kind[kind].add(fetched, FUTURE_MS)
            stages.decode_s += cpu_s() - began
            while self._turn(stages):
                pass
        return stages

    def _turn(self, stages: Stages) -> bool:
        began = cpu_s()
        taken = self.inputs.take(self._batch_records, 0.0)
        if taken is None:
            return False
        self.inputs.note_applied(taken, FUTURE_MS)
        stream_ms = self.inputs.stream_ms() or 0
        cut = cpu_s()
        outcome = self.replica.execute(
            self._entries, Batch(0, taken.positions, stream_ms, 0, taken.embedded), taken.columns
        )
        executed = cpu_s()
        ticked = self.replica.execute(self._entries + 1, Tick(0, stream_ms, TICK_LIMIT, 0), {})
        self._entries += 2
        stages.cut_s += cut - began
        stages.execute_s += executed - cut
        stages.tick_s += cpu_s() - executed
        stages.events += taken.count
        stages.changes += len(outcome.changes) + len(ticked.changes)
        return True

    def snapshot(self, as_of_ms: int) -> Snapshot:
        """A model of the customers there are, learned as the worker's trainer would."""
        slots = np.arange(self.replica.customers)[:MODEL_VECTORS]
        vectors, amounts = self.engine.sample(slots, as_of_ms)
        trainer = Trainer(
            CLUSTER_FEATURES, TrainerSettings(clusters=CLUSTERS, warmup_vectors=min(WARMUP_VECTORS, len(slots)))
        )
        recency_days, orders, spend = amounts.T
        trainer.learn(vectors, recency_days, orders, spend, as_of_ms)
        trainer.learn_slice(len(slots))
        learned = trainer.snapshot(as_of_ms)
        if learned is None:
            raise AssertionError("some hundred customers are enough for a model")
        return learned


def fetches_of(load: Load, *, warm_up: bool) -> list[Fetch]:
    """The warm-up or the measured records of a load, a fetch of `POLL_RECORDS` at a time, by kind."""
    return list(_fetches(load, warm_up=warm_up))


def _fetches(load: Load, *, warm_up: bool) -> Iterator[Fetch]:
    offsets = [0] * len(TOPICS)
    gathered: dict[int, list[Record]] = {}
    count = 0
    for number, (topic, key, value) in enumerate(records(load)):
        kind = TOPICS.index(topic)
        offset, offsets[kind] = offsets[kind], offsets[kind] + 1
        if (number < load.warm_up) != warm_up:
            continue
        gathered.setdefault(kind, []).append(Record(offset, key, value, number))
        count += 1
        if count == POLL_RECORDS:
            yield [(kind, block_of(some)) for kind, some in sorted(gathered.items())]
            gathered, count = {}, 0
    if count:
        yield [(kind, block_of(some)) for kind, some in sorted(gathered.items())]


def snapshot_of(load: Load) -> Snapshot:
    """A model for a load: clusters learned from its warm-up and as many events after it.

    Its cut points are the shipped ones: those of a few measured hours would have everybody's recency change by the
    minute.
    """
    customers = min(load.customers, MODEL_VECTORS)
    short = Load(customers, customers, load.seed)
    rehearsal = Rehearsal()
    rehearsal.run(fetches_of(short, warm_up=True))
    rehearsal.run(fetches_of(short, warm_up=False))
    learned = rehearsal.snapshot(rehearsal.replica.stream_ms)
    shipped, _ = definitions.load("")
    return replace(learned, cuts={**learned.cuts, **shipped.cuts})
