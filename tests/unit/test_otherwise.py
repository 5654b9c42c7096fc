"""Laws of the advice in a change: true to the comparison it comes from, or silent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.otherwise import otherwise
from stream.words import sentence
from tests.golden.recording import CHANGES
from tests.house.tree import REPO
from tests.unit.test_verification import lived

SILENCE = {
    "trigger": {"kind": "silence"},
    "occurred_at": "2025-03-03T02:23:37.263Z",
    "previous_segment": "active",
    "segment": "cooling",
}


@pytest.mark.parametrize(
    ("counterfactual", "advice"),
    [
        (
            "days_since_click on garden shoes below 7 (is None) would be keen",
            "a click on garden shoes would enter `keen`",
        ),
        (
            "days_since_cart_add below 0.0833333 (is 0.0833333) would be active",
            "something put into the cart before 3 March 2025, 02:23 would have kept `active`",
        ),
        (
            "days_since_cart_add at least 1 (is 0.0) would be warm",
            "1 day without anything put into the cart would enter `warm`",
        ),
        (
            "days_since_cart_add at least 0.5 (is 0.0) would be warm",
            "12 hours without anything put into the cart would enter `warm`",
        ),
        (
            "recent_clicks in 2 days at least 3 (is 2.0) would be active",
            "one more click in the 2 days before 3 March 2025 would have kept `active`",
        ),
        ("orders at least 3 (is 2.0) would be no segment", "one more purchase would leave `cooling`"),
        ("orders at least 3 (is 2.0) would be loyal", "one more purchase would enter `loyal`"),
        ("orders above 3 (is 2.0) would be loyal", "2 more purchases would enter `loyal`"),
        (
            "recent_clicks in 14 days at least 5 (is 2.0) would be warm",
            "3 more clicks within 14 days would enter `warm`",
        ),
        ("click_intensity_1d at least 6 (is 3.4) would be hot", "3 more clicks would enter `hot`"),
        ("spend at least 250 (is 210.5) would be high", "39.50 more spent would enter `high`"),
        (
            "days_since_order below 45 (is 45.0) would be active",
            "a purchase before 3 March 2025 would have kept `active`",
        ),
        ("days_since_click below 7 (is 9.0) would be browsing", "a visit would enter `browsing`"),
        ("days_since_order at least 90 (is 45.0) would be at risk", "90 days without a purchase would enter `at risk`"),
        ("days_since_first_order below 30 (is 45.0) would be new", ""),
        ("orders below 3 (is 3.0) would be new", ""),
        ("profile.country exactly France (is other) would be home", ""),
        ("recency_score at least 5 (is 4.0) would be champions", ""),
    ],
)
def test_a_comparison_becomes_advice(counterfactual: str, advice: str) -> None:
    """Counts say how many more, money how much, silence what ends it and until when; the rest says nothing."""
    assert otherwise({**SILENCE, "counterfactual": counterfactual}) == advice


def test_an_audience_is_told_by_its_name() -> None:
    """Nobody is asked to know that its only segment is called `in`."""
    reason = {"feature": "days_since_order", "before": 30.0, "after": 90.0}
    vip: dict[str, Any] = {**SILENCE, "customer_id": "c1", "dimension": "audience:vip", "reasons": [reason]}
    left = vip | {"previous_segment": "in", "segment": None}
    left["counterfactual"] = "days_since_order below 90 (is 90.0) would be in"
    assert sentence(left) == "c1 leaves audience vip: no purchase for 90 days (was 30)"
    assert otherwise(left) == "a purchase before 3 March 2025 would have kept audience `vip`"
    entered = vip | {"previous_segment": None, "segment": "in"}
    entered["counterfactual"] = "orders at least 3 (is 2.0) would be no segment"
    assert sentence(entered) == "c1 enters audience vip: no purchase for 90 days (was 30)"
    assert otherwise(entered) == "one more purchase would leave audience `vip`"


def test_a_border_that_several_comparisons_share_gives_no_advice() -> None:
    """`< 7` and `>= 7` turn together: flipping one of them alone is nothing that anybody could do."""
    reason = {"feature": "days_since_click on garden", "before": 2.0, "after": 7.0, "threshold": 7}
    change: dict[str, Any] = {**SILENCE, "previous_segment": "both", "segment": "kitchen", "reasons": [reason]}
    border = "days_since_click on garden below 7 (is 7.0) would be"
    assert otherwise({**change, "counterfactual": f"{border} neither"}) == ""
    back = "a click on garden before 3 March 2025 would have kept `both`"
    assert otherwise({**change, "counterfactual": f"{border} both"}) == back


@given(st.none() | st.text(max_size=60) | st.integers(), st.text(max_size=30))
def test_whatever_is_published_there_is_no_crash(text: Any, time: str) -> None:
    """An older or newer version may word it otherwise."""
    assert isinstance(otherwise({"counterfactual": text, "occurred_at": time}), str)


def test_most_published_changes_carry_advice() -> None:
    """Of those that a worker published with a counterfactual; and what is asked for names the segment it leads to."""
    changes = [json.loads(record.value or b"") for record in lived().shelf(CHANGES).records]
    carried = [one for one in changes if one["counterfactual"]]
    advised = [(one, otherwise(one)) for one in carried if otherwise(one)]
    assert len(advised) > len(carried) / 4
    assert all(f"`{one['runner_up']}`" in advice or not one["runner_up"] for one, advice in advised)


@pytest.mark.parametrize("page", ["README.md", "docs/events.md"])
def test_the_line_under_the_example_is_what_watch_prints(page: str) -> None:
    """The JSON above it, in words."""
    text = (REPO / page).read_text("utf-8")
    example = json.loads(
        next(part for part in text.split("```json\n") if '"event_id": "1-6013"' in part).split("```")[0]
    )
    assert f"\n{sentence(example)}; {otherwise(example)}\n" in text
