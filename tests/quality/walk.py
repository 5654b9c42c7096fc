"""A course walked day by day with the kernel, the trainer and its snapshots, and what was seen on the way."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.changes import MODEL
from models.clusters.drift import Drift
from models.clusters.nearest import nearest
from models.clusters.preview import ids_of
from models.clusters.pulse import pulse_of, pulse_slots
from models.clusters.quality import adjusted_rand_index, silhouette
from models.clusters.seeding import seed_centers
from models.clusters.settings import TrainerSettings
from models.clusters.shape import Snapshot
from models.clusters.succession import scaling_of
from models.clusters.trainer import Trainer
from models.customers.row import DAY_MS
from models.definitions.document import CLUSTER
from models.engine import Engine, judge_of
from models.events import ATTRIBUTES_MAX
from models.features.catalogue import CLUSTER_FEATURES
from stream.codec.definitions import load
from tests.quality.courses import Course

SNAPSHOT_DAYS = 30  # as the setting's default
WEEK_DAYS = 7
ATTRIBUTES = np.full((1, ATTRIBUTES_MAX), np.nan)


@dataclass(slots=True)
class Seen:
    """What was measured on a course; times in epoch ms."""

    course: Course
    snapshots: list[Snapshot] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    inertia_ratios: list[float] = field(default_factory=list)  # of new prototypes
    stale_ratios: list[float] = field(default_factory=list)  # of those in force, on the last day before new ones
    silhouettes: list[tuple[float, float]] = field(default_factory=list)  # ours, batch
    aris: list[float] = field(default_factory=list)  # against labels, at each snapshot; the last is at the end
    moved: int = 0  # changes of cluster by model updates
    customer_weeks: float = 0.0
    flaps: int = 0  # from A to B and back to A within a week
    vectors: int = 0


def walk(course: Course, settings: TrainerSettings) -> Seen:
    """Walk a course from its first day to its last."""
    return Walker(course, settings).end()


class Walker:
    """A partition and a trainer without Kafka: what a worker would do, once a day."""

    def __init__(self, course: Course, settings: TrainerSettings) -> None:
        self.seen = Seen(course)
        self._day = int(course.events["ts_ms"][0]) // DAY_MS  # the next to live
        self._definitions = load("")[0]
        self._engine = Engine(judge_of(self._definitions, None), course.customers)
        self._trainer = Trainer(CLUSTER_FEATURES, settings)
        self._behaviour = next(d for d, one in enumerate(self._definitions.dimensions) if one.kind == CLUSTER)
        self._customers = 0
        self._next_snapshot = 0
        self._left: dict[int, tuple[int, int, int]] = {}  # slot -> (from, to, when) of the last change

    def until(self, at_ms: int) -> None:
        """Live all days that are over by then."""
        times = self.seen.course.events["ts_ms"]
        cuts = np.searchsorted(times, np.arange(self._day, at_ms // DAY_MS + 1) * DAY_MS)
        for begin, stop in pairwise(cuts.tolist()):
            self._live(self._day, self.seen.course.events[begin:stop].copy())
            self._day += 1

    def turned(self, course: Course) -> Walker:
        """A copy that goes on with another course, whose events so far were the same."""
        other = deepcopy(self, {id(self.seen.course): course})
        other.seen.course = course
        return other

    def _live(self, day: int, events: NDArray[np.void]) -> None:
        """One day: events, silence, a sample for the trainer, and what comes of it."""
        engine, now = self._engine, (day + 1) * DAY_MS
        if len(events):
            new = range(self._customers, max(self._customers, int(events["slot"].max()) + 1))
            engine.table.add([str(slot) for slot in new])
            self._customers += len(new)
            self._note(engine.apply(events, ATTRIBUTES))
        self._note(engine.sweep(engine.table.due_slots(now, self._customers), now))
        self._pulse(day + 1, now)
        slots = np.arange(day % WEEK_DAYS, self._customers, WEEK_DAYS)
        vectors, amounts = engine.sample(slots, now)
        self.seen.vectors += len(vectors)
        recency, orders, spend = amounts.T
        self._trainer.learn(vectors, recency, orders, spend, now - 1, slots)
        while self._trainer.learn_slice(10_000):
            pass
        alarms, self._trainer.drifts = self._trainer.drifts, []
        self.seen.drifts += [alarm for alarm in alarms if now > self.seen.course.from_ms]
        if now > self.seen.course.from_ms:
            self.seen.customer_weeks += self._customers / WEEK_DAYS
        if not self._trainer.warm:
            self._next_snapshot = day + SNAPSHOT_DAYS // 2  # the first comes sooner
        elif day >= self._next_snapshot:
            self._publish(day, now)

    def _pulse(self, day: int, now: int) -> None:
        slots, stride = pulse_slots(self._customers)
        first_ms = self._engine.table.rows["first_ms"][slots]
        self._trainer.pulse(now - 1, 0, pulse_of(self._engine.sample(slots, now)[0], first_ms, day, stride))

    def end(self) -> Seen:
        """Live the days that are left and measure once more; where groups are known, those of the last day, a model of
        that day.
        """
        day = int(self.seen.course.events["ts_ms"][-1]) // DAY_MS
        self.until((day + 1) * DAY_MS)
        if self.seen.course.labels is not None:
            self._publish(day, (day + 1) * DAY_MS)
        if self._trainer.previous:
            self._measure(self._trainer.previous, (day + 1) * DAY_MS)
        return self.seen

    def _publish(self, day: int, now: int) -> None:
        before = self._trainer.previous
        if before is not None:
            self.seen.stale_ratios.append(self._ratio(before, now)[0])
        snapshot = self._trainer.snapshot(now)
        if snapshot is None:
            return
        self._next_snapshot = day + SNAPSHOT_DAYS
        self.seen.snapshots.append(snapshot)
        if snapshot.held:  # somebody looks at it and approves
            self._trainer.adopt(snapshot)
        self._measure(snapshot, now)
        self._engine.adopt(judge_of(self._definitions, snapshot), now)
        self._note(self._engine.sweep(np.arange(self._customers), now))

    def _measure(self, snapshot: Snapshot, now: int) -> None:
        ratio, ours, batch = self._ratio(snapshot, now)
        self.seen.inertia_ratios.append(ratio)
        self.seen.silhouettes.append((ours, batch))
        labels = self.seen.course.labels
        if labels is not None:
            raw = self._everybody(now)
            table = np.array([cluster.prototype for cluster in snapshot.clusters])
            ids = ids_of(scaling_of(snapshot).apply(raw), table, tuple(cluster.id for cluster in snapshot.clusters))
            self.seen.aris.append(adjusted_rand_index(labels[: self._customers], ids))

    def _ratio(self, snapshot: Snapshot, now: int) -> tuple[float, float, float]:
        z = scaling_of(snapshot).apply(self._everybody(now))
        table = np.array([cluster.prototype for cluster in snapshot.clusters])
        batch = seed_centers(z, len(table), snapshot.seed)
        ratio = nearest(z, table)[1].sum() / max(nearest(z, batch)[1].sum(), 1e-9)
        return float(ratio), silhouette(z, table), silhouette(z, batch)

    def _everybody(self, now: int) -> NDArray[np.float64]:
        return self._engine.sample(np.arange(self._customers), now)[0]

    def _note(self, changes: NDArray[np.void]) -> None:
        """Count moves and flaps in the behaviour dimension."""
        course = self.seen.course
        for change in changes[changes["dimension"] == self._behaviour]:
            slot, old, new, when = (int(change[k]) for k in ("slot", "previous", "segment", "decided_ms"))
            if when < course.from_ms:
                continue
            self.seen.moved += bool(change["trigger"] == MODEL and old)
            left = self._left.get(slot)
            if left and left[:2] == (new, old) and when - left[2] <= WEEK_DAYS * DAY_MS and old and new:
                self.seen.flaps += 1
            self._left[slot] = old, new, when
