"""Definitions documents: what is refused, where, and with which advice; what is read, and as what."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from models.definitions.compile import compile_plan
from models.definitions.document import CLUSTER, All, Not, Term
from models.definitions.document import Any as AnyOf
from models.definitions.language import NESTING_MAX, TERMS_MAX, DefinitionError, digest, parse, string_value
from models.features.catalogue import BY_NAME, FEATURES
from tests.core import CUTS, document, segments, shipped, shipped_document


def one(when: Any, **more: Any) -> dict[str, Any]:
    """A document with one dimension `d` of one segment with a condition."""
    return document(
        {"d": {"segments": [{"name": "s", "when": when, **more}]}},
        attributes={"age": "number", "country": "string"},
    )


def nested(levels: int) -> Any:
    """A condition inside so many `not`."""
    when: Any = "orders >= 1"
    for _ in range(levels):
        when = {"not": when}
    return when


CLUSTERS = {"kind": "cluster"}
WHEN = "dimensions.d.segments[0].when"
FAULTY_CONDITIONS = [  # (condition, part of the message)
    ("ordrs >= 1", "did you mean 'orders'"),
    ("orders", "cannot read"),
    ("orders >=", "not a number"),
    ("orders >= x", "not a number"),
    ("orders => 3", "cannot read"),
    ("orders >== 3", "not a number"),
    ("orders > = 3", "not a number"),
    ("orders >= 3 4", "not a number"),
    ("orders >= 3\n", None),
    ("orders >= nan", "not a number"),
    ("orders >= inf", "not a number"),
    ("orders >= 1e3", "not a number"),
    ("orders >= " + "9" * 400, "not a number"),
    ("orders >= 9999999999999999", "out of reach"),
    ("days_since_order >= 99999999999", "out of reach"),
    ("orders >= 3 days", "not a number"),
    ("orders >= ٣", "not a number"),
    ("spend in 30 days >= 3", "takes no window"),
    ("orders present", "profile attribute"),
    ("orderspresent", "cannot read"),
    ("recent_orders >= 3", "needs a window"),
    ("recent_orders in 0 days >= 3", "window"),
    ("recent_orders in 36501 days >= 3", "window"),
    ("recent_orders in 99999999 days >= 3", "cannot read"),
    ("recent_orders in " + "9" * 5000 + " days >= 3", "cannot read"),
    ("recent_orders in -1 days >= 3", "cannot read"),
    ("recent_orders in 3 months >= 3", "cannot read"),
    ("recent_orders in 30 days >= 7", "exact up to 6"),
    ("recent_orders in 30 days > 6", "exact up to 6"),
    ("recent_orders in 30 days <= 6", "exact up to 6"),
    ("recent_orders in 30 days == 6", "exact up to 6"),
    ("recent_orders in 30 days != 6", "exact up to 6"),
    ("recent_orders in 30 days < 6.5", "exact up to 6"),
    ("recent_clicks in 1 hour >= 6", "exact up to 5"),
    ("recent_engaged in 1 week >= 5", "exact up to 4"),
    ("click_intensity_1d > 0", "only nears zero"),
    ("click_intensity_1d >= -1", "only nears zero"),
    ("profile.color == red", "not declared"),
    ("profile.agee >= 3", "did you mean 'age'"),
    ("profile.age in 30 days >= 3", "takes no window"),
    ("profile.age == France", "not a number"),
    ("profile.age present 3", "cannot read"),
    ("profile.agepresent", "cannot read"),
    ("profile.country >= France", "is a string"),
    ("profile.country ==", "compared with nothing"),
    ("", "cannot read"),
    ("always and ever", "cannot read"),
    (None, "must be a mapping"),
    (3, "must be a mapping"),
    (True, "must be a mapping"),
    (["orders >= 1"], "must be a mapping"),
    ({}, "exactly one"),
    ({"all": ["orders >= 1"], "any": ["orders >= 1"]}, "exactly one"),
    ({"al": ["orders >= 1"]}, "did you mean 'all'"),
    ({"all": []}, "list of conditions"),
    ({"any": "orders >= 1"}, "list of conditions"),
    ({"not": ["orders >= 1"]}, "must be a mapping"),
    ({1: ["orders >= 1"]}, "must be a mapping"),
    (nested(NESTING_MAX), "nested deeper"),
    ({"any": ["orders >= 1"] * (TERMS_MAX + 1)}, "room for"),
]


@pytest.mark.parametrize(("when", "words"), FAULTY_CONDITIONS, ids=lambda value: str(value)[:40])
def test_a_faulty_condition_is_refused_with_its_place(when: Any, words: str | None) -> None:
    """A mistake in a condition is a DefinitionError whose path leads into it; blanks around are none."""
    if words is None:
        parse(one(when))
        return
    for faulty, place in ((one(when), WHEN), (one("always", stay=when), WHEN.replace("when", "stay"))):
        with pytest.raises(DefinitionError) as refused:
            parse(faulty)
        assert words in refused.value.problem
        assert refused.value.path.startswith(place)


GOOD = one("orders >= 1")
FAULTY_DOCUMENTS: list[tuple[str, Any, str]] = [  # (path, document, part of the message)
    ("", None, "must be a mapping"),
    ("", [], "must be a mapping"),
    ("", "version: 1", "must be a mapping"),
    ("version", {}, "must be 1"),
    ("version", {**GOOD, "version": 2}, "must be 1"),
    ("version", {**GOOD, "version": "1"}, "must be 1"),
    ("version", {**GOOD, "version": True}, "must be 1"),
    ("version", {**GOOD, "version": [1]}, "must be 1"),
    ("dimension", {**GOOD, "dimension": {}}, "did you mean 'dimensions'"),
    ("name", {**GOOD, "name": "Shouting"}, "no name"),
    ("name", {**GOOD, "name": 3}, "no name"),
    ("name", {**GOOD, "name": "x" * 41}, "no name"),
    ("attributes", {**GOOD, "attributes": ["age"]}, "must be a mapping"),
    ("attributes", {**GOOD, "attributes": {f"a{i}": "number" for i in range(9)}}, "a row keeps 8"),
    ("attributes", {**GOOD, "attributes": {"home town": "string"}}, "no name"),
    ("attributes", {**GOOD, "attributes": {3: "string"}}, "must be a mapping"),
    ("attributes.age", {**GOOD, "attributes": {"age": "int"}}, '"number" or "string"'),
    ("attributes.age", {**GOOD, "attributes": {"age": ["number"]}}, '"number" or "string"'),
    ("cuts", {**GOOD, "cuts": None}, "is missing, for example {recency_days"),
    ("cuts", {**GOOD, "cuts": [1]}, "must be a mapping"),
    ("cuts.spent", {**GOOD, "cuts": {**CUTS, "spent": [1]}}, "did you mean 'spend'"),
    ("cuts.value", {**GOOD, "cuts": {k: v for k, v in CUTS.items() if k != "value"}}, "list of 3"),
    ("cuts.orders", {**GOOD, "cuts": {**CUTS, "orders": [1, 2, 3]}}, "list of 4"),
    ("cuts.orders", {**GOOD, "cuts": {**CUTS, "orders": [1, 2, 3, "4"]}}, "list of 4"),
    ("cuts.orders", {**GOOD, "cuts": {**CUTS, "orders": [1, 2, 3, math.nan]}}, "list of 4"),
    ("cuts.orders", {**GOOD, "cuts": {**CUTS, "orders": [1, 2, 3, math.inf]}}, "list of 4"),
    ("cuts.orders", {**GOOD, "cuts": {**CUTS, "orders": [1, 2, 3, 10**400]}}, "list of 4"),
    ("cuts.orders", {**GOOD, "cuts": {**CUTS, "orders": [1, 3, 2, 4]}}, "must not fall"),
    ("cuts.recency_days", {**GOOD, "cuts": {**CUTS, "recency_days": [-1, 3, 4, 5]}}, "from 0"),
    ("cuts.recency_days", {**GOOD, "cuts": {**CUTS, "recency_days": [1, 3, 4, 1e12]}}, "from 0"),
    ("dimensions", {**GOOD, "dimensions": None}, "must be a mapping"),
    ("dimensions", {**GOOD, "dimensions": {}}, "1 to 16"),
    (
        "dimensions",
        {**GOOD, "dimensions": {f"d{i}": segments(("s", "always")) for i in range(17)}},
        "1 to 16",
    ),
    ("dimensions", {**GOOD, "dimensions": {"D": segments(("s", "always"))}}, "no name"),
    ("dimensions", {**GOOD, "dimensions": {(1, 2): segments(("s", "always"))}}, "must be a mapping"),
    ("dimensions.d", document({"d": None}), "must be a mapping"),
    ("dimensions.d", document({"d": []}), "must be a mapping"),
    ("dimensions.d.kind", document({"d": {"kind": "graph"}}), '"rules" or "cluster"'),
    ("dimensions.d.kind", document({"d": {"kind": ["cluster"]}}), '"rules" or "cluster"'),
    ("dimensions.e.kind", document({"d": CLUSTERS, "e": CLUSTERS}), "one cluster dimension"),
    ("dimensions.d.segments", document({"d": {**CLUSTERS, "segments": []}}), "not known here"),
    ("dimensions.d.margin", document({"d": {**CLUSTERS, "margin": 1}}), "from 0 to 0.9"),
    ("dimensions.d.margin", document({"d": {**CLUSTERS, "margin": "0.1"}}), "from 0 to 0.9"),
    ("dimensions.d.review_days", document({"d": {**CLUSTERS, "review_days": 0}}), "from 0.01"),
    ("dimensions.d.review_days", document({"d": {**CLUSTERS, "review_days": math.nan}}), "from 0.01"),
    ("dimensions.d.margin", document({"d": segments(("s", "always"), margin=0.1)}), "not known here"),
    ("dimensions.d.segments", document({"d": {}}), "list of 1 to 32"),
    ("dimensions.d.segments", document({"d": {"segments": {}}}), "list of 1 to 32"),
    ("dimensions.d.segments", document({"d": segments()}), "list of 1 to 32"),
    (
        "dimensions.d.segments",
        document({"d": segments(*((f"s{i}", "always") for i in range(33)))}),
        "list of 1 to 32",
    ),
    ("dimensions.d.dwell_days", document({"d": segments(("s", "always"), dwell_days=-1)}), "from 0 to 365"),
    ("dimensions.d.dwell_days", document({"d": segments(("s", "always"), dwell_days=True)}), "from 0 to 365"),
    (
        "dimensions.d.description",
        document({"d": segments(("s", "always"), description=["x"])}),
        "must be text",
    ),
    (
        "dimensions.d.segments[1].name",
        document({"d": segments(("s", "always"), ("s", "always"))}),
        "there twice",
    ),
    ("dimensions.d.segments[0]", document({"d": {"segments": [None]}}), "must be a mapping"),
    ("dimensions.d.segments[0]", document({"d": {"segments": [{"name": "s"}]}}), "has no when"),
    ("dimensions.d.segments[0]", document({"d": {"segments": [{"when": "always"}]}}), "has no name"),
    ("dimensions.d.segments[0].name", document({"d": segments(("S", "always"))}), "no name"),
    ("dimensions.d.segments[0].name", document({"d": segments((None, "always"))}), "no name"),  # type: ignore[arg-type]  # on purpose
    ("dimensions.d.segments[0].dwell_days", one("always", dwell_days=366), "from 0 to 365"),
    ("dimensions.d.segments[0].description", one("always", description=3), "must be text"),
    ("dimensions.d.segments[0].whn", one("always", whn="always"), "did you mean 'when'"),
]


@pytest.mark.parametrize(("path", "faulty", "words"), FAULTY_DOCUMENTS, ids=lambda value: str(value)[:30])
def test_a_faulty_document_is_refused_with_its_place(path: str, faulty: Any, words: str) -> None:
    """Every mistake is a DefinitionError with the path to it and what to do."""
    with pytest.raises(DefinitionError) as refused:
        parse(faulty)
    assert refused.value.path == path
    assert words in refused.value.problem
    assert str(refused.value).startswith(path)


def test_the_shipped_definitions_are_read() -> None:
    """The six dimensions of the README, one of them clusters, with the segments people know."""
    definitions = shipped()
    assert [one.name for one in definitions.dimensions] == [
        "lifecycle",
        "rfm",
        "value",
        "engagement",
        "intent",
        "behaviour",
    ]
    assert [one.name for one in definitions.dimensions if one.kind == CLUSTER] == ["behaviour"]
    names = {segment.name for segment in definitions.dimensions[1].segments}
    assert {"champions", "loyal", "can't lose", "hibernating", "promising"} <= names
    assert definitions.cuts["value"] == (670.0, 2050.0, 5800.0)


def test_the_digest_names_the_content() -> None:
    """The same content has the same digest, another content another; layout and comments are not content."""
    first = shipped_document()
    assert digest(first) == digest(copy.deepcopy(first)) == parse(first).digest == shipped().digest
    other = copy.deepcopy(first)
    other["dimensions"]["lifecycle"]["segments"][0]["when"] = "orders <= 0"
    assert parse(other).digest != digest(first)
    assert len(digest(first)) == 16


def test_unknown_features_are_listed_when_none_is_near() -> None:
    """Who is far off gets the list."""
    with pytest.raises(DefinitionError, match="known: days_since_seen"):
        parse(one("zzzzzz >= 1"))


def test_conditions_are_read_as_written() -> None:
    """All, any, not and comparisons keep their structure."""
    definitions = parse(one({"all": ["orders >= 3", {"any": ["spend > 19.99", {"not": "clicks == 0"}]}]}))
    condition = definitions.dimensions[0].segments[0].enter
    assert condition == All((
        Term(BY_NAME["orders"], ">=", 3.0),
        AnyOf((Term(BY_NAME["spend"], ">", 19.99), Not(Term(BY_NAME["clicks"], "==", 0.0)))),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "threshold"),
    [
        ("recent_orders in 30 days >= 3", "recent_orders in 30 days", 3.0),
        ("recent_orders  in 2 weeks>=3", "recent_orders in 14 days", 3.0),
        ("recent_clicks in 1 hour >= 5", "recent_clicks in 1 hours", 5.0),
        ("recent_clicks in 24 hours < 5", "recent_clicks in 1 days", 5.0),
        ("days_since_order < 45 days", "days_since_order", 45.0),
        ("days_since_order < 1 day", "days_since_order", 1.0),
        ("spend<-5.25", "spend", -5.25),
        ("  orders == 1  ", "orders", 1.0),
    ],
)
def test_comparisons_are_read(text: str, name: str, threshold: float) -> None:
    """Windows, units, blanks and negative numbers."""
    term = parse(one(text)).dimensions[0].segments[0].enter
    assert isinstance(term, Term)
    assert (term.name, term.threshold) == (name, threshold)


@pytest.mark.parametrize("written", ["France", "'France'", '"France"', "  France  "])
def test_strings_are_compared_by_their_text(written: str) -> None:
    """Quoted or not, a string is its text; its number is exact in a double and the same everywhere."""
    term = parse(one(f"profile.country == {written}")).dimensions[0].segments[0].enter
    assert isinstance(term, Term)
    assert (term.text, term.threshold) == ("France", string_value("France"))
    assert string_value("France") == int(string_value("France")) < 2**52


def test_odd_strings_have_a_number_too() -> None:
    """An empty string, quotes inside, and half a surrogate pair are strings."""
    texts = ["", "it's", "\ud800", "a" * 10_000]
    assert len({string_value(text) for text in texts}) == len(texts)
    term = parse(one("profile.country == ''")).dimensions[0].segments[0].enter
    assert isinstance(term, Term)
    assert (term.text, term.threshold) == ("", string_value(""))


def test_a_stay_is_never_tighter_than_its_when() -> None:
    """What keeps a customer includes what lets one in."""
    segment = parse(one("orders >= 3", stay="orders >= 1")).dimensions[0].segments[0]
    assert segment.stay == AnyOf((Term(BY_NAME["orders"], ">=", 3.0), Term(BY_NAME["orders"], ">=", 1.0)))


def test_dwell_comes_from_the_dimension_or_the_segment() -> None:
    """A segment's own dwell wins over its dimension's; a tenth of a day is whole milliseconds."""
    rules = {
        "dwell_days": 0.7,
        "segments": [{"name": "a", "when": "always"}, {"name": "b", "when": "always", "dwell_days": 0}],
    }
    dimension = parse(document({"d": rules})).dimensions[0]
    assert [segment.dwell_ms for segment in dimension.segments] == [60_480_000, 0]


def test_each_comparison_is_compiled_once() -> None:
    """Equal comparisons share a number, those of one feature a reading; borders are whole units."""
    definitions = parse(
        one({"any": ["spend >= 19.99", {"not": "spend >= 19.99"}, "spend < 5", "days_since_order < 0.1"]})
    )
    plan, terms = compile_plan(definitions)
    assert len(terms) == len(plan.terms) == 3
    assert len(plan.readings) == 2
    assert plan.terms["threshold"].tolist() == [1999.0, 500.0, 8_640_000.0]


def test_every_feature_can_be_compared_with() -> None:
    """The whole catalogue compiles, and each feature says what it means and in which unit."""
    for feature in FEATURES:
        plan, terms = compile_plan(parse(one(f"{feature.name}{' in 7 days' if feature.windowed else ''} >= 1")))
        assert (len(terms), int(plan.readings["kind"][0])) == (1, feature.kind)
        assert feature.meaning
        assert feature.unit in ("", "days", "money")
    assert len(BY_NAME) == len(FEATURES)
