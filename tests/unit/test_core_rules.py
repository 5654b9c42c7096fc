"""Dwell, hysteresis, priority, attributes and clusters: how a dimension answers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.changes import DEFINITION, MODEL, SILENCE
from models.customers.row import DAY_MS, NEVER_MS, OF_BEFORE, REMOVED
from models.definitions.language import string_value
from models.workspace import HELD, SUPPRESSED
from tests.core import HOUR_MS, T0, Core, attributes, click, document, order, profile, segments, snapshot


def audience(*conditions: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """A document with the one dimension `audience`."""
    return document({"audience": segments(*conditions)}, **more)


def test_dwell_holds_a_flip_back_and_releases_it_in_time() -> None:
    """With two days of dwell a flip after a day is held, and published at exactly two days."""
    rules = document({"audience": segments(("fresh", "days_since_click < 1"), ("rest", "always"), dwell_days=2)})
    core = Core(rules)
    core.apply(click(T0))
    core.tick(T0 + 2 * DAY_MS - 1)
    assert core.segment("audience") == "fresh"
    assert core.engine.counters[SUPPRESSED] > 0
    changes = core.tick(T0 + 2 * DAY_MS)
    assert core.history("audience") == [("fresh", T0), ("rest", T0 + 2 * DAY_MS)]
    assert changes[0].trigger == SILENCE
    assert changes[0].reason[0] >= 0


def test_dwell_forgets_a_flip_that_flips_back() -> None:
    """What comes back before the dwell ends never left."""
    rules = document({"audience": segments(("fresh", "days_since_click < 1"), ("rest", "always"), dwell_days=2)})
    core = Core(rules)
    core.apply(click(T0), click(T0 + 2 * DAY_MS - 1))
    core.tick(T0 + 2 * DAY_MS)
    assert core.history("audience") == [("fresh", T0)]


def test_a_change_under_dwell_forecasts_the_end_of_the_dwell() -> None:
    """`valid_until` of a segment with a dwell is not before the dwell ends."""
    rules = document({"audience": segments(("fresh", "days_since_click < 1"), ("rest", "always"), dwell_days=2)})
    core = Core(rules)
    (change,) = core.apply(click(T0))
    assert (change.valid_until_ms, change.next_segment) == (T0 + 2 * DAY_MS, 2)


def hysteresis(stay: str) -> dict[str, Any]:
    """Entered with three orders, kept while `stay`."""
    entered = {"name": "in", "when": "recent_orders in 10 days >= 3", "stay": stay}
    return document({"audience": {"segments": [entered, {"name": "out", "when": "always"}]}})


def test_a_looser_exit_keeps() -> None:
    """Entered with three orders in ten days, kept while there is one."""
    core = Core(hysteresis("recent_orders in 10 days >= 1"))
    core.apply(*(order(T0 + i * DAY_MS) for i in range(3)))
    core.tick(T0 + 100 * DAY_MS)
    assert core.history("audience") == [("out", T0), ("in", T0 + 2 * DAY_MS), ("out", T0 + 12 * DAY_MS)]
    assert core.engine.counters[HELD] > 0
    assert core.engine.counters[SUPPRESSED] == 0


def test_a_tighter_exit_does_not_flap() -> None:
    """A `stay` that is tighter than `when` means `when`: looking again never flips an answer."""
    core = Core(hysteresis("recent_orders in 10 days >= 5"))
    core.apply(*(order(T0 + i) for i in range(3)))
    for i in range(5):
        assert len(core.apply(click(T0 + 10 + i))) == 0
    assert core.segment("audience") == "in"
    assert core.engine.counters[HELD] == 0


def test_the_first_that_holds_wins() -> None:
    """Of two conditions that hold, the earlier segment is the answer, also for one who is in the later."""
    core = Core(audience(("big", "orders >= 2"), ("any", "orders >= 1")))
    core.apply(click(T0))
    assert core.segment("audience") is None
    assert core.apply(order(T0 + 1))[0].previous == 0
    assert core.segment("audience") == "any"
    core.apply(order(T0 + 2))
    assert core.segment("audience") == "big"


def test_no_segment_is_an_answer() -> None:
    """Without a last resort a customer leaves into no segment, and the change says so."""
    core = Core(audience(("fresh", "days_since_click < 1")))
    core.apply(click(T0))
    (change,) = core.tick(T0 + DAY_MS)
    assert (change.previous, change.segment) == (1, 0)
    assert core.segment("audience") is None
    assert change.reason[0] == 0
    assert (change.reason_before[0], change.reason_after[0]) == (0.0, float(DAY_MS))


ATTRIBUTES = {"age": "number", "country": "string"}
PRESENT_OR_NOT = ("profile.age < 18", "profile.age >= 18", "profile.age != 20", "profile.age present",
                  'profile.country != "Italy"', 'profile.country == "France"')  # fmt: skip


@pytest.mark.parametrize("condition", PRESENT_OR_NOT)
def test_what_is_absent_satisfies_nothing(condition: str) -> None:
    """Before any profile, after a tombstone, and when null, no comparison holds, not even `!=`."""
    core = Core(audience(("yes", condition), ("no", "always"), attributes=ATTRIBUTES))
    core.apply(click(T0))
    assert core.segment("audience") == "no"
    core.apply(profile(T0 + 1, 0), attributes=attributes(()))
    assert core.segment("audience") == "no"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("profile.age >= 18", True),
        ("profile.age < 18", False),
        ("profile.age present", True),
        ('profile.country == "France"', True),
        ("profile.country == France", True),
        ('profile.country != "France"', False),
        ('profile.country != "Italy"', True),
        ({"not": 'profile.country == "Italy"'}, True),
    ],
)
def test_attributes_are_compared(condition: Any, holds: bool) -> None:  # noqa: FBT001 - parametrized
    """Numbers by order, strings by equality; a tombstone takes it back."""
    core = Core(audience(("yes", condition), ("no", "always"), attributes=ATTRIBUTES))
    core.apply(profile(T0, 0), attributes=attributes((18.0, string_value("France"))))
    assert (core.segment("audience") == "yes") == holds
    core.apply(profile(T0 + 1, 0), attributes=attributes(()))
    assert (core.segment("audience") == "yes") == isinstance(condition, dict)


def test_reasons_of_attributes_say_what_was() -> None:
    """An attribute that appears is the reason, absent before."""
    core = Core(audience(("adult", "profile.age >= 18"), ("rest", "always"), attributes=ATTRIBUTES))
    core.apply(click(T0))
    (change,) = core.apply(profile(T0 + 1, 0), attributes=attributes((30.0,)))
    assert math.isnan(change.reason_before[0])
    assert change.reason_after[0] == 30.0
    assert math.isfinite(change.margin)


@pytest.mark.parametrize(("amount", "inside"), [(1999, True), (1998, False)])
@pytest.mark.parametrize("feature", ["spend", "average_order", "recent_spend in 30 days"])
def test_money_is_exact_to_the_cent(feature: str, amount: int, inside: bool) -> None:  # noqa: FBT001 - parametrized
    """19.99 is 1999 cents and no hair more or less, in every feature of money."""
    for op in (">=", "=="):
        core = Core(audience(("yes", f"{feature} {op} 19.99")))
        core.apply(order(T0, amount))
        assert (core.segment("audience") == "yes") == inside


@pytest.mark.parametrize("window", ["36 hours", "2 weeks", "3 days"])
def test_windows_end_at_the_millisecond(window: str) -> None:
    """An order counts for exactly as long as the window says."""
    core = Core(audience(("yes", f"recent_orders in {window} >= 1"), ("no", "always")))
    core.apply(order(T0))
    ends = T0 + {"36 hours": 36 * HOUR_MS, "2 weeks": 14 * DAY_MS, "3 days": 3 * DAY_MS}[window]
    core.tick(ends - 1)
    assert core.segment("audience") == "yes"
    core.tick(ends)
    assert core.history("audience")[-1] == ("no", ends)


GROUPS = document(
    {"groups": {"kind": "cluster", "margin": 0.1, "review_days": 7}, "audience": segments(("all", "always"))}
)
NEAR, FAR = snapshot((3, -0.5), (7, 5.0)), snapshot((7, -0.5), (8, 5.0), version=2)


def test_clusters_are_reviewed_in_silence() -> None:
    """With a model a silent customer is looked at every review; without one never."""
    core = Core(GROUPS)
    core.apply(click(T0))
    assert core.segment("groups") == "unassigned"
    assert core.due_ms[0] == NEVER_MS
    core.adopt(None, NEAR, T0)
    (change,) = core.rejudge([0], T0)
    assert (change.trigger, core.segment("groups")) == (MODEL, "cluster-3")
    assert (change.valid_until_ms, change.next_segment) == (T0 + 7 * DAY_MS, -1)
    assert core.due_ms[0] == T0 + 7 * DAY_MS
    core.tick(T0 + 8 * DAY_MS)
    assert core.due_ms[0] == T0 + 14 * DAY_MS


def test_a_cluster_that_is_gone_is_left() -> None:
    """Whoever is in a cluster that a model no longer has moves to the nearest it has; ids are what stays."""
    core = Core(GROUPS, NEAR)
    core.apply(click(T0))
    core.adopt(None, FAR, T0 + 5)
    (change,) = core.rejudge([0], T0 + 5)
    assert (change.previous, change.segment, change.decided_ms) == (3, 7, T0 + 5)


def test_cluster_ids_run_past_the_codes_of_rules() -> None:
    """A cluster id above any segment code survives new definitions."""
    core = Core(GROUPS, snapshot((500, -0.5)))
    core.apply(click(T0))
    other = document({"audience": segments(("all", "always")), "groups": GROUPS["dimensions"]["groups"]})
    core.adopt(other, snapshot((500, -0.5)), T0)
    assert len(core.rejudge([0], T0)) == 0
    assert core.segment("groups") == "cluster-500"


def test_an_edited_away_segment_is_left_even_for_none() -> None:
    """Who was in a segment that new definitions lack is told so, also when no segment follows."""
    core = Core(audience(("vip", "orders >= 1"), ("fan", "clicks >= 1")))
    core.apply(order(T0))
    core.adopt(audience(("fan", "clicks >= 1")), None, T0 + 10)
    (change,) = core.rejudge([0], T0 + 10)
    assert (change.previous, change.segment, change.trigger) == (OF_BEFORE + 1, 0, DEFINITION)
    core.apply(click(T0 + 20))
    assert core.history("audience")[-1] == ("fan", T0 + 20)


def test_a_dimension_edited_away_is_left_once() -> None:
    """Who had a segment in a dimension that new definitions lack is told so; who had none is not."""
    two = document({"gone": segments(("buyer", "orders >= 1")), "kept": segments(("all", "always"))})
    core = Core(two)
    core.apply(order(T0), click(T0, slot=1))
    core.adopt(document({"kept": two["dimensions"]["kept"]}), None, T0 + 10)
    (change,) = core.rejudge([0, 1], T0 + 10)
    assert (change.slot, change.dimension, change.previous, change.segment) == (0, 0, 1, REMOVED)
    assert (change.trigger, change.decided_ms, change.seq) == (DEFINITION, T0 + 10, core.rows[0].seq)
    assert len(core.rejudge([0, 1], T0 + 10)) == 0


def test_segments_keep_their_names_when_moved() -> None:
    """Segments in another order are the same segments, and a new one takes only those it describes."""
    core = Core(audience(("a", "orders >= 3"), ("b", "orders >= 1"), ("c", "always")))
    core.apply(order(T0), click(T0, slot=1))
    core.adopt(audience(("new", "clicks >= 1"), ("c", "orders == 0"), ("b", "always")), None, T0 + 10)
    changes = core.rejudge([0, 1], T0 + 10)
    assert [core.segment("audience", slot) for slot in (0, 1)] == ["b", "new"]
    assert changes.slot.tolist() == [1]
    assert core.since("audience", 0) == T0


def test_attributes_keep_their_names_when_moved() -> None:
    """An attribute declared in another place is still the customer's; a new one is absent."""
    core = Core(audience(("adult", "profile.age >= 18"), ("rest", "always"), attributes=ATTRIBUTES))
    core.apply(profile(T0, 0), attributes=attributes((30.0, string_value("France"))))
    moved = {"plan": "string", "country": "string", "age": "number"}
    core.adopt(audience(("french", 'profile.country == "France"'), ("rest", "always"), attributes=moved), None, T0)
    core.rejudge([0], T0)
    assert core.segment("audience") == "french"
    assert core.rows[0].attribute[:3].tolist()[1:] == [string_value("France"), 30.0]
    assert math.isnan(core.rows[0].attribute[0])


def test_a_deadline_after_the_last_year_of_four_digits_is_none() -> None:
    """Fourteen thousand years hence is no date that anybody could read: the answer holds for ever."""
    core = Core(audience(("recent", "days_since_order < 5000000"), ("rest", "always")))
    (change,) = core.apply(order(T0))
    assert (change.valid_until_ms, change.next_segment) == (NEVER_MS, -1)
    until, following = core.outlook()
    assert (until[0, 0], following[0, 0]) == (NEVER_MS, -1)
