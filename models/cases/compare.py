"""What was expected of a case against what followed: each difference in words, with the conditions behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.cases.case import Case, ExpectedChange
from models.cases.play import Look, Played
from models.changes import TRIGGERS
from models.customers.row import DAY_MS, NEVER_MS
from models.definitions.document import All, Condition, Not, Term
from models.definitions.document import Any as AnyOf
from models.definitions.words import value_in_words, written
from models.features.catalogue import ANSWER
from models.times import iso_times

HOLDS, LACKS = "✓", "✗"  # as test runners show them


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met: where, what, and the conditions with their values underneath."""

    path: str
    problem: str
    verdicts: tuple[str, ...] = ()


def differences(case: Case, played: Played) -> list[Difference]:
    """Everything that is otherwise than expected; empty for a case that passes."""
    place = {dimension.name: d for d, dimension in enumerate(case.definitions.dimensions)}
    found: list[Difference] = []
    path = f"{case.path}.expect"
    for name, wanted in case.segments.items():
        found += _segment(played, place[name], wanted, f"{path}.segments.{name}")
    for name, changes in case.changes.items():
        found += _changes(played, place[name], changes, f"{path}.changes")
    for name, features in case.reasons.items():
        own = played.changes_of(place[name])
        given = reasons_of(played, own[-1]) if own else []
        if given != list(features):
            found.append(Difference(f"{path}.reasons.{name}", f"the reasons are {_set(given)}, not {_set(features)}"))
    for name in case.deadlines:
        found += _deadline(case, played, name, place[name], f"{path}.deadlines.{name}")
    return found


def reasons_of(played: Played, change: Any) -> list[str]:
    """The features that a change names as its reasons, the weightiest first."""
    return [played.judge.terms[k].name for k in change["reason"].tolist() if k >= 0]


def _segment(played: Played, d: int, wanted: str | None, path: str) -> list[Difference]:
    got = played.judge.segment_name(d, played.segments[d])
    if got == wanted:
        return []
    dimension = played.judge.definitions.dimensions[d]
    verdicts = [
        line
        for segment in dimension.segments
        if segment.name in (wanted, got)
        for line in (f"{segment.name}, when:", *tree(segment.enter, played, played.looks[-1]))
    ]
    return [Difference(path, f"is in {got or 'none'}, not in {wanted or 'none'}", tuple(verdicts))]


def tree(condition: Condition, played: Played, look: Look, indent: int = 1) -> list[str]:
    """A condition line by line: each verdict, and under a comparison the value that it was made with."""
    pad, mark = "  " * indent, HOLDS if truth_of(condition, played, look) else LACKS
    if isinstance(condition, Term):
        k = played.judge.terms.index(condition)
        value = look.values[int(played.judge.rules.plan.terms[k]["reading"])]
        shown = value_in_words(condition, value)
        if condition.feature.kind == ANSWER:
            shown = played.judge.segment_name(condition.feature.source, int(value)) or "none"
        return [f"{pad}{mark} {written(condition)}   is {shown}"]
    if isinstance(condition, Not):
        return [f"{pad}{mark} not:", *tree(condition.part, played, look, indent + 1)]
    if not condition.parts:
        return [f"{pad}{mark} always"]
    inner = [line for part in condition.parts for line in tree(part, played, look, indent + 1)]
    return [f"{pad}{mark} {'all' if isinstance(condition, All) else 'any'} of:", *inner]


def truth_of(condition: Condition, played: Played, look: Look) -> bool:
    """Whether a condition held at a look."""
    if isinstance(condition, Term):
        return look.truth[played.judge.terms.index(condition)]
    if isinstance(condition, Not):
        return not truth_of(condition.part, played, look)
    parts = [truth_of(part, played, look) for part in condition.parts]
    return any(parts) if isinstance(condition, AnyOf) and parts else all(parts)


def _changes(played: Played, d: int, wanted: tuple[ExpectedChange, ...], path: str) -> list[Difference]:
    """The first difference between the changes of a dimension and those expected."""
    name, own = played.judge.definitions.dimensions[d].name, played.changes_of(d)
    told = ", ".join(
        f"{played.judge.segment_name(d, int(one['segment']))} at {moment(one['decided_ms'])}" for one in own
    )
    if len(own) != len(wanted):
        return [Difference(path, f"{name} changed {len(own)} times, not {len(wanted)}: {told or 'never'}")]
    for i, (change, one) in enumerate(zip(own, wanted, strict=True)):
        problem = _change(played, d, change, one)
        if problem:
            return [Difference(path, f"change {i + 1} of {name} {problem}; all: {told}")]
    return []


def _change(played: Played, d: int, change: Any, wanted: ExpectedChange) -> str:
    segment, previous = (played.judge.segment_name(d, int(change[key])) for key in ("segment", "previous"))
    if segment != wanted.segment:
        return f"is to {segment or 'none'}, not to {wanted.segment or 'none'}"
    if wanted.names_previous and previous != wanted.previous:
        return f"is from {previous or 'none'}, not from {wanted.previous or 'none'}"
    if wanted.at_ms is not None and int(change["decided_ms"]) != wanted.at_ms:
        return f"is at {moment(change['decided_ms'])}, not at {moment(wanted.at_ms)}"
    trigger = TRIGGERS[int(change["trigger"])]
    if wanted.trigger is not None and trigger != wanted.trigger:
        return f"is triggered by {trigger}, not by {wanted.trigger}"
    reasons = reasons_of(played, change)
    if wanted.reasons is not None and reasons != list(wanted.reasons):
        return f"has the reasons {_set(reasons)}, not {_set(wanted.reasons)}"
    return ""


def _deadline(case: Case, played: Played, name: str, d: int, path: str) -> list[Difference]:
    wanted, found = case.deadlines[name], []
    until, following = played.until_ms[d], played.judge.segment_name(d, max(played.following[d], 0))
    if wanted.valid_until_ms is not None and until != wanted.valid_until_ms:
        shown, meant = _deadline_words(until, case.at_ms), _deadline_words(wanted.valid_until_ms, case.at_ms)
        found.append(Difference(f"{path}.valid_until", f"is {shown}, not {meant}"))
    if wanted.names_following and following != wanted.following:
        problem = f"is {following or 'none'}, not {wanted.following or 'none'}"
        found.append(Difference(f"{path}.next_if_silent", problem))
    return found


def _deadline_words(at_ms: int, case_ms: int) -> str:
    return "never" if at_ms >= NEVER_MS else f"{(at_ms - case_ms) / DAY_MS:g} days, at {moment(at_ms)}"


def moment(at_ms: Any) -> str:
    """A time in ISO 8601."""
    return iso_times(np.array([int(at_ms)], np.int64))[0]


def _set(names: Any) -> str:
    return f"[{', '.join(names)}]"
