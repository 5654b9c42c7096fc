"""What is proved of a document holds for every customer: nothing that was ever seen is called impossible."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from numpy.typing import NDArray

from models.customers.row import DAY_MS
from models.definitions.analysis.facts import Knowledge, reading_of
from models.definitions.analysis.proof import Prover
from models.definitions.analysis.ranges import Values, domain_of
from models.definitions.compile import compile_plan
from models.definitions.document import All, Condition, Definitions, Not, Term
from models.definitions.evaluate import judge, tell
from models.definitions.language import parse
from models.features.catalogue import FEATURES
from tests.core import Core, document, segments
from tests.property.strategies import attribute_rows, documents, sequences

WINDOWS = (1, 7, 30, 90)
EVERYTHING = [f"{f.name} in {days} days >= 1" for f in FEATURES if f.windowed for days in WINDOWS]
EVERYTHING += [f"{f.name} >= 1" for f in FEATURES if not f.windowed]
ASKED = parse(document({"all": segments(("all", {"any": EVERYTHING}))}))
PLAN, TERMS = compile_plan(ASKED)
READINGS = [reading_of(TERMS[k]) for k in np.argsort(PLAN.terms["reading"]).tolist()]  # each term has one of its own


def seen(core: Core, now: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The readings and the truth of the terms of the first customer at a time."""
    plan, terms = core.judge.rules.plan, core.judge.terms
    values, truth = np.zeros(max(len(plan.readings), 1)), np.zeros(max(len(terms), 1), np.bool_)
    judge(core.rows[0], now, plan, core.judge.rules.model[0], values, truth)
    for d in range(len(plan.dimensions)):
        tell(plan, d, core.codes()[d], values, truth)
    return values, truth


def moments(core: Core, events: Any, values: Any) -> Any:
    """The customer's times: after each event, a millisecond later, and days later."""
    for i in range(len(events)):
        core.apply(events[i : i + 1], attributes=values)
        decided = int(core.rows[0].decided_ms)
        yield from (decided, decided + 1, decided + 30 * DAY_MS, decided + 31 * DAY_MS)


def truth_of(condition: Condition, truths: dict[Term, bool]) -> bool:
    """The truth of a condition by that of its comparisons."""
    if isinstance(condition, Term):
        return truths[condition]
    if isinstance(condition, Not):
        return not truth_of(condition.part, truths)
    parts = [truth_of(part, truths) for part in condition.parts]
    return all(parts) if isinstance(condition, All) else any(parts)


def conditions_of(definitions: Definitions) -> list[Condition]:
    """Every condition for entering and staying."""
    found = [segment for dimension in definitions.dimensions for segment in dimension.segments]
    return [condition for segment in found for condition in (segment.enter, segment.stay)]


@settings(max_examples=40)
@given(sequences(customers=1, size=8, profiles=0))
def test_no_fact_contradicts_a_customer(events: Any) -> None:
    """All readings of a real row at once are possible: every fact of the table is true of it."""
    core = Core(ASKED)
    for now in moments(core, events, np.full((1, 8), np.nan)):
        values, _ = seen(core, now)
        known = Knowledge()
        for reading, x in zip(READINGS, values.tolist(), strict=True):
            assert known._narrow(reading, Values(((x, x),), absent=False), domain_of(reading.feature)), reading
        assert known.is_possible()


@settings(max_examples=80)
@given(documents(), sequences(customers=1, size=5), attribute_rows())
def test_what_holds_for_a_customer_is_never_proved_impossible(written: dict[str, Any], events: Any, rows: Any) -> None:
    """All conditions of a document with the truth they have for a customer: together possible."""
    core = Core(parse(written))
    conditions = conditions_of(core.judge.definitions)
    for now in moments(core, events, rows):
        _, truth = seen(core, now)
        truths = dict(zip(core.judge.terms, truth.tolist(), strict=False))
        claims = [(condition, truth_of(condition, truths)) for condition in conditions]
        assert Prover().can_hold(*claims)
        for claim in claims:
            assert Prover().can_hold(claim)
