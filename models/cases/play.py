"""A case through the core: the engine of a partition with one customer, looked at after every decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from models.cases.case import Case, Given
from models.customers.row import NEVER_MS
from models.definitions.document import CLUSTER
from models.definitions.evaluate import judge as judge_row
from models.definitions.evaluate import tell
from models.engine import Engine, Judge, judge_of
from models.events import ATTRIBUTES_MAX, EVENT


class Look(NamedTuple):
    """What the core saw at one decision: values of the readings, truth of the terms, by their numbers."""

    at_ms: int
    values: list[float]
    truth: list[bool]


@dataclass(slots=True)
class Played:
    """What became of the customer of a case."""

    judge: Judge
    looks: list[Look] = field(default_factory=list)
    changes: list[Any] = field(default_factory=list)  # CHANGE records, in order
    segments: list[int] = field(default_factory=list)  # at the end, by dimension: codes
    until_ms: list[int] = field(default_factory=list)
    following: list[int] = field(default_factory=list)

    def changes_of(self, dimension: int) -> list[Any]:
        """The changes of one dimension, in order."""
        return [one for one in self.changes if one["dimension"] == dimension]


def play(case: Case) -> Played:
    """Apply what was given in its order, let time pass until the case's, and return what followed."""
    judge = judge_of(case.definitions, None)
    engine, played = Engine(judge, customers_max=1), Played(judge)
    engine.table.add(["customer"])
    identity = 0
    for given in case.given:
        _wait(engine, played, given.at_ms)
        event, attributes = _event(given), _attributes(given)
        for _ in range(given.times):
            identity += 1
            event["id_hash"] = identity
            _note(engine, played, engine.apply(event, attributes))
    _wait(engine, played, case.at_ms)
    row = engine.table.rows[:1]
    until, following = engine.outlook_of(row, judge)
    played.segments = judge.codes(row)[0].tolist()
    played.until_ms, played.following = until[0].tolist(), following[0].tolist()
    _look(engine, played, max(case.at_ms, int(row["decided_ms"][0])))
    return played


def _wait(engine: Engine, played: Played, until_ms: int) -> None:
    """Decide at each due time until `until_ms`, one by one."""
    slots = np.zeros(1, np.int64)
    while int(engine.table.due_ms[0]) <= min(until_ms, NEVER_MS - 1):
        _note(engine, played, engine.sweep(slots, int(engine.table.due_ms[0])))


def _note(engine: Engine, played: Played, changes: Any) -> None:
    played.changes.extend(changes)
    _look(engine, played, int(engine.table.rows[0].decided_ms))


def _look(engine: Engine, played: Played, at_ms: int) -> None:
    rules, terms = played.judge.rules, played.judge.terms
    values, truth = np.zeros(len(rules.plan.readings)), np.zeros(len(rules.plan.terms), np.bool_)
    row, codes = engine.table.rows[0], played.judge.codes(engine.table.rows[:1])[0].tolist()
    judge_row(row, at_ms, rules.plan, rules.model[0], values, truth)
    for d, dimension in enumerate(played.judge.definitions.dimensions):
        if dimension.kind != CLUSTER:
            tell(rules.plan, d, codes[d], values, truth)
    played.looks.append(Look(at_ms, values.tolist(), truth.tolist()[: len(terms)]))


def _event(given: Given) -> Any:
    event = np.zeros(1, EVENT)
    event[0] = (
        0, given.kind, given.action, given.at_ms, given.amount_minor, 0, given.machine_open,
        0 if given.attributes else -1, 0, given.category,
    )  # fmt: skip
    return event


def _attributes(given: Given) -> Any:
    attributes = np.full((1, ATTRIBUTES_MAX), np.nan)
    attributes[0, : len(given.attributes)] = given.attributes
    return attributes
