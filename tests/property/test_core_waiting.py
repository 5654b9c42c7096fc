"""Silence: due times are lower bounds, forecasts come true to the millisecond, a dwell holds and lets go."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.customers.row import DAY_MS, NEVER_MS
from models.definitions.document import CLUSTER
from models.definitions.evaluate import answer, judge
from models.workspace import workspace
from tests.core import Core, snapshot
from tests.property.strategies import attribute_rows, documents, sequences

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))
WORK = workspace()


def played(data: st.DataObject) -> Core:
    """A core after some events of two customers, under some definitions, sometimes with a model."""
    core = Core(data.draw(documents()), data.draw(st.sampled_from([None, MODEL])))
    core.apply(data.draw(sequences()), attributes=data.draw(attribute_rows()))
    return core


def answers(core: Core, slot: int, now: int) -> list[int]:
    """What every dimension of rules would be decided as at `now`, dwell and all; clusters as they are."""
    row, (plan, model, _) = core.rows[slot], core.judge.rules
    judge(row, now, plan, model[0], WORK.values, WORK.truth)
    found = []
    for d, dimension in enumerate(core.judge.definitions.dimensions):
        current = core.codes(slot)[d]
        held = dimension.kind == CLUSTER
        since = core.since(dimension.name, slot)
        if not held and (current or since):
            held = now < since + (dimension.segments[current - 1].dwell_ms if current else dimension.cooldown_ms)
        found.append(current if held else answer(plan, d, current, WORK.truth, WORK.stack))
    return found


def written(core: Core, slot: int) -> list[int]:
    """The segments a row is in."""
    return core.codes(slot)


@settings(max_examples=200)
@given(st.data())
def test_no_answer_changes_before_it_is_due(data: st.DataObject) -> None:
    """Between a decision and one millisecond before the due time, looking again gives what was decided."""
    core = played(data)
    for slot in range(len(core.rows)):
        for _ in range(4):
            if not core.rows[slot].first_ms:
                break
            now, due = int(core.rows[slot].decided_ms), int(core.due_ms[slot])
            assert due > now
            last = min(due - 1, now + 4000 * DAY_MS)
            for t in {now, last, data.draw(st.integers(now, last))}:
                assert answers(core, slot, t) == written(core, slot)
            core.tick(due if due < NEVER_MS else now)


@settings(max_examples=150)
@given(st.data())
def test_a_forecast_comes_true_to_the_millisecond(data: st.DataObject) -> None:
    """Until `valid_until` less 1 ms a silent customer stays; at it she is in `next_if_silent`, if known."""
    core = played(data)
    until, following = core.outlook()
    dimensions = core.judge.definitions.dimensions
    rules = [d for d, dimension in enumerate(dimensions) if dimension.kind != CLUSTER]
    seen = [(slot, d) for slot in range(len(core.rows)) if core.rows[slot].first_ms for d in rules]
    before = {key: core.codes(key[0])[key[1]] for key in seen}
    limit = int(core.rows.decided_ms.max()) + 800 * DAY_MS
    for t in sorted({min(int(until[key]), limit) for key in seen}):
        core.tick(t - 1)
        for slot, d in seen:
            assert until[slot, d] < t or core.codes(slot)[d] == before[slot, d]
        core.tick(t)
        for slot, d in seen:
            if until[slot, d] == t and following[slot, d] >= 0:
                assert core.codes(slot)[d] == following[slot, d]


@settings(max_examples=80)
@given(st.data())
def test_a_change_says_what_the_outlook_says(data: st.DataObject) -> None:
    """The forecast in a change is the outlook of its row at that moment."""
    core = played(data)
    changes = core.tick(int(core.rows.decided_ms.max()) + 3 * DAY_MS)
    last: dict[tuple[int, int], Any] = {(int(one.slot), int(one.dimension)): one for one in changes}
    until, following = core.outlook()
    for (slot, d), change in last.items():
        if change.decided_ms == core.rows[slot].decided_ms:
            assert (change.valid_until_ms, change.next_segment) == (until[slot, d], following[slot, d])


@settings(max_examples=80)
@given(st.data())
def test_nobody_leaves_before_the_dwell_nor_returns_before_the_cooldown(data: st.DataObject) -> None:
    """A segment with a minimum dwell is left no earlier than that; one with a cooldown entered again no earlier."""
    core = played(data)
    core.tick(int(core.rows.decided_ms.max()) + 100 * DAY_MS)
    entered: dict[tuple[int, int], int] = {}
    for change in core.changes:
        key = (int(change.slot), int(change.dimension))
        dimension = core.judge.definitions.dimensions[key[1]]
        if change.previous > 0 and dimension.kind != CLUSTER:
            assert change.decided_ms >= entered[key] + dimension.segments[change.previous - 1].dwell_ms
        elif key in entered and dimension.kind != CLUSTER:
            assert change.decided_ms >= entered[key] + dimension.cooldown_ms
        entered[key] = int(change.decided_ms)
        assert change.valid_until_ms > change.decided_ms


@settings(max_examples=60)
@given(st.data())
def test_silence_ends(data: st.DataObject) -> None:
    """Without clusters a silent customer is decided finitely often: the due time becomes never."""
    core = Core(data.draw(documents()))
    core.apply(data.draw(sequences()), attributes=data.draw(attribute_rows()))
    core.tick(int(core.rows.decided_ms.max()) + 100_000 * DAY_MS)
    assert np.all(core.due_ms == NEVER_MS)
