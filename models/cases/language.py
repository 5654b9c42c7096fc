"""Cases of the plain values under `tests:`; every mistake is named with its place, as in definitions.

    tests:
      - name: somebody who bought once cools after 45 days
        at: 2026-01-31
        given:
          - {at: -50 days, purchase: 49.90}
        expect:
          segments: {lifecycle: cooling}
          reasons: {lifecycle: [days_since_order]}
          deadlines: {lifecycle: {valid_until: 40 days, next_if_silent: at risk}}

`given` is in the order of arrival: what is older than what stands before it arrives late.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import Any as Value

from models import events as e
from models.cases.case import Case, Deadline, ExpectedChange, Given
from models.changes import TRIGGERS
from models.customers.row import DAY_MS, NEVER_MS
from models.definitions.document import CLUSTER, Definitions, Dimension
from models.definitions.language import cuts_of
from models.definitions.mistake import DefinitionError, nearest
from models.definitions.strings import attribute_value

CASES_MAX = 1_000  # of a document: more are a data set, and belong into a backtest
GIVEN_MAX = 1_000  # of a case, each counted as often as it happened: a row keeps a handful of each kind
NAME_LENGTH_MAX = 120  # fits a line of a report
AT_DEFAULT = "2026-01-01"  # a day like any other: cases without a date must not change with the calendar
UNITS_MS = {
    "millisecond": 1, "second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": DAY_MS, "week": 7 * DAY_MS,
}  # fmt: skip
SPAN_PATTERN = r"(?P<number>-?[0-9]{1,9}(?:\.[0-9]{1,6})?)\s+(?P<unit>millisecond|second|minute|hour|day|week)s?"
_SPAN = re.compile(SPAN_PATTERN)
KINDS = ("purchase", "click", "email", "profile")


@dataclass(frozen=True, slots=True)
class _Scope:
    definitions: Definitions
    at_ms: int


def parse_cases(value: Value, definitions: Definitions) -> tuple[Case, ...]:
    """Cases of the value of `tests`; raises DefinitionError for the first mistake."""
    if not isinstance(value, list) or len(value) > CASES_MAX:
        raise DefinitionError("tests", f"must be a list of at most {CASES_MAX} cases")
    cases = tuple(_case(one, f"tests[{i}]", definitions) for i, one in enumerate(value))
    names = [case.name for case in cases]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DefinitionError(f"tests[{i}].name", f"{name!r} is there twice")
    return cases


def _case(value: Value, path: str, definitions: Definitions) -> Case:
    entry = _mapping(value, path, {"name", "description", "at", "cuts", "given", "expect"})
    name = entry.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise DefinitionError(f"{path}.name", f"must be a line of text of at most {NAME_LENGTH_MAX} characters")
    if not isinstance(entry.get("description", ""), str):
        raise DefinitionError(f"{path}.description", "must be text")
    if "cuts" in entry:
        definitions = replace(definitions, cuts=cuts_of(entry["cuts"], f"{path}.cuts"))
    at_ms = _moment(entry.get("at", AT_DEFAULT), f"{path}.at")
    scope = _Scope(definitions, at_ms)
    given = entry.get("given")
    if not isinstance(given, list) or not given:
        raise DefinitionError(f"{path}.given", "must be a list of what happened: [{at: -3 days, purchase: 49.90}]")
    happened = tuple(_given(one, f"{path}.given[{i}]", scope) for i, one in enumerate(given))
    if sum(one.times for one in happened) > GIVEN_MAX:
        raise DefinitionError(f"{path}.given", f"more happened than {GIVEN_MAX} events")
    expect = _mapping(entry.get("expect"), f"{path}.expect", {"segments", "changes", "reasons", "deadlines"})
    if not any(expect.values()):
        raise DefinitionError(f"{path}.expect", "expects nothing: name segments, changes, reasons or deadlines")
    place = f"{path}.expect"
    return Case(
        name, path, at_ms, definitions, happened,
        segments=_segments(expect.get("segments", {}), f"{place}.segments", scope),
        changes=_changes(expect.get("changes", []), f"{place}.changes", scope),
        reasons=_reasons(expect.get("reasons", {}), f"{place}.reasons", scope),
        deadlines=_deadlines(expect.get("deadlines", {}), f"{place}.deadlines", scope),
    )  # fmt: skip


def _given(value: Value, path: str, scope: _Scope) -> Given:
    entry = _mapping(value, path, {"at", "times", "machine", "category", *KINDS})
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise DefinitionError(path, f"must have exactly one of {', '.join(KINDS)}")
    kind = kinds[0]
    at_ms = scope.at_ms + _span(entry.get("at"), f"{path}.at")
    if at_ms > scope.at_ms:
        raise DefinitionError(f"{path}.at", "lies after the time of the case")
    if at_ms < e.TS_MS_MIN:
        raise DefinitionError(f"{path}.at", "lies before 1990: events so old are refused")
    times = entry.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= GIVEN_MAX:
        raise DefinitionError(f"{path}.times", f"must be a number from 1 to {GIVEN_MAX}")
    machine = entry.get("machine", False)
    if not isinstance(machine, bool) or ("machine" in entry and kind != "email"):
        raise DefinitionError(f"{path}.machine", "must be true or false, of an e-mail")
    inner, place = entry[kind], f"{path}.{kind}"
    if kind == "purchase":
        return Given(at_ms, e.PURCHASE, amount_minor=_amount(inner, place), times=times)
    if kind == "click":
        action, category = _action(inner, e.CLICK_ACTIONS, place), 0
        if "category" in entry:
            category = _category(entry["category"], f"{path}.category", scope)
        return Given(at_ms, e.CLICK, action, times=times, category=category)
    if "category" in entry:
        raise DefinitionError(f"{path}.category", "is something of a click only")
    if kind == "email":
        return Given(at_ms, e.EMAIL, _action(inner, e.EMAIL_ACTIONS, place), machine_open=int(machine), times=times)
    return Given(at_ms, e.PROFILE, attributes=_attributes(inner, place, scope), times=times)


def _amount(value: Value, path: str) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0.5 <= abs(value) * e.MINOR_PER_MAJOR <= e.AMOUNT_MINOR_MAX:  # noqa: PLR2004 - rounds to a cent
        raise DefinitionError(path, f"must be an amount of money, negative for a refund, not {value!r}")
    return round(float(value) * e.MINOR_PER_MAJOR)


def _category(value: Value, path: str, scope: _Scope) -> int:
    declared = scope.definitions.categories
    if value not in declared:
        near = nearest(value, declared) if isinstance(value, str) else ""
        raise DefinitionError(path, f"category {value!r} is not declared under categories{near}")
    return declared.index(value) + 1


def _action(value: Value, actions: tuple[str, ...], path: str) -> int:
    if value not in actions:
        near = nearest(value, list(actions)) if isinstance(value, str) else ""
        raise DefinitionError(path, f"must be one of {', '.join(actions)}, not {value!r}{near}")
    return actions.index(value)


def _attributes(value: Value, path: str, scope: _Scope) -> tuple[float, ...]:
    declared = dict(scope.definitions.attributes)
    entry = _mapping(value, path, set(declared))
    for name, one in entry.items():
        if isinstance(one, list | dict):
            raise DefinitionError(f"{path}.{name}", "must be a number, a text, true, false or null")
    return tuple(attribute_value(entry.get(name), kind) for name, kind in declared.items())


def _segments(value: Value, path: str, scope: _Scope) -> dict[str, str | None]:
    entry = _mapping(value, path, None)
    return {
        name: _segment(one, f"{path}.{name}", _dimension(name, f"{path}.{name}", scope)) for name, one in entry.items()
    }


def _changes(value: Value, path: str, scope: _Scope) -> dict[str, tuple[ExpectedChange, ...]]:
    """Expected changes by dimension, in order."""
    if not isinstance(value, list):
        raise DefinitionError(path, "must be a list of changes: [{dimension: lifecycle, segment: cooling}]")
    found: dict[str, list[ExpectedChange]] = {}
    for i, one in enumerate(value):
        place = f"{path}[{i}]"
        entry = _mapping(one, place, {"dimension", "segment", "previous", "at", "trigger", "reasons"})
        dimension = _dimension(entry.get("dimension"), f"{place}.dimension", scope)
        if "segment" not in entry:
            raise DefinitionError(place, "has no segment; null is none")
        trigger = entry.get("trigger")
        if trigger is not None and trigger not in TRIGGERS:
            raise DefinitionError(f"{place}.trigger", f"must be one of {', '.join(TRIGGERS)}, not {trigger!r}")
        change = ExpectedChange(
            segment=_segment(entry["segment"], f"{place}.segment", dimension),
            previous=_segment(entry.get("previous"), f"{place}.previous", dimension),
            names_previous="previous" in entry,
            at_ms=scope.at_ms + _span(entry["at"], f"{place}.at") if "at" in entry else None,
            trigger=trigger,
            reasons=_features(entry["reasons"], f"{place}.reasons") if "reasons" in entry else None,
        )
        found.setdefault(dimension.name, []).append(change)
    return {name: tuple(changes) for name, changes in found.items()}


def _reasons(value: Value, path: str, scope: _Scope) -> dict[str, tuple[str, ...]]:
    entry = _mapping(value, path, None)
    for name in entry:
        _dimension(name, f"{path}.{name}", scope)
    return {name: _features(one, f"{path}.{name}") for name, one in entry.items()}


def _features(value: Value, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DefinitionError(path, "must be a list of features: [days_since_order]")
    return tuple(value)


def _deadlines(value: Value, path: str, scope: _Scope) -> dict[str, Deadline]:
    found = {}
    for name, one in _mapping(value, path, None).items():
        place = f"{path}.{name}"
        dimension = _dimension(name, place, scope)
        entry = _mapping(one, place, {"valid_until", "next_if_silent"})
        if not entry:
            raise DefinitionError(place, "expects nothing: name valid_until or next_if_silent")
        until = entry.get("valid_until")
        if "valid_until" in entry:
            until = NEVER_MS if until == "never" else scope.at_ms + _span(until, f"{place}.valid_until")
        found[name] = Deadline(
            until,
            _segment(entry.get("next_if_silent"), f"{place}.next_if_silent", dimension),
            "next_if_silent" in entry,
        )
    return found


def _dimension(name: Value, path: str, scope: _Scope) -> Dimension:
    for dimension in scope.definitions.dimensions:
        if dimension.name == name:
            return dimension
    known = [dimension.name for dimension in scope.definitions.dimensions]
    near = nearest(name, known) if isinstance(name, str) else ""
    raise DefinitionError(path, f"unknown dimension {name!r}{near}")


def _segment(value: Value, path: str, dimension: Dimension) -> str | None:
    known = [segment.name for segment in dimension.segments]
    if value is None:
        return None
    if isinstance(value, str) and (value in known or dimension.kind == CLUSTER):
        return value
    near = nearest(value, known) if isinstance(value, str) else ""
    raise DefinitionError(path, f"{dimension.name!r} has no segment {value!r}{near}")


def _span(value: Value, path: str) -> int:
    text = value.strip() if isinstance(value, str) else ""
    match = _SPAN.fullmatch(text)
    if match is None:
        if text == "now":
            return 0
        raise DefinitionError(path, f"{value!r} is no span of time: write it like -40 days, or now")
    return round(float(match["number"]) * UNITS_MS[match["unit"]])


def _moment(value: Value, path: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise DefinitionError(path, f"{value!r} is no time: write it like 2026-01-31 or 2026-01-31T12:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)


def _mapping(value: Value, path: str, allowed: set[str] | None) -> dict[str, Value]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DefinitionError(path, "must be a mapping")
    for key in value:
        if allowed is not None and key not in allowed:
            raise DefinitionError(f"{path}.{key}", f"is not known here{nearest(key, sorted(allowed))}")
    return dict(value)
