"""While definitions are adopted, rows and changes of the rules before are counted in the names of those."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from models.customers.row import DAY_MS, REMOVED
from stream import clock
from stream.metrics.registry import Metrics
from stream.worker.census import Census
from stream.worker.observer import Observer
from stream.worker.replica import NO_MORE, Mark, Outcome
from tests.core import HOUR_MS, T0, Core, click, document, segments

LIFE = segments(("a", "clicks >= 3"), ("b", "clicks >= 2"), ("c", "always"))
VALUE = segments(("x", "clicks >= 9"), ("y", "clicks in 1 day >= 1"), ("z", "always"))


async def nowhere(*_: Any) -> None:
    """No trainer."""


def test_rows_of_the_rules_before_are_not_counted_in_new_names() -> None:
    """A segment that is no more has nobody; who waits to be judged anew is counted afterwards."""
    core = Core(document({"life": LIFE}))
    core.apply(click(T0))
    census = Census()
    census.advance(core.engine)
    assert {key: counts[0] for key, counts in census.sizes.items()} == {("life", "c"): 1}
    core.adopt(document({"life": segments(("a", "clicks >= 3"), ("b", "always"))}), None, T0 + HOUR_MS)
    census.advance(core.engine)
    assert census.sizes == {}
    core.rejudge([0], T0 + HOUR_MS)
    census.advance(core.engine)
    assert {key: counts[0] for key, counts in census.sizes.items()} == {("life", "b"): 1}


@pytest.mark.parametrize("kept", ["life", "value"])
def test_changes_of_the_rules_before_have_their_names(kept: str) -> None:
    """A dimension goes while a silence of before its end is told: entries and exits are those of its own segments."""
    before = {"life": LIFE, "value": VALUE}
    core = Core(document(before))
    core.apply(click(T0))
    core.adopt(document({kept: before[kept]}), None, T0 + 3 * DAY_MS)
    generation = core.engine.adoption.generation
    marks = [
        Mark(
            NO_MORE if one.segment == REMOVED else int(one.dimension),
            int(one.trigger),
            int(one.previous),
            int(one.segment),
            bool(one.generation == generation),
        )
        for one in core.rejudge([0], T0 + 3 * DAY_MS)
    ]
    assert [mark.recent for mark in marks if mark.dimension != NO_MORE].count(False) == 1
    metrics = Metrics()
    partition: Any = SimpleNamespace(number=0, replica=SimpleNamespace(engine=core.engine))
    Observer(metrics, clock, nowhere, lambda _: None).executed(partition, Outcome(1, marks=marks), None)
    assert metrics.segment_exits.labels("value", "y")._value.get() == 1
    assert metrics.segment_entries.labels("value", "z")._value.get() == 1
