"""New definitions and models: the same result whoever is judged when, and names that survive."""

from __future__ import annotations

import copy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.changes import DEFINITION, MODEL
from models.customers.row import DAY_MS
from models.definitions.language import parse
from tests.core import Core, content, snapshot
from tests.property.strategies import attribute_rows, documents, sequences
from tests.property.test_core_order import histories

MODELS = (None, snapshot((1, -0.5), (2, 0.0), (3, 0.5)), snapshot((2, 0.1), (4, 0.6), version=2))


@settings(max_examples=120)
@given(st.data())
def test_the_order_of_rejudging_leaves_no_trace(data: st.DataObject) -> None:
    """Judged anew in chunks of any order, or when the next event comes: the same rows and histories."""
    old, new = data.draw(documents()), data.draw(documents())
    models, values = data.draw(st.permutations(list(MODELS))), data.draw(attribute_rows())
    events = data.draw(sequences(customers=4, size=20, least=2))
    half = len(events) // 2
    adopted_ms = data.draw(st.integers(0, 1)) * 50 * DAY_MS + int(events["ts_ms"][half - 1])
    cores = []
    for _ in range(2):
        core = Core(old, models[0])
        core.apply(events[:half], attributes=values)
        known = len(core.rows)
        core.adopt(new, models[1], adopted_ms)
        waiting: list[int] = data.draw(st.permutations(list(range(known))))
        for i in range(half, len(events)):
            if data.draw(st.booleans()) and waiting:
                core.rejudge([waiting.pop()], 0)  # no time passes: an event may still come before adopted_ms
            core.apply(events[i : i + 1], attributes=values)
        core.rejudge(sorted(waiting), 0)
        core.tick(int(max(events["ts_ms"][-1], adopted_ms)) + 90 * DAY_MS)
        cores.append(core)
    assert histories(cores[0]) == histories(cores[1])
    assert content(cores[0].rows, "seq") == content(cores[1].rows, "seq")
    assert cores[0].due_ms.tobytes() == cores[1].due_ms.tobytes()


@settings(max_examples=80)
@given(st.data())
def test_reordering_changes_nobody(data: st.DataObject) -> None:
    """Dimensions in another order are the same dimensions: nobody's segment, nor since when, changes."""
    document = data.draw(documents())
    other = copy.deepcopy(document)
    for kind in {"dimensions", "audiences"} & document.keys():
        other[kind] = {name: document[kind][name] for name in data.draw(st.permutations(list(document[kind])))}
    names = [one.name for one in parse(document).dimensions]
    core = Core(document, MODELS[1])
    core.apply(data.draw(sequences()), attributes=data.draw(attribute_rows()))
    before = [(core.segment(name, slot), core.since(name, slot)) for name in names for slot in range(len(core.rows))]
    slots = [slot for slot in range(len(core.rows)) if core.rows[slot].first_ms]
    core.adopt(other, MODELS[1], 0)
    assert len(core.rejudge(slots, 0)) == 0
    after = [(core.segment(name, slot), core.since(name, slot)) for name in names for slot in range(len(core.rows))]
    assert after == before


@settings(max_examples=80)
@given(st.data())
def test_nobody_stays_where_new_definitions_do_not_put_them(data: st.DataObject) -> None:
    """After an adoption every row is of the new generation and in segments that the new definitions know."""
    old, new = data.draw(documents()), data.draw(documents())
    core = Core(old, MODELS[1])
    core.apply(data.draw(sequences(customers=3)), attributes=data.draw(attribute_rows()))
    at = int(core.rows.decided_ms.max()) + data.draw(st.sampled_from([0, 1, 40])) * DAY_MS
    before = [one.name for one in core.judge.definitions.dimensions]
    names = {(slot, name): core.segment(name, slot) for slot in range(len(core.rows)) for name in before}
    due = core.due_ms.copy()
    core.adopt(new, MODELS[2], at)
    changes = core.rejudge(range(len(core.rows)), at)
    assert set(core.rows.generation.tolist()) == {1}
    known = {segment.name for dimension in parse(new).dimensions for segment in dimension.segments}
    for slot in np.flatnonzero(core.rows.first_ms).tolist():
        for d, dimension in enumerate(core.judge.definitions.dimensions):
            name = core.segment(dimension.name, slot)
            assert name is None or dimension.kind == "cluster" or name in known
            was = names.get((slot, dimension.name))
            silent = due[slot] > at
            if silent and was is not None and was != name and dimension.kind != "cluster":
                told = changes[(changes.slot == slot) & (changes.dimension == d)]
                assert len(told) == 1
                assert told[0].trigger in (DEFINITION, MODEL)
                assert told[0].segment == core.codes(slot)[d]


@settings(max_examples=60)
@given(st.data())
def test_deadlines_before_an_adoption_are_judged_by_the_old_rules(data: st.DataObject) -> None:
    """What fell due before an adoption is published as if the tick had come in time, under the old names."""
    old, new = data.draw(documents()), data.draw(documents())
    events, values = data.draw(sequences(customers=2)), data.draw(attribute_rows())
    at = int(events["ts_ms"][-1]) + 40 * DAY_MS
    ticked, lazy = Core(old, MODELS[1]), Core(old, MODELS[1])
    for core in (ticked, lazy):
        core.apply(events, attributes=values)
    ticked.tick(at)
    for core in (ticked, lazy):
        core.adopt(new, MODELS[1], at)
        core.rejudge(range(len(core.rows)), at + 10 * DAY_MS)
    assert histories(ticked) == histories(lazy)
    assert content(ticked.rows, "seq") == content(lazy.rows, "seq")
