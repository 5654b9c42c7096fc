"""Audiences as bits: whatever happens, they answer as dimensions of one segment do."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.customers.row import DAY_MS
from models.definitions.language import IN
from tests.core import Core, content, snapshot
from tests.property.strategies import attribute_rows, documents, sequences

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))


def as_dimensions(document: dict[str, Any]) -> dict[str, Any]:
    """The same questions with every audience as a dimension of one segment, in the same order."""
    other = json.loads(json.dumps(document).replace("not in audience ", "not-").replace("in audience ", "in-"))
    other["dimensions"] |= {
        name: {"segments": [{"name": IN, **entry}]} for name, entry in other.pop("audiences", {}).items()
    }
    text = json.dumps(other)
    for name in document.get("audiences", {}):
        text = text.replace(f'"not-{name}"', f'"dimension {name} is not {IN}"')
        text = text.replace(f'"in-{name}"', f'"dimension {name} is {IN}"')
    found: dict[str, Any] = json.loads(text)
    return found


def same(bits: Core, dimensions: Core) -> None:
    """The same changes in every field, due times, answers and forecasts; dates where there are any."""
    assert content(bits.changes) == content(dimensions.changes)
    assert bits.due_ms.tobytes() == dimensions.due_ms.tobytes()
    assert [one.tobytes() for one in bits.outlook()] == [one.tobytes() for one in dimensions.outlook()]
    for slot in range(len(bits.rows)):
        assert bits.codes(slot) == dimensions.codes(slot)
    since, dates = bits.judge.since_ms(bits.rows), dimensions.judge.since_ms(dimensions.rows)
    dated = [d for d, one in enumerate(bits.judge.definitions.dimensions) if one.has_date]
    assert (since[:, dated] == dates[:, dated]).all()


@settings(max_examples=150)
@given(st.data())
def test_a_bit_answers_as_a_dimension_of_one_segment(data: st.DataObject) -> None:
    """Through events, silence and the passing of deadlines."""
    document, values = data.draw(documents()), data.draw(attribute_rows())
    cores = Core(document, MODEL), Core(as_dimensions(document), MODEL)
    events = data.draw(sequences(least=2))
    until_ms = int(events["ts_ms"][-1]) + data.draw(st.integers(0, 60)) * DAY_MS
    for core in cores:
        core.apply(events[: len(events) // 2], attributes=values)
        core.apply(events[len(events) // 2 :], attributes=values)
        core.tick(until_ms)
    same(*cores)


@settings(max_examples=100)
@given(st.data())
def test_an_adoption_carries_bits_as_it_carries_segments(data: st.DataObject) -> None:
    """Audiences come, go, change what they ask, and keep who is in: by name, wherever the bit lies then."""
    old, new = data.draw(documents()), data.draw(documents())
    if "audiences" in old and data.draw(st.booleans()):
        new = copy.deepcopy(old)
        names = data.draw(st.permutations(list(old["audiences"])))
        new["audiences"] = {name: old["audiences"][name] for name in names}
    for name in old.get("audiences", {}).keys() & new.get("audiences", {}).keys():
        there, entry = old["audiences"][name], new["audiences"][name]  # who gets a date has none at first: tested below
        for key in ("dwell_days", "cooldown_days"):
            entry.pop(key, None)
            if key in there:
                entry[key] = there[key]
    events, values = data.draw(sequences(customers=3, least=2)), data.draw(attribute_rows())
    adopted_ms = int(events["ts_ms"][-1]) + data.draw(st.sampled_from([0, 1, 40])) * DAY_MS
    cores = Core(old, MODEL), Core(as_dimensions(old), MODEL)
    for core, other in zip(cores, (new, as_dimensions(new)), strict=True):
        core.apply(events, attributes=values)
        core.adopt(other, MODEL, adopted_ms)
        core.rejudge([slot for slot in range(len(core.rows)) if core.rows[slot].first_ms], adopted_ms)
    assert content(cores[0].changes, "valid_until_ms", "next_segment") == content(
        cores[1].changes, "valid_until_ms", "next_segment"
    )
    for slot in range(len(cores[0].rows)):
        assert cores[0].codes(slot) == cores[1].codes(slot)
