"""What is odd about a valid document: conditions that never hold, segments nobody enters, exits without effect."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from models.definitions.analysis.proof import Prover
from models.definitions.analysis.remarks import Remark, remarks_on
from models.definitions.document import All, Not, Term
from models.definitions.language import parse
from models.features.catalogue import BY_NAME, Feature
from tests.core import document, segments, shipped

NEVER: list[tuple[Any, str]] = [
    ("recency_score >= 6", "recency_score is at most 5"),
    ("value_score > 4", "value_score is at most 4"),
    ("orders < 0", "orders is at least 0"),
    ("cart_rate > 1", "cart_rate is at most 1"),
    ("days_since_order < 0", "days_since_order is at least 0 days"),
    ("recent_orders in 30 days < 0", "recent_orders in 30 days is at least 0"),
    ("orders == 2.5", "orders is a whole number"),
    ({"all": ["orders >= 5", "orders < 3"]}, "`orders >= 5` and `orders < 3` exclude each other"),
    ({"all": ["orders > 2", "clicks > 1", "orders < 3"]}, "`orders > 2` and `orders < 3` exclude each other"),
    ({"all": ["orders == 0", "days_since_order < 30"]}, "exclude each other"),
    ({"all": ["spend > 10", "orders == 0"]}, "exclude each other"),
    ({"all": ["value_score == 0", "recency_score >= 3"]}, "exclude each other"),
    ({"all": ["recent_orders in 7 days >= 2", "recent_orders in 30 days < 2"]}, "exclude each other"),
    ({"all": ["recent_engaged in 30 days == 0", "days_since_engaged < 30"]}, "exclude each other"),
    ({"all": ["days_since_first_order < 30", "days_since_order >= 60"]}, "exclude each other"),
    ({"all": ['profile.country == "France"', 'profile.country == "Italy"']}, '`profile.country == "Italy"` exclude'),
    ({"all": ["profile.age >= 18", {"not": "profile.age present"}]}, "exclude each other"),
    ({"all": [{"any": ["orders >= 3", "clicks >= 9"]}, "orders == 1", "clicks < 4"]}, "exclude each other"),
    ({"all": ["dimension other is x", "dimension other is y"]}, "exclude each other"),
    ({"not": {"any": ["orders < 5", "orders >= 3"]}}, "always holds"),
]
MAY_HOLD: list[Any] = [
    {"all": ["orders >= 3", "orders <= 3"]},
    {"all": ["spend < 0", "orders == 0"]},  # a refund of something bought before we looked
    {"all": ["days_since_order >= 30", "orders == 0"]},  # a hundred years
    {"all": ["days_since_engaged >= 30", "recent_engaged in 30 days == 0"]},
    {"all": ["recent_orders in 30 days >= 2", "recent_orders in 7 days < 2"]},
    {"all": ["average_order == 19.99", "orders >= 1"]},
    {"not": {"any": ["profile.age < 18", "profile.age >= 18"]}},  # without an age
    "refunds >= 1",
]


def remarked(*conditions: Any, **more: Any) -> list[Remark]:
    """The remarks on a dimension of segments s0, s1 and so on with these conditions."""
    named = [(f"s{i}", condition) for i, condition in enumerate(conditions)]
    return remarks_on(
        parse(
            document(
                {"d": segments(*named, **more), "other": segments(("x", "spend > 5"), ("y", "always"))},
                attributes={"age": "number", "country": "string"},
            )
        )
    )


@pytest.mark.parametrize(("condition", "words"), NEVER, ids=str)
def test_a_condition_that_never_holds_is_found(condition: Any, words: str) -> None:
    """With the reason, at the condition, as an error: nobody would ever be in the segment."""
    found = remarked(condition, "always")
    assert words in found[0].problem
    assert found[0].path.startswith("dimensions.d.segments[0].when")
    assert found[0].level == "error" or words == "always holds"


@pytest.mark.parametrize("condition", MAY_HOLD, ids=str)
def test_a_condition_that_may_hold_is_left_alone(condition: Any) -> None:
    """What somebody can satisfy is not called impossible."""
    assert remarked(condition, "always") == []


@pytest.mark.parametrize(
    ("conditions", "place"),
    [
        (["orders >= 1", "orders >= 3", "always"], 1),
        (["always", "orders >= 3"], 1),
        (["recent_engaged in 60 days >= 1", "recent_engaged in 30 days >= 2", "always"], 1),
        (["days_since_engaged < 90", "recent_engaged in 60 days >= 1", "always"], 1),
        (["orders >= 3", "orders < 2", {"all": ["orders != 2", "clicks >= 1"]}, "always"], 2),
        (["orders == 0", {"all": ["orders >= 1", "spend > 0"]}, "value_score >= 2", "always"], None),
        (["orders >= 1", "orders < 1", "always"], 2),
    ],
)
def test_a_segment_that_earlier_ones_cover_is_found(conditions: list[Any], place: int | None) -> None:
    """Whoever could enter it is in an earlier segment: an error at the segment, which names them."""
    shadowed = [one for one in remarked(*conditions) if one.rule == "shadowed"]
    assert [one.path for one in shadowed] == ([] if place is None else [f"dimensions.d.segments[{place}]"])
    assert all(one.level == "error" and "before it" in one.problem for one in shadowed)


def test_only_the_segments_that_cover_it_are_named() -> None:
    """Of many earlier segments those it takes, and no others."""
    (found,) = [
        one for one in remarked("clicks >= 9", "orders >= 2", "orders >= 4", "always") if one.rule == "shadowed"
    ]
    assert found.problem == "nobody can enter 's2': whoever could is in 's1' before it"


@pytest.mark.parametrize(
    ("stay", "rule", "words"),
    [
        ("orders >= 4", "stay-not-looser", "tighter than `when`"),
        ("orders > 2", "stay-not-looser", "the same as `when`"),
        ("orders >= 2", None, ""),
        ("days_since_order < 30", None, ""),
        ("recency_score > 5", "never", "can never hold"),
        ("orders >= 0", "always", "always holds"),
    ],
)
def test_a_stay_that_changes_nothing_is_found(stay: str, rule: str | None, words: str) -> None:
    """Who may enter stays, so a `stay` that implies `when` does nothing: a warning."""
    own = {"segments": [{"name": "a", "when": "orders >= 3", "stay": stay}, {"name": "b", "when": "always"}]}
    found = remarks_on(parse(document({"d": own})))
    assert [(one.path, one.level, one.rule) for one in found] == (
        [("dimensions.d.segments[0].stay", "warning", rule)] if rule else []
    )
    assert all(words in one.problem for one in found)


def test_a_part_without_effect_is_a_warning_where_it_stands() -> None:
    """One alternative that never holds does not keep people out of the segment, but somebody meant something."""
    (found,) = remarked({"any": ["orders >= 3", {"all": ["clicks >= 1", "frequency_score >= 9"]}]}, "always")
    assert (found.path, found.level) == ("dimensions.d.segments[0].when.any[1].all[1]", "warning")


def test_a_dimension_that_may_leave_somebody_out_says_so() -> None:
    """Only in passing; one that covers everybody without `always` is not told, nor is an audience."""
    assert [(one.level, one.rule) for one in remarked("orders >= 3", "orders == 1")] == [("info", "no-catch-all")]
    assert remarked("orders >= 3", "orders < 3") == []
    assert remarked("orders >= 3") == []


def test_a_rate_above_one_is_unusual() -> None:
    """It can be: somebody opens one e-mail twice. It is hardly what was meant."""
    assert [one.rule for one in remarked("open_rate > 1", "always")] == ["unusual"]
    assert remarked("open_rate >= 1", "always") == []


def test_what_ships_is_not_odd() -> None:
    """Nothing to say about the shipped definitions."""
    assert remarks_on(shipped()) == []


def test_an_unknown_kind_of_feature_is_not_reasoned_about() -> None:
    """Whatever the catalogue gains: it may hold or not, but one comparison does not do both."""
    strange = Term(Feature("strange", 999, 0, "", 1.0, ""), "<", -5.0)
    other = Term(Feature("strange", 999, 0, "", 1.0, ""), ">", 5.0)
    windowed = Term(BY_NAME["orders"], "has", 1.0)
    prover = Prover()
    assert prover.can_hold((All((strange, other, windowed)), True))
    assert not prover.can_hold((All((strange, Not(strange))), True))


def test_a_document_of_many_alternatives_is_given_up_and_says_so() -> None:
    """Every combination of seven comparisons is forbidden: 128 alternatives deep; bounded work, and no claim."""
    counts = ("refunds", "clicks", "emails_sent", "opens", "email_clicks", "unsubscribes", "bounces")
    clauses = [
        {"any": [f"{name} {op} 7" for name, op in zip(counts, ops, strict=True)]}
        for ops in itertools.product((">=", "<"), repeat=len(counts))
    ]
    definitions = parse(document({"d": segments(("a", {"all": clauses}))}))
    prover = Prover(steps=50)
    assert prover.can_hold((definitions.dimensions[0].segments[0].enter, True))
    assert prover.gave_up
    assert prover.steps == 0


def test_many_alternatives_one_after_the_other_do_not_crash() -> None:
    """Twelve hundred alternatives in a row: more than a stack is deep, and no claim."""
    row = [{"any": [f"spend >= {i}", f"clicks >= {i}"]} for i in range(1, 1201)]
    found = remarks_on(parse(document({"d": segments(("a", {"all": row}), ("b", "always"))})), steps=300)
    assert [one.rule for one in found] == ["too-large"]


def test_an_audience_is_looked_through_too() -> None:
    """At its own place; that others are not in it is the point."""
    odd = {"vip": {"when": "spend >= 5", "stay": "spend >= 9"}, "nobody": {"when": "value_score > 4"}}
    found = remarks_on(parse(document({"d": segments(("all", "always"))}, audiences=odd)))
    assert [(one.path, one.rule) for one in found] == [
        ("audiences.vip.stay", "stay-not-looser"), ("audiences.nobody.when", "never"),
    ]  # fmt: skip
