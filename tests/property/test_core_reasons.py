"""Explanations: what a change says is what was read, and there is always something to say."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.changes import EVENT_TRIGGER, SILENCE
from models.customers.row import DAY_MS
from models.definitions.document import CLUSTER
from models.definitions.evaluate import judge
from models.definitions.language import OPS
from models.features.compute import vector
from models.workspace import workspace
from tests.core import Core, snapshot
from tests.property.strategies import attribute_rows, documents, sequences

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))
WORK = workspace()


def readings(core: Core, row: Any) -> list[float]:
    """Every reading of a row at its own time, by number of comparison, and the comparisons that hold."""
    plan, model, _ = core.judge.rules
    judge(row, row.decided_ms, plan, model[0], WORK.values, WORK.truth)
    return [float(WORK.values[term["reading"]]) for term in plan.terms[: len(core.judge.terms)]]


def same(x: float, y: float) -> bool:
    """Equal, or both absent."""
    return bool(x == y or (np.isnan(x) and np.isnan(y)))


def check_rules(core: Core, change: Any, before: list[float], after: list[float]) -> None:
    """The law for a change in a dimension of rules."""
    named = [int(k) for k in change.reason if k >= 0]
    assert len(set(named)) == len(named)
    for place, k in enumerate(named):
        assert same(change.reason_before[place], before[k])
        assert same(change.reason_after[place], after[k])
    used = core.judge.rules.plan.dimensions[change.dimension]["terms"]
    if change.previous > 0 and used[1] > used[0]:
        assert named
    if change.counter_term >= 0:
        assert same(change.counter_value, after[change.counter_term])
        assert change.runner_up != change.segment
        assert change.runner_up >= 0
    assert change.confidence == 1.0


def check_cluster(change: Any, before: Any, after: Any) -> None:
    """The law for a change of cluster."""
    then, now = np.zeros(16), np.zeros(16)
    vector(before, before.decided_ms, then)
    vector(after, after.decided_ms, now)
    assert change.reason[0] >= 0
    for place, j in enumerate(change.reason):
        assert change.reason_before[place] == then[j]
        assert change.reason_after[place] == now[j]
    assert change.runner_up != change.segment


@settings(max_examples=150)
@given(st.data())
def test_a_change_tells_what_was_read(data: st.DataObject) -> None:
    """Before and after are the readings at the two decisions; every change but the first has a reason."""
    core = Core(data.draw(documents()), MODEL)
    values, events = data.draw(attribute_rows()), data.draw(sequences(customers=1))
    for i in range(len(events)):
        core.tick(int(events["ts_ms"][i]))  # so that the event's changes are all decided at the event
        before = (
            np.array(core.rows).view(np.recarray) if i else np.zeros(1, core.engine.table.rows.dtype).view(np.recarray)
        )
        told_before = readings(core, before[0])
        changes = core.apply(events[i : i + 1], attributes=values)
        told_after = readings(core, core.rows[0])
        for change in changes:
            assert change.trigger == EVENT_TRIGGER
            assert 0.0 <= change.margin <= 1.0
            assert 0.0 <= change.confidence <= 1.0
            if core.judge.definitions.dimensions[change.dimension].kind == CLUSTER:
                check_cluster(change, before[0], core.rows[0])
            else:
                check_rules(core, change, told_before, told_after)


@settings(max_examples=100)
@given(st.data())
def test_silence_has_reasons_too(data: st.DataObject) -> None:
    """A change by waiting names comparisons, with what they read before and at the deadline."""
    core = Core(data.draw(documents()))
    core.apply(data.draw(sequences(customers=1)), attributes=data.draw(attribute_rows()))
    for _ in range(6):
        before = np.array(core.rows).view(np.recarray)
        told_before = readings(core, before[0])
        due = int(core.due_ms[0])
        if due > core.rows[0].decided_ms + 5000 * DAY_MS:
            break
        for change in core.tick(due):
            assert change.trigger == SILENCE
            assert change.occurred_ms == change.decided_ms == due
            check_rules(core, change, told_before, readings(core, core.rows[0]))


@settings(max_examples=100)
@given(st.data())
def test_a_flip_is_named_first(data: st.DataObject) -> None:
    """When comparisons of the entered or the left segment flipped, only flipped ones are reasons."""
    core = Core(data.draw(documents()))
    values, events = data.draw(attribute_rows()), data.draw(sequences(customers=1, least=2))
    core.apply(events[:-1], attributes=values)
    core.tick(int(events["ts_ms"][-1]))
    terms = core.judge.terms
    before = readings(core, np.array(core.rows).view(np.recarray)[0])
    held = WORK.truth[: len(terms)].copy()
    changes = core.apply(events[-1:], attributes=values)
    readings(core, core.rows[0])
    flipped = {k for k in range(len(terms)) if held[k] != WORK.truth[k]}
    for change in changes:
        named = {int(k) for k in change.reason if k >= 0}
        assert named <= flipped or len(named & flipped) == 0
    assert len(before) == len(terms)
    assert all(term.op in OPS for term in terms)
