"""The shipped dimensions at their borders, to the millisecond, and a year of silence."""

from __future__ import annotations

import pytest

from models import events as e
from models.changes import SILENCE
from models.customers import row as r
from models.customers.row import DAY_MS, NEVER_MS
from tests.core import HOUR_MS, T0, Core, attributes, click, email, order, profile

STEPS = [  # of a customer with one order, in days since that order
    ("active", 30),
    ("cooling", 45),
    ("at risk", 90),
    ("dormant", 180),
]


@pytest.mark.parametrize(("name", "days"), STEPS)
def test_silence_takes_effect_at_the_millisecond(name: str, days: int) -> None:
    """One millisecond before the stated border nothing has changed; at it, it has."""
    core = Core()
    core.apply(order(T0))
    core.tick(T0 + days * DAY_MS - 1)
    assert core.segment("lifecycle") != name
    told = core.tick(T0 + days * DAY_MS)
    assert core.segment("lifecycle") == name
    mine = told[told.dimension == core.place("lifecycle")]
    assert [(int(one.trigger), int(one.occurred_ms)) for one in mine] == [(SILENCE, T0 + days * DAY_MS)]


def test_a_year_of_silence_makes_each_step_once() -> None:
    """New, active, cooling, at risk, dormant: each once, each at its time, and then nothing more is due."""
    core = Core()
    core.apply(order(T0))
    for day in range(1, 800, 3):
        core.tick(T0 + day * DAY_MS)
    expected = [("new", T0), *((name, T0 + days * DAY_MS) for name, days in STEPS)]
    assert core.history("lifecycle") == expected
    core.tick(T0 + 40_000 * DAY_MS)
    assert core.due_ms[0] == NEVER_MS
    assert core.history("lifecycle") == expected


def test_a_change_says_until_when_and_what_next() -> None:
    """A new customer's change says that she is active in thirty days."""
    core = Core()
    changes = core.apply(order(T0))
    mine = changes[changes.dimension == core.place("lifecycle")][0]
    assert mine.valid_until_ms == T0 + 30 * DAY_MS
    assert core.judge.segment_name(0, int(mine.next_segment)) == "active"


def test_back_after_four_months_is_returned() -> None:
    """An order 120 days after the last makes a customer returned; a millisecond earlier it does not."""
    for gap_ms, expected in ((120 * DAY_MS, "returned"), (120 * DAY_MS - 1, "active")):
        core = Core()
        core.apply(order(T0 - 300 * DAY_MS), order(T0), order(T0 + gap_ms))
        assert core.segment("lifecycle") == expected


def test_a_click_alone_makes_a_prospect() -> None:
    """Who never ordered is a prospect, and stays one however long she is silent."""
    core = Core()
    core.apply(click(T0))
    core.tick(T0 + 5000 * DAY_MS)
    assert core.history("lifecycle") == [("prospect", T0)]


def test_refunds_lower_the_value_tier() -> None:
    """Value is spend less refunds, low at the least for who has ordered; a refund is no order."""
    core = Core()
    core.apply(order(T0, 300_000))
    assert core.segment("value") == "high"
    core.apply(order(T0 + 1, -250_000))
    assert core.segment("value") == "low"
    core.apply(order(T0 + 2, -100_000))
    assert core.segment("value") == "low"
    assert (core.rows[0].count[r.ORDERS], core.rows[0].count[r.REFUNDS]) == (1, 2)


def test_a_refund_before_any_order_is_legal() -> None:
    """A refund without an order leaves a prospect of no value, and everything finite."""
    core = Core()
    core.apply(order(T0, -5000))
    assert (core.segment("lifecycle"), core.segment("value"), core.segment("rfm")) == (
        "prospect",
        "none",
        "no order",
    )


def test_intent_rises_and_falls() -> None:
    """Six clicks with something in the cart are hot; below three by decay it is over; after a week idle."""
    core = Core()
    core.apply(*(click(T0 + i, e.CART_ADD) for i in range(7)))
    assert core.segment("intent") == "hot"
    core.tick(T0 + 30 * DAY_MS)
    names = [name for name, _ in core.history("intent")]
    assert names == ["browsing", "warm", "hot", "warm", "browsing", "idle"]
    assert core.history("intent")[3][1] == T0 + 6 + DAY_MS  # nothing put into the cart for a day
    assert core.history("intent")[-1][1] == T0 + 6 + 7 * DAY_MS


def test_engagement_follows_opens_by_people() -> None:
    """Machine opens do not engage; two opens do, for thirty days; an unsubscribe is final."""
    core = Core()
    core.apply(*(email(T0 + i, e.SENT) for i in range(5)), email(T0 + 9, e.OPEN, machine=1))
    assert core.segment("engagement") == "unresponsive"
    core.apply(email(T0 + 10, e.OPEN), email(T0 + 11, e.EMAIL_CLICK))
    assert core.segment("engagement") == "engaged"
    core.tick(T0 + 10 + 30 * DAY_MS - 1)
    assert core.segment("engagement") == "engaged"
    core.tick(T0 + 10 + 30 * DAY_MS)
    assert core.segment("engagement") == "passive"
    core.apply(email(T0 + 40 * DAY_MS, e.UNSUBSCRIBE))
    core.tick(T0 + 4000 * DAY_MS)
    assert core.segment("engagement") == "unsubscribed"


@pytest.mark.parametrize(
    "first",
    [
        *(click(T0, action) for action in range(len(e.CLICK_ACTIONS))),
        *(email(T0, action) for action in range(len(e.EMAIL_ACTIONS))),
        email(T0, e.OPEN, machine=1),
        order(T0),
        order(T0, -1),
        profile(T0, 0),
    ],
    ids=lambda one: f"{e.TOPICS[one['kind'][0]]}-{one['action'][0]}-{one['amount_minor'][0]}-{one['machine_open'][0]}",
)
def test_any_event_can_be_the_first(first: object) -> None:
    """Whatever comes first, the customer is in one segment of each dimension of rules."""
    core = Core()
    changes = core.apply(first, attributes=attributes((1.0,)))  # type: ignore[arg-type]  # parametrized
    assert len(changes) == 5
    assert all(core.segment(name) for name in ("lifecycle", "rfm", "value", "engagement", "intent"))
    assert (changes.previous == 0).all()
    assert core.rows[0].first_ms == core.rows[0].newest_ms == core.rows[0].decided_ms == T0


def test_hours_of_silence_count_from_the_event_not_the_tick() -> None:
    """A tick long after the deadline still says when it passed."""
    core = Core()
    core.apply(order(T0))
    changes = core.tick(T0 + 31 * DAY_MS + 5 * HOUR_MS)
    mine = changes[changes.dimension == core.place("lifecycle")][0]
    assert mine.decided_ms == T0 + 30 * DAY_MS
