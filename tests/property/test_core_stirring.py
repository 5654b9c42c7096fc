"""What the kernel passes over: judged or not, it would have stayed; and masks answer as the code does."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.customers.row import DAY_MS, NEVER_MS
from models.definitions.evaluate import answer, holds
from models.definitions.language import parse
from models.definitions.stirring import moved_by, waits
from models.engine import judge_of
from models.features import catalogue as c
from models.features.compute import value
from models.workspace import workspace
from tests.core import Core, document, segments, snapshot
from tests.property.strategies import GAPS_MS, attribute_rows, documents, sequences

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))
WORK = workspace()


EVERY_FEATURE = (
    *c.FEATURES,
    *(c.clicked("shoes", place) for place in range(2)),
    *(
        c.following(first, second)
        for first in ("order", "click", "cart", "open", "email")
        for second in ("order", "click")
    ),
)


def wait(core: Core, until_ms: int, *, forgets: bool) -> None:
    """Let time pass, a due time after the other."""
    while (due := int(core.due_ms.min(initial=NEVER_MS))) <= until_ms:
        forget(core, forgets=forgets)
        core.tick(due)


def forget(core: Core, *, forgets: bool) -> None:
    """Let it not be known what may have moved, so that everything is judged."""
    if forgets:
        core.engine.table.calm_ms[:] = 0


@settings(max_examples=150)
@given(st.data())
def test_what_is_passed_over_would_have_stayed(data: st.DataObject) -> None:
    """Judging what can have moved gives the rows, due times, changes and counters of judging everything."""
    drawn, model = data.draw(documents()), data.draw(st.sampled_from([None, MODEL]))
    cores = [Core(drawn, model) for _ in range(2)]
    events, attributes = data.draw(sequences()), data.draw(attribute_rows())
    late = data.draw(st.integers(0, len(events)))  # it comes last
    order = [i for i in range(len(events)) if i != late] + [late] * (late < len(events))
    adopted = data.draw(st.integers(0, 2 * len(events)))  # before this one, and often never
    newer = data.draw(documents()) if adopted < len(events) else None
    for number, i in enumerate(order):
        gap_ms = data.draw(GAPS_MS)
        for core, forgets in zip(cores, (False, True), strict=True):
            stream_ms = int(core.rows.decided_ms.max(initial=0))
            if number == adopted:
                wait(core, stream_ms, forgets=forgets)
                core.adopt(newer, MODEL, stream_ms)
                core.rejudge(range(len(core.rows)), stream_ms)
            forget(core, forgets=forgets)
            core.apply(events[i : i + 1], attributes=attributes)
            wait(core, int(events["ts_ms"][i]) + gap_ms, forgets=forgets)
    assert cores[0].digest() == cores[1].digest()


@settings(max_examples=150)
@given(sequences(customers=1), attribute_rows(), GAPS_MS)
def test_only_what_is_said_to_moves_a_feature(
    events: NDArray[np.void], attributes: NDArray[np.float64], gap_ms: int
) -> None:
    """An event of another kind leaves a feature as it is, and so does waiting where it is not said to wait."""
    core = Core(document({"only": segments(("all", "orders >= 0"))}, categories=["shoes", "books"]))
    model = core.judge.rules.model[0]

    def read(row: Any, now: int, feature: c.Feature) -> str:
        window_ms = 7 * DAY_MS if feature.windowed else 0
        return repr(float(value(row, now, feature.kind, feature.source, window_ms, model)))  # NaN is NaN

    core.apply(events[:1], attributes=attributes)
    for i in range(1, len(events)):
        now, kind = int(events["ts_ms"][i]), 1 << int(events["kind"][i])
        before = core.rows[:1].copy()[0]
        core.apply(events[i : i + 1], attributes=attributes)
        for feature in EVERY_FEATURE:
            after = read(core.rows[0], now, feature)
            if not moved_by(feature.kind, feature.source) & kind:
                assert read(before, now, feature) == after, feature.name
            if not waits(feature.kind, feature.source):
                assert read(core.rows[0], now + gap_ms, feature) == after, feature.name


@settings(max_examples=300)
@given(documents(), st.randoms(use_true_random=False))
def test_masks_answer_as_the_code_does(drawn: object, chance: object) -> None:
    """Whatever holds of the terms and wherever a customer is: the first segment whose code says so."""
    plan = judge_of(parse(drawn), None).rules.plan
    truth = np.array([chance.random() < 0.5 for _ in plan.terms], np.bool_)  # type: ignore[attr-defined]  # a Random
    for d in range(len(plan.dimensions)):
        first, last = plan.dimensions[d]["segments"]
        for current in range(last - first + 1):
            spans = [plan.segments[s]["stay" if s - first + 1 == current else "enter"] for s in range(first, last)]
            held = [s + 1 for s, (a, b) in enumerate(spans) if holds(plan, a, b, truth, WORK.stack)]
            assert answer(plan, d, current, truth, WORK.stack) == (held[0] if held else 0)
