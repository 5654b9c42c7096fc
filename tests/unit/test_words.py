"""Laws of the sentence about a change: true, short, and never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.features.catalogue import FEATURES
from stream.words import duration, number, phrase, sentence


def _change(**parts: Any) -> dict[str, Any]:
    return {
        "customer_id": "c17850",
        "dimension": "lifecycle",
        "previous_segment": "active",
        "segment": "at risk",
    } | parts


def test_a_change_is_told_with_reason_and_outlook() -> None:
    """The sentence of the README."""
    change = _change(
        reasons=[{"feature": "days_since_order", "before": 12.4, "after": 61.0, "threshold": 60}],
        trigger={"kind": "silence"},
        decided_at="2011-07-05T10:00:00.000Z",
        valid_until="2011-10-03T10:00:00.000Z",
        next_if_silent="dormant",
    )
    why, outlook = "no purchase for 61 days (was 12)", "if silent, dormant on 2011-10-03"
    assert sentence(change) == f"c17850 lifecycle: active -> at risk: {why}; {outlook}"


def test_a_near_deadline_is_told_to_the_minute() -> None:
    """A date says too little when it is today."""
    change = _change(
        decided_at="2011-07-05T10:00:00.000Z", valid_until="2011-07-05T15:30:00.000Z", next_if_silent="idle"
    )
    assert sentence(change).endswith("; if silent, idle at 2011-07-05 15:30")


def test_an_audience_ends_by_being_left() -> None:
    """What follows an audience is to be out of it."""
    change = _change(
        dimension="audience:vip", previous_segment=None, segment="in", decided_at="2011-07-05T10:00:00.000Z"
    )
    assert sentence({**change, "valid_until": "2011-10-03T10:00:00.000Z"}) == (
        "c17850 enters audience vip; if silent, leaves it on 2011-10-03"
    )


def test_entering_and_leaving_are_told_without_an_arrow() -> None:
    """There is nothing before the first segment and nothing after the last."""
    assert sentence(_change(previous_segment=None, segment="new")) == "c17850 lifecycle: new"
    assert sentence(_change(segment=None)) == "c17850 lifecycle: leaves active"


def test_a_new_document_is_named_as_the_cause() -> None:
    """Nothing happened to the customer when the rules changed."""
    assert sentence(_change(trigger={"kind": "definition"})).endswith(": under new definitions")
    told = sentence(_change(trigger={"kind": "model"}, reasons=[{"feature": "orders", "before": 3, "after": 3}]))
    assert told.endswith(": 3 orders under a new model")


def test_a_cluster_is_told_by_its_label_and_what_moved_most() -> None:
    """Logarithms and contributions are for programs; a reader gets names and directions."""
    reasons = [
        {"feature": "log_spend", "before": 2.0, "after": 3.0, "contribution": 0.7},
        {"feature": "cart_rate", "before": 0.4, "after": 0.1, "contribution": 0.3},
    ]
    told = sentence(_change(dimension="behaviour", segment="cluster-3", label="big baskets", reasons=reasons))
    assert told == "c17850 behaviour: active -> cluster-3 (big baskets): more spent and filling the cart less"


def test_a_reason_is_told_once() -> None:
    """Leaving one band of a score and entering the next crosses two borders, and is one move."""
    reasons = [{"feature": "recency_score", "before": 3, "after": 2, "threshold": border} for border in (3, 2)]
    assert sentence(_change(reasons=reasons)).endswith(": recency score 2 (was 3)")


def test_a_cluster_moved_by_a_model_says_so() -> None:
    """The customer did nothing: her reasons are what the new clusters hang on."""
    reasons = [{"feature": name, "before": 1.0, "after": 1.0, "contribution": 0.5} for name in ("log_spend", "x_y")]
    told = sentence(_change(reasons=reasons, trigger={"kind": "model"}))
    assert told.endswith(": money spent and x y under a new model")


@pytest.mark.parametrize(
    ("feature", "before", "after", "expected"),
    [
        ("days_since_order", 12.0, 61.9, "no purchase for 61 days (was 12)"),
        ("days_since_order", 61.0, 0.0, "purchase just now (was 61 days ago)"),
        ("days_since_order", None, 0.0, "purchase just now (the first)"),
        ("days_since_order", 36_500.0, 3.0, "purchase 3 days ago (the first)"),
        ("days_since_order", 5.0, None, "no purchase ever"),
        ("days_since_click", 0.5, 7.0, "no click for 7 days (was 12 hours)"),
        ("days_since_wishlist", 1.0, 8.0, "no wishlist for 8 days (was 1)"),
        ("days_since_first_order", 29.0, 30.0, "first purchase was 30 days ago (was 29)"),
        ("days_since_first_order", None, 0.0, "first purchase just now"),
        ("value_score", 2, 2, "value score 2"),
        ("tenure_days", None, 400.0, "customer for 400 days"),
        ("order_gap_days", 0.0, 130.0, "the last two purchases were 130 days apart (was 0 minutes)"),
        ("orders", 0, 1, "1 order (was 0)"),
        ("orders_30d", 2, 1, "1 order in 30 days (was 2)"),
        ("recent_engaged in 30 days", 1, 2, "2 e-mails opened or clicked in 30 days (was 1)"),
        ("recent_clicks in 1 hours", 0, 5, "5 clicks in 1 hour (was 0)"),
        ("spend", 950.0, 1204.5, "spend 1,204.50 (was 950)"),
        ("recent_spend in 90 days", 10.0, 20.0, "spend in 90 days 20 (was 10)"),
        ("open_rate", 0.3, 0.125, "12.5 % e-mails opened (was 30 %)"),
        ("click_intensity_1d", 0.0, 6.3333, "click activity 6.33 (was 0)"),
        ("recency_score", 2, 3, "recency score 3 (was 2)"),
        ("country", "Spain", "France", "country France (was Spain)"),
        ("something_new", 1.0, 123456.7, "something new 123,457 (was 1)"),
    ],
)
def test_every_kind_of_feature_has_its_words(feature: str, before: object, after: object, expected: str) -> None:
    """Unit, direction and rounding as a person would say it."""
    assert phrase(feature, before, after) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, "0 minutes"),
        (1 / 1440, "1 minute"),
        (0.05, "72 minutes"),
        (1 / 12, "2 hours"),
        (0.0833333, "2 hours"),  # as it is published
        (0.0416667, "60 minutes"),
        (1.58333, "38 hours"),
        (1.0, "1 day"),
        (1.5, "36 hours"),
        (44.9999, "44 days"),
        (44.99999999999, "45 days"),
    ],
)
def test_a_span_is_told_in_its_natural_unit(days: float, expected: str) -> None:
    """Elapsed time is cut off, not rounded: 44.9999 days are not 45."""
    assert duration(days) == expected


@pytest.mark.parametrize(("value", "expected"), [(3.0, "3"), (0.12345, "0.123"), (99.95, "100"), (1234.5, "1,234")])
def test_numbers_are_rounded_for_a_reader(value: float, expected: str) -> None:
    """Three digits, or whole numbers."""
    assert number(value) == expected


def test_every_feature_of_the_catalogue_can_be_told() -> None:
    """No feature is shown by its bare name with underscores."""
    for feature in FEATURES:
        name = f"{feature.name} in 30 days" if feature.windowed else feature.name
        assert "_" not in phrase(name, 1.0, 2.0)


_NAMES = st.sampled_from([feature.name for feature in FEATURES] + ["recent_orders in 30 days", "days_since_", "_rate"])
_JSON = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))


@given(
    st.dictionaries(
        st.sampled_from(["customer_id", "previous_segment", "segment", "label", "valid_until", "decided_at"]),
        _JSON,
    ),
    st.lists(
        st.fixed_dictionaries(
            {"feature": _NAMES | st.text(max_size=30)},
            optional={"before": _JSON, "after": _JSON, "contribution": _JSON},
        )
    ),
)
def test_no_change_crashes_the_reader(change: dict[str, Any], reasons: list[dict[str, Any]]) -> None:
    """Whatever a newer worker publishes, the sentence is one line of text."""
    assert isinstance(sentence(change | {"reasons": reasons}), str)
