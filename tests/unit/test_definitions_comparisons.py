"""What people write stands for plain comparisons; what a row cannot answer is refused; sequences and chains hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from models import events as e
from models.changes import CHANGE, Change
from models.customers.names import packed
from models.customers.row import DAY_MS
from models.definitions.comparison import FORMS, SET_MAX
from models.definitions.dependencies import evaluation_order
from models.definitions.language import DefinitionError, parse
from stream.codec.change_bytes import NOWHERE, ChangeBytes
from stream.codec.changes import ChangeWriter
from stream.words import phrase
from tests.core import HOUR_MS, T0, Core, click, document, email, order, segments

ATTRIBUTES = {"age": "number", "country": "string"}


def condition(when: Any) -> Any:
    """The condition that a text is read as."""
    made = document(
        {
            "d": segments(("s", when)),
            "lifecycle": segments(("new", "orders >= 1"), ("active", "orders >= 2"), ("at risk", "always")),
        },
        attributes=ATTRIBUTES,
        categories=["shoes"],
        audiences={"vip": {"when": "spend >= 1000"}},
    )
    return parse(made).dimensions[0].segments[0].enter


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("purchases in 30 days >= 3", "recent_orders in 30 days >= 3"),
        ("orders in 30 days >= 3", "recent_orders in 30 days >= 3"),
        ("amount in 90 days >= 200", "recent_spend in 90 days >= 200"),
        ("opens in 14 days >= 1", "recent_engaged in 14 days >= 1"),
        ("clicks in 1 day >= 3", "recent_clicks in 24 hours >= 3"),
        ("clicks in 30 minutes >= 3", "recent_clicks in 30 minutes >= 3"),
        ("purchases >= 3", "orders >= 3"),
        ("basket_size >= 30", "average_order >= 30"),
        ("no click for 14 days", "days_since_click >= 14"),
        ("no purchase for 2 hours", "days_since_order >= 2 hours"),
        ("days_since_order < 2 weeks", "days_since_order < 14"),
        ("spend between 10 and 20", {"all": ["spend >= 10", "spend <= 20"]}),
        ("days_since_order between 1 day and 2 weeks", {"all": ["days_since_order >= 1", "days_since_order <= 14"]}),
        ("orders in (1, 2)", {"any": ["orders == 1", "orders == 2"]}),
        ("orders not in (1, 2)", {"all": ["orders != 1", "orders != 2"]}),
        ("orders in (1)", "orders == 1"),
        ("profile.country in (France, 'a, b')", {"any": ["profile.country == France", "profile.country == 'a, b'"]}),
        ("profile.country absent", {"not": "profile.country present"}),
        ("profile.age between 18 and 30", {"all": ["profile.age >= 18", "profile.age <= 30"]}),
        ("clicks trend >= 1.5", "click_trend >= 1.5"),
        ("clicks halved every 7 days >= 3", "click_intensity_7d >= 3"),
        ("clicks halved every 24 hours > 1", "click_intensity_1d > 1"),
        ("opens halved every 30 days between 1 and 2", {"all": ["engagement_30d >= 1", "engagement_30d <= 2"]}),
        ("purchases halved every 90 days >= 1", "order_intensity_90d >= 1"),
        ("amount halved every 90 days >= 19.99", "spend_intensity_90d >= 19.99"),
        ("clicks trend between 1 and 2", {"all": ["click_trend >= 1", "click_trend <= 2"]}),
        ("top 20 % by spend", "monetary_score >= 5"),
        ("top 5% by spend", "value_score >= 4"),
        ("top 20 % by value", "value_score >= 3"),
        ("top 40 % by recency", "recency_score >= 4"),
        ("bottom 20 % by orders", {"all": ["frequency_score >= 1", "frequency_score < 2"]}),
        ("bottom 50 % by value", {"all": ["value_score >= 1", "value_score < 2"]}),
        ("cart then no purchase within 2 hours", "cart_add, then no order within 2 hours"),
        ("dimension lifecycle in (new)", "dimension lifecycle is new"),
        (
            "dimension lifecycle not in (new, at risk)",
            {"all": ["dimension lifecycle is not new", "dimension lifecycle is not at risk"]},
        ),
    ],
    ids=str,
)
def test_what_people_write_stands_for_comparisons(written: str, meant: Any) -> None:
    """Ranges, sets, windows by their usual names, silence, trends and shares are comparisons and nothing else."""
    assert condition(written) == condition(meant)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("purchases in 30 days >= 7", "exact up to 6"),
        ("opens in 30 days between 2 and 4", "exact up to 4"),
        ("searches in 30 days >= 1", "takes no window; a row keeps"),
        ("orders between 3 and 1", "nothing is between"),
        ("orders between 3", "cannot read"),
        ("orders in ()", "cannot read the set"),
        ("orders in (1, )", "cannot read the set"),
        (f"orders in ({', '.join(map(str, range(SET_MAX + 1)))})", f"at most {SET_MAX} entries"),
        ("orders in (1, two)", "not a number"),
        ("orders absent", "only a profile attribute"),
        ("profile.country between a and b", "is a string"),
        ("no sneeze for 3 days", "keeps no time of 'sneeze'"),
        ("no clik for 3 days", "did you mean 'click'"),
        ("no click for 0 days", "more than nothing"),
        ("cart_add, then no sneeze within 2 hours", "keeps no time"),
        ("click, then click within 2 hours", "can follow it"),
        ("event, then click within 2 hours", "no step of a sequence"),
        ("cart, then order within 0 hours", "more than nothing"),
        ("orders trend >= 2", "has no trend; `order_delay` says"),
        ("amount trend >= 2", "has no trend"),
        ("clicks halved every 3 days >= 2", "halved every 1 and 7 days, not 3 days"),
        ("amount halved every 6 hours >= 2", "halved every 90 days, not 6 hours"),
        ("click halved every 1 day >= 2", "no decayed sum of 'click'; did you mean 'clicks'"),
        ("clicks halved every 1 day >= 0", "only nears zero"),
        ("clicks trend >= 8", "7 at most"),
        ("clicks trend >= 0", "only nears zero"),
        ("top 25 % by spend", "not 25 %"),
        ("top 20 % by clicks", "no cut points of 'clicks'"),
        ("dimension lifecycl is new", "did you mean 'lifecycle'"),
        ("dimension lifecycle is old", "no segment 'old'"),
        ("dimension d is s", "hangs on itself: d -> d"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_answered_is_refused(written: str, words: str) -> None:
    """The message says why, or what was probably meant."""
    with pytest.raises(DefinitionError) as refused:
        condition(written)
    assert words in refused.value.problem
    assert refused.value.path.startswith("dimensions.d")


def test_every_form_of_the_documents_is_read() -> None:
    """What the page of definitions lists is what the reader takes."""
    for written in FORMS:
        assert condition(written) is not None


def test_clusters_are_no_condition() -> None:
    """Clusters come and go with the model."""
    made = document({"groups": {"kind": "cluster"}, "d": segments(("s", "dimension groups is cluster-1"))})
    with pytest.raises(DefinitionError, match="come and go"):
        parse(made)


def test_dimensions_are_judged_after_those_they_hang_on() -> None:
    """The order is that of the document wherever nothing hangs on anything; a circle is named."""
    made = {
        "a": segments(("s", "dimension c is s")),
        "b": segments(("s", "always")),
        "c": segments(("s", "dimension d is s")),
        "d": segments(("s", "always")),
    }
    assert evaluation_order(parse(document(made)).dimensions) == [1, 3, 2, 0]
    made["d"] = segments(("s", "dimension a is s"))
    with pytest.raises(DefinitionError, match="a -> c -> d -> a"):
        parse(document(made))


def written(core: Core, change: Any) -> Any:
    """A change as it is published."""
    one = Change(*(change[name].tolist() for name in Change._fields))
    value = ChangeWriter(core.judge, 0).write(one, "c", None)
    alone = np.array([change], CHANGE).view(np.recarray)
    alone.event = -1
    assert ChangeBytes(core.judge, 0).write(alone, packed([b"c"]), NOWHERE) == [value]
    return orjson.loads(value)


def test_a_dimension_follows_another_in_the_same_decision() -> None:
    """Silence that moves one moves what hangs on it at the same time, and both were foretold."""
    core = Core(
        document({
            "care": segments(("win back", "dimension lifecycle is lapsed"), ("leave alone", "always")),
            "lifecycle": segments(("fresh", "days_since_order < 30"), ("lapsed", "orders >= 1")),
        })
    )  # fmt: skip
    first = core.apply(order(T0))
    until = T0 + 30 * DAY_MS
    assert [written(core, one)["valid_until"] for one in first] == ["2023-12-14T22:13:20.000Z"] * 2
    core.tick(until - 1)
    assert (core.segment("lifecycle"), core.segment("care")) == ("fresh", "leave alone")
    moved = core.tick(until)
    assert [core.judge.definitions.dimensions[one.dimension].name for one in moved] == ["lifecycle", "care"]
    assert set(moved.decided_ms) == {until}
    assert written(core, moved[1])["reasons"] == [
        {"feature": "dimension lifecycle", "before": "fresh", "after": "lapsed", "op": "==", "threshold": "lapsed"}
    ]


def test_a_dwell_of_one_dimension_holds_the_other() -> None:
    """What hangs on a segment that is held by its dwell waits with it, and the forecast knows."""
    core = Core(
        document({
            "base": segments(("on", "days_since_click < 1"), ("off", "always"), dwell_days=3),
            "top": segments(("yes", "dimension base is on"), ("no", "always")),
        })
    )  # fmt: skip
    core.apply(click(T0))
    assert core.outlook()[0].tolist() == [[T0 + 3 * DAY_MS] * 2]
    core.tick(T0 + 3 * DAY_MS)
    assert core.history("top") == [("yes", T0), ("no", T0 + 3 * DAY_MS)]


def test_an_abandoned_cart_is_one_without_an_order_after_it() -> None:
    """Two hours after the newest cart, unless an order came; an order later on ends it."""
    core = Core(
        document({"cart": segments(("abandoned", "cart_add, then no order within 2 hours"), ("rest", "always"))})
    )
    core.apply(order(T0 - DAY_MS), click(T0, e.CART_ADD))
    core.tick(T0 + 2 * HOUR_MS - 1)
    assert core.segment("cart") == "rest"
    moved = core.tick(T0 + 2 * HOUR_MS)
    assert core.segment("cart") == "abandoned"
    assert (
        written(core, moved[0])["counterfactual"] == "days_since_cart_add below 0.0833333 (is 0.0833333) would be rest"
    )
    core.apply(order(T0 + 3 * HOUR_MS))
    assert core.segment("cart") == "rest"
    core.apply(click(T0 + 4 * HOUR_MS, e.CART_ADD), order(T0 + 5 * HOUR_MS))
    core.tick(T0 + 9 * HOUR_MS)
    assert core.segment("cart") == "rest"


def test_a_sequence_counts_the_first_that_followed() -> None:
    """An e-mail that led to an order within a week did so, whatever was ordered later."""
    core = Core(document({"mail": segments(("worked", "email, then order within 7 days"))}))
    core.apply(order(T0 - 1), email(T0))
    assert core.segment("mail") is None
    core.apply(order(T0 + 7 * DAY_MS))
    assert core.segment("mail") == "worked"
    core.apply(*[order(T0 + (8 + day) * DAY_MS) for day in range(4)])
    assert core.segment("mail") == "worked"
    core.apply(email(T0 + 20 * DAY_MS))
    assert core.segment("mail") is None


def test_a_trend_is_one_at_a_steady_pace() -> None:
    """A click every hour for months is a trend near 1; silence lets it fall."""
    core = Core(document({"t": segments(("rising", "clicks trend >= 1.1"), ("steady", "clicks trend >= 0.9"))}))
    core.apply(*[click(T0 + hour * HOUR_MS) for hour in range(2400)])
    assert core.segment("t") == "steady"
    core.apply(*[click(T0 + 2400 * HOUR_MS + minute * 60_000) for minute in range(600)])
    assert core.segment("t") == "rising"
    core.tick(T0 + 130 * DAY_MS)
    assert core.segment("t") is None


def test_a_late_order_is_one_after_the_usual_gap() -> None:
    """Somebody who orders every ten days is twice as late as usual after twenty."""
    core = Core(document({"t": segments(("late", "order_delay >= 2"), ("fine", "orders >= 1"))}))
    core.apply(*[order(T0 + day * DAY_MS) for day in (0, 10, 20)])
    until = T0 + 40 * DAY_MS
    assert core.outlook()[0].tolist() == [[until]]
    core.tick(until)
    assert core.history("t")[-1] == ("late", until)


def test_a_sequence_is_told_in_words() -> None:
    """What followed, or that nothing did."""
    assert phrase("days_from_cart_add_to_order", None, 1 / 12) == "order 2 hours after the cart add"
    assert phrase("days_from_cart_add_to_order", 1.0, None) == "no order since the cart add"
