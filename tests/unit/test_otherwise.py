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

SILENCE = {"trigger": {"kind": "silence"}, "occurred_at": "2025-03-03T02:23:37.263Z", "previous_segment": "active"}


@pytest.mark.parametrize(
    ("counterfactual", "advice"),
    [
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
