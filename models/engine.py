"""Engine: the deterministic state machine of one partition. Worker, recovery, replay and backtest drive this class.

Same state and same calls give the same rows and changes, on every machine, whatever the batches were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.changes import CHANGE, DEFINITION, MODEL
from models.clusters.snapshot import Snapshot, digest, empty_arrays, to_arrays
from models.compiled import records
from models.customers import names
from models.customers.answers import answers, sinces
from models.customers.row import ANSWERS_MAX, CATEGORIES_MAX, GONE
from models.customers.table import Copy, Table
from models.definitions.compile import compile_plan
from models.definitions.document import CLUSTER, Definitions, Term
from models.definitions.language import SEGMENTS_MAX
from models.definitions.warming import warming
from models.events import ATTRIBUTES_MAX, EVENT
from models.features.catalogue import CLUSTER_FEATURES, KNOWN_AT_LEAST
from models.features.compute import sample
from models.forecast import outlook
from models.segmenter import step, sweep
from models.times import iso_times
from models.workspace import COUNTERS, Adoption, Rules, first_adoption, workspace

CHANGES_MAX = 8192  # changes the kernel writes before Python takes them out: 1.7 MB, a few batches' worth
UNASSIGNED = "unassigned"  # the cluster of everybody before there is a model
NOBODY = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """What rows are judged by, with the names: definitions, an optional model snapshot, and their compiled form."""

    definitions: Definitions
    snapshot: Snapshot | None
    model: str  # digest of the snapshot, "" before there is one
    terms: tuple[Term, ...]
    rules: Rules

    def codes(self, rows: Any) -> NDArray[np.int64]:
        """The segment codes, [n, dimensions], of rows that this judged; of an audience 1: in."""
        return answers(rows, self.rules.plan.dimensions["place"])

    def since_ms(self, rows: Any) -> NDArray[np.int64]:
        """Since when they have those, [n, dimensions]; 0: not known, as of audiences without a dwell or cooldown."""
        return sinces(rows, self.rules.plan.dimensions["place"])

    def segment_name(self, dimension: int, code: int) -> str | None:
        """The segment of a code; None for no segment, and for one that these definitions no longer have."""
        entry = self.definitions.dimensions[dimension]
        if not 0 <= code < GONE:
            return None
        if entry.kind == CLUSTER:
            return f"cluster-{code}" if code else UNASSIGNED
        return entry.segments[code - 1].name if 0 < code <= len(entry.segments) else None

    def label(self, dimension: int, code: int) -> str | None:
        """The readable name of a cluster, if the model gives one, or of a segment that has an id beside its name."""
        entry = self.definitions.dimensions[dimension]
        if entry.kind != CLUSTER:
            return (entry.segments[code - 1].label or None) if 0 < code <= len(entry.segments) else None
        clusters = self.snapshot.clusters if self.snapshot else ()
        return next((c.label for c in clusters if c.id == code), None)


def is_known(features: tuple[str, ...]) -> bool:
    """Whether a model of these features can be scored: of all of them, or of the first, as older versions made."""
    return len(features) >= KNOWN_AT_LEAST and features == CLUSTER_FEATURES[: len(features)]


def judge_of(definitions: Definitions, snapshot: Snapshot | None, retention_ms: int = 0) -> Judge:
    """Compile definitions and a snapshot into a Judge; customers silent for `retention_ms` leave, 0: never."""
    if snapshot is not None and not is_known(snapshot.features):
        raise ValueError(f"the model is made of {snapshot.features}, this version scores {CLUSTER_FEATURES}")
    plan, terms = compile_plan(definitions)
    if snapshot is None:
        model = empty_arrays(definitions.cuts, len(CLUSTER_FEATURES))
    else:
        model = to_arrays(snapshot, definitions.cuts)
    return Judge(definitions, snapshot, digest(snapshot) if snapshot else "", terms, Rules(plan, model, retention_ms))


class Engine:
    """The customers of one partition and what they are judged by.

    Attributes
    ----------
    judge, older : the rules in force, and those before the latest adoption.
    adoption : the latest adoption; rows of an older generation are judged anew when touched.
    counters : running numbers by position (models.workspace): the first is the partition's `seq`.
    copy : a checkpoint copy being taken, or None; the engine copies rows into it before they change.
    warming : until when what a newly declared category says is not whole yet, by its name.
    departed : customers who left since somebody last took them out: their memberships end.
    """

    def __init__(self, judge: Judge, customers_max: int) -> None:
        self.table = Table(customers_max)
        self.judge = self.older = judge
        self.adoption: Adoption = first_adoption()
        self.counters = np.zeros(COUNTERS, np.int64)
        self.copy: Copy | None = None
        self.departed: dict[str, None] = {}
        self.warming: dict[str, int] = {}
        self._leaving: list[NDArray[np.int64]] = []
        self._work = workspace()
        self._changes: Any = records(np.zeros(CHANGES_MAX, CHANGE))

    def apply(self, events: NDArray[np.void], attributes: NDArray[np.float64]) -> NDArray[np.void]:
        """Apply EVENT records in order; returns their CHANGE records in order."""
        if self.copy:
            self.copy.guard(events["slot"])
        return self._run(step, records(events), attributes, len(events))

    def sweep(self, slots: NDArray[np.int64], until_ms: int) -> NDArray[np.void]:
        """Let time pass for the slots until `until_ms`; returns the CHANGE records in order."""
        if self.copy:
            self.copy.guard(slots)
        return self._run(sweep, slots, until_ms, len(slots))

    def _run(self, kernel: Any, subject: Any, argument: Any, count: int) -> NDArray[np.void]:
        taken, done = [], 0
        table = self.table
        while True:
            done, filled = kernel(
                table.kernel_rows, table.due_ms, table.calm_ms, table.dirty, subject, done, argument,
                self.judge.rules, self.older.rules, self.adoption, self._work, self._changes, self.counters,
            )  # fmt: skip
            if filled:
                taken.append(self._changes[:filled].copy())
            if gone := int(self._work.departed[0]):
                self._leaving.append(self._work.departed[1 : gone + 1].copy())
                self._work.departed[0] = 0
            if done == count:
                break
        return np.concatenate(taken) if len(taken) > 1 else taken[0] if taken else self._changes[:0].copy()

    def vacate(self) -> NDArray[np.int64]:
        """Make free the slots of those who left, and return them, with those of whom came again in the same entry.

        Call it when their changes have been given their names.
        """
        slots = self.left()
        if not len(slots):
            return slots
        self.departed.update(dict.fromkeys(self.table.ids(slots)))
        self.table.remove(slots[self.table.rows["first_ms"][slots] == 0])  # the others came again in the same entry
        return slots

    def left(self) -> NDArray[np.int64]:
        """The slots of those who left since this was last asked; they stay in the table, where they may come again."""
        if not self._leaving:
            return NOBODY
        slots = np.unique(np.concatenate(self._leaving))
        self._leaving.clear()
        return slots

    def adopt(self, judge: Judge, adopted_ms: int) -> None:
        """Put new rules in force as of `adopted_ms`. Every row must be of the present generation: sweep them first."""
        trigger = DEFINITION if judge.definitions.digest != self.judge.definitions.digest else MODEL
        begun = {**warming(self.judge.definitions, judge.definitions, adopted_ms), **self.warming}
        declared = judge.definitions.categories
        self.warming = {name: until for name, until in begun.items() if name in declared and until > adopted_ms}
        self.older = self.judge
        self.judge = judge
        self.adoption = adoption_between(
            self.older.definitions, judge.definitions, self.adoption.generation + 1, adopted_ms, trigger
        )

    def sample(self, slots: NDArray[np.int64], now: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vectors [n, features] of the slots at `now`, and (recency_days, orders, spend) [n, 3]."""
        vectors, amounts = np.zeros((len(slots), len(CLUSTER_FEATURES))), np.zeros((len(slots), 3))
        sample(self.table.kernel_rows, slots, now, vectors, amounts)
        return vectors, amounts

    def outlook_of(self, rows: Any, judge: Judge) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(valid_until_ms, next segment code), each [n, dimensions], of rows that `judge` judged."""
        shape = (len(rows), len(judge.definitions.dimensions))
        until, following = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        outlook(records(rows), np.arange(len(rows)), judge.rules, self._work, until, following)
        return until, following

    def warm(self) -> None:
        """Compile every kernel function now (seconds the first time), before anyone waits for an answer."""
        nobody = np.zeros(0, np.int64)
        names.warm()
        iso_times(nobody)
        self.apply(np.zeros(0, EVENT), np.zeros((1, ATTRIBUTES_MAX)))
        self.sweep(nobody, 0)
        self.sample(nobody, 0)
        self.outlook_of(self.table.rows[:0], self.judge)


def adoption_between(old: Definitions, new: Definitions, generation: int, adopted_ms: int, trigger: int) -> Adoption:
    """How rows of `old` are carried over to `new`: dimensions, segments, attributes and categories keep names."""
    places = {dimension.name: d for d, dimension in enumerate(old.dimensions)}
    dimension_from = np.full(ANSWERS_MAX, -1, np.int64)
    replaced = np.zeros(ANSWERS_MAX, np.bool_)
    segment_from = np.tile(np.arange(SEGMENTS_MAX + 1, dtype=np.int64), (ANSWERS_MAX, 1))
    for d, dimension in enumerate(new.dimensions):
        before = places.get(dimension.name, -1)
        dimension_from[d] = before
        replaced[d] = before >= 0 and old.dimensions[before].kind != dimension.kind
        if before < 0 or replaced[d] or dimension.kind == CLUSTER:
            continue
        codes = {segment.name: s + 1 for s, segment in enumerate(dimension.segments)}
        segment_from[d] = 0
        for s, segment in enumerate(old.dimensions[before].segments):
            segment_from[d, s + 1] = codes.get(segment.name, 0)
    attribute_from = np.full(ATTRIBUTES_MAX, -1, np.int64)
    for k, attribute in enumerate(new.attributes):
        if attribute in old.attributes:
            attribute_from[k] = old.attributes.index(attribute)
    category_from = np.full(CATEGORIES_MAX, -1, np.int64)
    for k, category in enumerate(new.categories):
        if category in old.categories:
            category_from[k] = old.categories.index(category)
    kept = {dimension.name for dimension in new.dimensions}
    removed = np.array([d for name, d in places.items() if name not in kept], np.int64)
    return Adoption(
        generation, adopted_ms, trigger, dimension_from, replaced, removed, segment_from, attribute_from, category_from
    )
