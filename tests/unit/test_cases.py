"""Cases beside definitions: what they may say, what they find, what they have shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from models.cases.compare import Difference, differences
from models.cases.coverage import coverage_of
from models.cases.language import parse_cases
from models.cases.play import play
from models.customers.row import DAY_MS
from models.definitions.language import DefinitionError, parse
from tests.core import Core, click, document, order, segments

OWN = document(
    {
        "visits": segments(("fresh", "days_since_click < 7"), ("stale", "always"), dwell_days=1),
        "buyer": segments(("fan", {"all": ["orders >= 2", {"not": "refunds >= 1"}]})),
        "home": segments(("uk", 'profile.country == "UK"'), ("adult", "profile.age >= 18")),
        "like": {"kind": "cluster"},
    },
    attributes={"country": "string", "age": "number"},
)
CASE: dict[str, Any] = {
    "name": "a visit goes stale",
    "at": "2026-03-01",
    "given": [{"at": "-10 days", "click": "view"}],
    "expect": {
        "segments": {"visits": "stale", "buyer": None, "like": "unassigned"},
        "changes": [
            {"dimension": "visits", "segment": "fresh", "previous": None, "at": "-10 days", "trigger": "event"},
            {"dimension": "visits", "segment": "stale", "previous": "fresh", "at": "-3 days", "trigger": "silence"},
        ],
        "reasons": {"visits": ["days_since_click"]},
        "deadlines": {"visits": {"valid_until": "never", "next_if_silent": None}},
    },
}


def case(expect: dict[str, Any], *given: dict[str, Any], **more: Any) -> list[Difference]:
    """What is otherwise than expected in a case of the document above."""
    written = {"name": "x", "given": list(given) or CASE["given"], "expect": expect, **more}
    (one,) = parse_cases([written], parse(OWN))
    return differences(one, play(one))


def test_a_case_that_is_right_passes() -> None:
    """Segments, changes with their times and triggers, reasons and deadlines."""
    (one,) = parse_cases([CASE], parse(OWN))
    assert differences(one, play(one)) == []


@pytest.mark.parametrize(
    ("place", "wrong", "words"),
    [
        (["segments", "visits"], "fresh", "is in stale, not in fresh"),
        (["segments", "visits"], None, "is in stale, not in none"),
        (["segments", "buyer"], "fan", "is in none, not in fan"),
        (["segments", "like"], "cluster-1", "is in unassigned, not in cluster-1"),
        (["changes", 1, "segment"], "fresh", "change 2 of visits is to stale, not to fresh"),
        (["changes", 1, "previous"], None, "change 2 of visits is from fresh, not from none"),
        (["changes", 1, "at"], "-2.5 days", "change 2 of visits is at 2026-02-26T00:00:00.000Z, not at 2026-02-26T12"),
        (["changes", 1, "trigger"], "event", "is triggered by silence, not by event"),
        (["changes", 1, "reasons"], ["orders"], "has the reasons [days_since_click], not [orders]"),
        (["changes"], CASE["expect"]["changes"][:1], "visits changed 2 times, not 1: fresh at 2026-02-19"),
        (["reasons", "visits"], [], "the reasons are [days_since_click], not []"),
        (["deadlines", "visits", "valid_until"], "3 days", "is never, not 3 days, at 2026-03-04"),
        (["deadlines", "visits", "next_if_silent"], "fresh", "is none, not fresh"),
    ],
)
def test_an_expectation_that_is_not_met_is_told(place: list[Any], wrong: Any, words: str) -> None:
    """Each kind of expectation can fail, and says what was instead."""
    written = copy.deepcopy(CASE)
    inside = written["expect"]
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = wrong
    (one,) = parse_cases([written], parse(OWN))
    (found,) = differences(one, play(one))
    assert words in found.problem
    assert found.path.startswith(f"tests[0].expect.{place[0]}")


def test_the_failing_condition_is_shown_with_its_values() -> None:
    """Of the segment that was expected and of the one that is: each comparison, its value, its verdict."""
    (found,) = case({"segments": {"buyer": "fan"}}, *[{"at": f"-{i} days", "purchase": 5} for i in (3, 2)],
                    {"at": "-1 day", "purchase": -5})  # fmt: skip
    assert found.verdicts == (
        "fan, when:", "  ✗ all of:", "    ✓ orders >= 2   is 2", "    ✗ not:", "      ✓ refunds >= 1   is 1",
    )  # fmt: skip
    (found,) = case({"segments": {"visits": "fresh"}})
    assert found.verdicts == ("fresh, when:", "  ✗ days_since_click < 7   is 10 days", "stale, when:", "  ✓ always")
    (found,) = case({"segments": {"home": "uk"}})
    assert found.verdicts == ("uk, when:", '  ✗ profile.country == "UK"   is absent')


def test_what_was_given_arrives_in_its_order() -> None:
    """What is older than what stands before it is late; so often as it says; a profile replaces the one before."""
    found = case(
        {"changes": [{"dimension": "buyer", "segment": "fan", "trigger": "late"}], "segments": {"home": "adult"}},
        {"at": "-1 day", "profile": {"country": "UK"}},
        {"at": "-1 day", "profile": {"country": "FR", "age": 20}},
        {"at": "-2 days", "purchase": 1, "times": 2},
    )
    assert found == []


def test_a_case_is_played_as_events_are() -> None:
    """The same changes, at the same times, as an engine that is given everything at once and looked at late."""
    given = [{"at": "-30 days", "click": "view"}, {"at": "-8 days", "click": "view"}, {"at": "-8 days", "purchase": 5}]
    (one,) = parse_cases([{"name": "x", "given": given, "expect": {"segments": {"visits": "stale"}}}], parse(OWN))
    core, at = Core(parse(OWN)), one.at_ms
    core.apply(click(at - 30 * DAY_MS), click(at - 8 * DAY_MS), order(at - 8 * DAY_MS, 500))
    core.tick(at)
    keys = ["dimension", "segment", "previous", "decided_ms", "trigger", "valid_until_ms", "next_segment"]
    assert [[int(change[key]) for key in keys] for change in play(one).changes] == [
        [int(change[key]) for key in keys] for change in core.changes
    ]


def test_coverage_counts_what_was_shown_and_names_the_rest() -> None:
    """Entered and left, true and false; a segment that nobody can leave is not asked to be left."""
    definitions = parse(document({"d": segments(("loyal", "orders >= 2"), ("new", "orders == 1"), ("none", "always"))}))
    coverage = coverage_of(definitions)
    (one,) = parse_cases(
        [{"name": "x", "given": [{"at": "-1 day", "purchase": 1}], "expect": {"segments": {"d": "new"}}}], definitions
    )
    coverage.add(play(one))
    assert list(coverage.gaps()) == [
        "d: loyal is never entered", "d: new is never left", "d: none is never entered or left",
        "d: loyal: orders >= 2 is never true", "d: new: orders == 1 is never false",
    ]  # fmt: skip


FAULTS: list[tuple[list[Any], Any, str, str]] = [
    ([], "no", "tests[0]", "must be a mapping"),
    (["name"], "", "tests[0].name", "must be a line of text"),
    (["name"], "two\nlines", "tests[0].name", "must be a line of text"),
    (["at"], "soon", "tests[0].at", "is no time"),
    (["at"], 7, "tests[0].at", "is no time"),
    (["given"], [], "tests[0].given", "must be a list of what happened"),
    (["given", 0, "at"], "10 days ago", "tests[0].given[0].at", "is no span of time"),
    (["given", 0, "at"], "1 day", "tests[0].given[0].at", "lies after"),
    (["given", 0, "at"], "-99999 days", "tests[0].given[0].at", "lies before 1990"),
    (["given", 0, "times"], 0, "tests[0].given[0].times", "must be a number from 1 to 1000"),
    (["given", 0, "times"], True, "tests[0].given[0].times", "must be a number from 1 to 1000"),
    (["given", 0, "machine"], True, "tests[0].given[0].machine", "of an e-mail"),
    (["given", 0, "click"], "veiw", "tests[0].given[0].click", "did you mean 'view'?"),
    (["given", 0], {"at": "now"}, "tests[0].given[0]", "exactly one of purchase, click, email, profile"),
    (["given", 0], {"at": "now", "clik": "view"}, "tests[0].given[0].clik", "did you mean 'click'?"),
    (["given", 0], {"at": "now", "purchase": 0}, "tests[0].given[0].purchase", "must be an amount"),
    (["given", 0], {"at": "now", "purchase": float("nan")}, "tests[0].given[0].purchase", "must be an amount"),
    (["given", 0], {"at": "now", "profile": {"contry": "UK"}}, "tests[0].given[0].profile.contry", "mean 'country'?"),
    (["given", 0], {"at": "now", "profile": {"age": [1]}}, "tests[0].given[0].profile.age", "must be a number, a text"),
    (["given"], [{"at": "now", "click": "view", "times": 900}] * 2, "tests[0].given", "more happened than 1000"),
    (["expect"], {}, "tests[0].expect", "expects nothing"),
    (["expect"], {"segment": {}}, "tests[0].expect.segment", "did you mean 'segments'?"),
    (["expect", "segments"], {"visit": "stale"}, "tests[0].expect.segments.visit", "did you mean 'visits'?"),
    (["expect", "segments", "visits"], "stael", "tests[0].expect.segments.visits", "did you mean 'stale'?"),
    (["expect", "changes", 0, "dimension"], None, "tests[0].expect.changes[0].dimension", "unknown dimension None"),
    (["expect", "changes", 0], {"dimension": "visits"}, "tests[0].expect.changes[0]", "has no segment"),
    (["expect", "changes", 0, "trigger"], "magic", "tests[0].expect.changes[0].trigger", "must be one of event"),
    (["expect", "changes"], {"a": 1}, "tests[0].expect.changes", "must be a list of changes"),
    (["expect", "reasons", "visits"], "x", "tests[0].expect.reasons.visits", "must be a list of features"),
    (["expect", "deadlines", "visits"], {}, "tests[0].expect.deadlines.visits", "expects nothing"),
    (["cuts"], {"orders": [1]}, "tests[0].cuts.recency_days", "must be a list of 4 numbers"),
    (["tags"], [], "tests[0].tags", "is not known here"),
]


@pytest.mark.parametrize(("place", "faulty", "path", "words"), FAULTS, ids=lambda one: str(one)[:40])
def test_a_faulty_case_is_refused_with_its_place(place: list[Any], faulty: Any, path: str, words: str) -> None:
    """Every mistake names where it is and what is wrong."""
    tests = [copy.deepcopy(CASE)]
    inside: Any = {"tests": tests}
    for key in ["tests", 0, *place][:-1]:
        inside = inside[key]
    inside[(["tests", 0, *place])[-1]] = faulty
    with pytest.raises(DefinitionError) as refused:
        parse_cases(tests, parse(OWN))
    assert refused.value.path == path
    assert words in refused.value.problem


def test_two_cases_of_one_name_are_refused() -> None:
    """A report names a case by its name."""
    with pytest.raises(DefinitionError, match="is there twice"):
        parse_cases([CASE, CASE], parse(OWN))


def test_tests_are_not_in_the_digest() -> None:
    """A case more is no other definition: nobody is judged anew."""
    assert parse({**OWN, "tests": [CASE]}).digest == parse(OWN).digest
