"""From the plain values of a YAML or JSON document to Definitions; every mistake is named with its place.

The grammar of a condition:

    orders >= 3                          a feature, an operator, a number (days, money or a count)
    recent_orders in 30 days >= 3        a feature over a sliding window
    profile.country == "France"          a profile attribute declared under `attributes`
    profile.country present              an attribute that is there
    always                               true
    {all: [...]}  {any: [...]}  {not: ...}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any as Value

from models.customers.row import DAY_MS, DIMENSIONS_MAX
from models.definitions.document import (
    CLUSTER,
    RULES,
    All,
    Any,
    Condition,
    Definitions,
    Dimension,
    Not,
    Segment,
    Term,
)
from models.events import ATTRIBUTES_MAX
from models.features.catalogue import ABSENT_MS, ATTRIBUTE, BY_NAME, DECAYED, KEPT, WINDOW_COUNT, Feature

OPS = (">=", "<=", "==", "!=", ">", "<", "present")
SEGMENTS_MAX = 32  # in one dimension: more cannot be told apart, and flips grow with every border
NESTING_MAX = 8  # levels of all, any, not and the comparison itself: deeper is not read by anyone
TERMS_MAX = 4096  # comparisons in a document: 16 dimensions of 32 segments with eight each
THRESHOLD_MAX = 1e15  # in the units a row keeps (ms, cents): sums with times stay exact, in doubles and in 64 bits
DECAYED_MIN = 1e-6  # what a decayed sum is compared with: below it a single click would count for years
CUT_MAX = 1e9  # days, orders or money: times a day in ms still far within 64 bits
CUTS = {"recency_days": 4, "orders": 4, "spend": 4, "value": 3}  # quintile borders; 50, 80 and 95 % of buyers
UNITS_MS = {"hour": DAY_MS // 24, "day": DAY_MS, "week": 7 * DAY_MS}
ALWAYS = All(())
_NAME = re.compile(r"[a-z][a-z0-9_ '&-]{0,39}")
_TERM = re.compile(
    r"(?P<feature>[a-z_]\w*(?:\.\w+)?)"
    r"(?:\s+in\s+(?P<span>[0-9]{1,7})\s+(?P<unit>hour|day|week)s?)?"
    r"(?:\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<value>.*)|\s+present)"
)
_NUMBER = re.compile(r"(?P<number>-?[0-9]{1,16}(?:\.[0-9]{1,16})?)(?P<days>\s+days?)?")
_ATTRIBUTE = re.compile(r"\w{1,40}")


class DefinitionError(ValueError):
    """A mistake in a document: `path` leads to it ("dimensions.lifecycle.segments[2].when")."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


@dataclass(slots=True)
class _Scope:
    """What conditions may name, and how many comparisons there were so far."""

    attributes: Mapping[str, str]
    count: int = 0


def parse(document: Value) -> Definitions:
    """Definitions from plain values; raises DefinitionError for the first mistake."""
    root = _mapping(document, "", {"version", "name", "attributes", "cuts", "dimensions", "budget"})
    if not _is_number(root.get("version")) or root["version"] != 1:
        raise DefinitionError("version", "must be 1")
    scope = _Scope(_attributes(root.get("attributes", {})))
    return Definitions(
        name=_name(root.get("name", "segments"), "name"),
        dimensions=_dimensions(root.get("dimensions"), scope),
        attributes=tuple(scope.attributes.items()),
        cuts=_cuts(root.get("cuts")),
        budget=_budget(root.get("budget", [])),
        digest=digest(
            {key: value for key, value in root.items() if key != "budget"}
        ),  # last: what has passed so far is plain, finite and small
    )


def _budget(value: Value) -> tuple[str, ...]:
    """Limits that a backtest holds the document to; nothing is judged by them, so they are not in the digest."""
    if not isinstance(value, list) or len(value) > SEGMENTS_MAX or not all(isinstance(one, str) for one in value):
        raise DefinitionError("budget", f"must be a list of at most {SEGMENTS_MAX} texts like vip.share <= 10%")
    return tuple(value)


def digest(document: Value) -> str:
    """The name of a document: 16 hexadecimal digits of the SHA-256 of its content, not of its layout."""
    content = json.dumps(document, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def string_value(text: str) -> float:
    """A string attribute as a number the row can hold: 52 bits of its hash, exact in a double."""
    return float(
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 12
    )


def _attributes(value: Value) -> dict[str, str]:
    entries = _mapping(value, "attributes", None)
    if len(entries) > ATTRIBUTES_MAX:
        raise DefinitionError("attributes", f"a row keeps {ATTRIBUTES_MAX}, {len(entries)} are declared")
    for name, kind in entries.items():
        if not _ATTRIBUTE.fullmatch(name):
            raise DefinitionError("attributes", f"{name!r} is no name: letters, digits and _, at most 40")
        if kind not in ("number", "string"):
            raise DefinitionError(f"attributes.{name}", f'must be "number" or "string", not {kind!r}')
    return dict(entries)


def _cuts(value: Value) -> dict[str, tuple[float, ...]]:
    entries = _mapping(value, "cuts", set(CUTS))
    cuts = {}
    for name, count in CUTS.items():
        given = entries.get(name)
        if not isinstance(given, list) or len(given) != count or not all(_is_number(x) for x in given):
            raise DefinitionError(f"cuts.{name}", f"must be a list of {count} numbers: the cut points before any model")
        if sorted(given) != given or given[0] < 0 or given[-1] > CUT_MAX:
            raise DefinitionError(f"cuts.{name}", f"must not fall, from 0 to {CUT_MAX:g}")
        cuts[name] = tuple(float(x) for x in given)
    return cuts


def _dimensions(value: Value, scope: _Scope) -> tuple[Dimension, ...]:
    entries = _mapping(value, "dimensions", None)
    if not 1 <= len(entries) <= DIMENSIONS_MAX:
        raise DefinitionError("dimensions", f"must be 1 to {DIMENSIONS_MAX}, there are {len(entries)}")
    dimensions = tuple(_dimension(name, entry, scope) for name, entry in entries.items())
    clusters = [dimension.name for dimension in dimensions if dimension.kind == CLUSTER]
    if len(clusters) > 1:
        raise DefinitionError(f"dimensions.{clusters[1]}.kind", "there is one model, so one cluster dimension at most")
    return dimensions


def _dimension(name: str, value: Value, scope: _Scope) -> Dimension:
    path = f"dimensions.{_name(name, 'dimensions')}"
    kind = value.get("kind", RULES) if isinstance(value, dict) else RULES
    if kind == CLUSTER:
        return _cluster_dimension(name, value, path)
    if kind != RULES:
        raise DefinitionError(f"{path}.kind", f'must be "{RULES}" or "{CLUSTER}", not {kind!r}')
    entry = _mapping(value, path, {"kind", "description", "segments", "dwell_days"})
    segments = entry.get("segments")
    if not isinstance(segments, list) or not 1 <= len(segments) <= SEGMENTS_MAX:
        raise DefinitionError(f"{path}.segments", f"must be a list of 1 to {SEGMENTS_MAX} segments")
    dwell = _days_ms(entry.get("dwell_days", 0), f"{path}.dwell_days", 0.0)
    parsed = tuple(_segment(s, f"{path}.segments[{i}]", scope, dwell) for i, s in enumerate(segments))
    names = [segment.name for segment in parsed]
    for i, segment in enumerate(names):
        if segment in names[:i]:
            raise DefinitionError(f"{path}.segments[{i}].name", f"{segment!r} is there twice")
    return Dimension(name=name, kind=kind, segments=parsed, description=_description(entry, path))


def _cluster_dimension(name: str, value: Value, path: str) -> Dimension:
    entry = _mapping(value, path, {"kind", "description", "margin", "review_days", "dwell_days"})
    return Dimension(
        name=name,
        kind=CLUSTER,
        description=_description(entry, path),
        margin=_number(entry.get("margin", 0.1), f"{path}.margin", 0.0, 0.9),
        review_ms=_days_ms(entry.get("review_days", 7), f"{path}.review_days", 0.01),
        dwell_ms=_days_ms(entry.get("dwell_days", 0), f"{path}.dwell_days", 0.0),
    )


def _segment(value: Value, path: str, scope: _Scope, dwell_ms: int) -> Segment:
    entry = _mapping(value, path, {"name", "when", "stay", "dwell_days", "description"})
    for needed in ("name", "when"):
        if needed not in entry:
            raise DefinitionError(path, f"has no {needed}")
    enter = stay = _condition(entry["when"], f"{path}.when", scope, 1)
    if "stay" in entry:  # looser whatever it says: who may enter stays, or every look would flip the answer
        stay = Any((enter, _condition(entry["stay"], f"{path}.stay", scope, 1)))
    if "dwell_days" in entry:
        dwell_ms = _days_ms(entry["dwell_days"], f"{path}.dwell_days", 0.0)
    return Segment(_name(entry["name"], f"{path}.name"), enter, stay, dwell_ms, _description(entry, path))


def _condition(value: Value, path: str, scope: _Scope, depth: int) -> Condition:
    if depth > NESTING_MAX:
        raise DefinitionError(path, f"is nested deeper than {NESTING_MAX}")
    if isinstance(value, str):
        scope.count += 1
        if scope.count > TERMS_MAX:
            raise DefinitionError(path, f"is comparison number {scope.count}: there is room for {TERMS_MAX}")
        return ALWAYS if value.strip() == "always" else _term(value.strip(), path, scope.attributes)
    entry = _mapping(value, path, {"all", "any", "not"})
    if len(entry) != 1:
        raise DefinitionError(path, "must have exactly one of all, any, not")
    key, inner = next(iter(entry.items()))
    if key == "not":
        return Not(_condition(inner, f"{path}.not", scope, depth + 1))
    if not isinstance(inner, list) or not inner:
        raise DefinitionError(f"{path}.{key}", "must be a list of conditions")
    parts = tuple(_condition(p, f"{path}.{key}[{i}]", scope, depth + 1) for i, p in enumerate(inner))
    return All(parts) if key == "all" else Any(parts)


def _term(text: str, path: str, attributes: Mapping[str, str]) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise DefinitionError(path, f"cannot read {text!r}: expected e.g. 'orders >= 3'")
    name, op, value = match["feature"], match["op"] or "present", (match["value"] or "").strip()
    if name.startswith("profile."):
        if match["span"]:
            raise DefinitionError(path, f"{name} takes no window")
        return _attribute_term(name, op, value, path, attributes)
    feature = BY_NAME.get(name)
    if feature is None:
        raise DefinitionError(path, f"unknown feature {name!r}{_nearest(name, list(BY_NAME))}")
    if op == "present":
        raise DefinitionError(path, "only a profile attribute can be 'present'")
    window_ms = int(match["span"]) * UNITS_MS[match["unit"]] if match["span"] else 0
    if feature.windowed != bool(match["span"]):
        needs = "needs a window, as in 'in 30 days'" if feature.windowed else "takes no window"
        raise DefinitionError(path, f"{name} {needs}")
    if feature.windowed and not 1 <= window_ms <= ABSENT_MS:
        raise DefinitionError(path, f"the window must be more than nothing and at most {ABSENT_MS // DAY_MS} days")
    threshold = _threshold(value, path, feature)
    _check_answerable(feature, op, threshold, path)
    return Term(feature, op, threshold, window_ms)


def _check_answerable(feature: Feature, op: str, threshold: float, path: str) -> None:
    """Refuse what a row cannot answer: it keeps the newest K of each list; decayed sums never reach zero."""
    if feature.kind == DECAYED and threshold < DECAYED_MIN:
        raise DefinitionError(path, f"{feature.name} only nears zero: compare it with {DECAYED_MIN:g} or more")
    if feature.kind != WINDOW_COUNT:
        return
    kept = KEPT[feature.source]
    if threshold > kept or (op in (">", "<=", "==", "!=") and threshold >= kept):
        raise DefinitionError(path, f"{feature.name} is exact up to {kept}: {op} {threshold:g} cannot be answered")


def _attribute_term(name: str, op: str, value: str, path: str, attributes: Mapping[str, str]) -> Term:
    attribute = name.removeprefix("profile.")
    if attribute not in attributes:
        near = _nearest(attribute, list(attributes))
        raise DefinitionError(path, f"attribute {attribute!r} is not declared under attributes{near}")
    place = list(attributes).index(attribute)
    feature = Feature(name, ATTRIBUTE, place, "", 1.0, "a profile attribute")
    if op == "present":
        return Term(feature, op, 0.0)
    if attributes[attribute] == "number":
        return Term(feature, op, _threshold(value, path, feature))
    if op not in ("==", "!="):
        raise DefinitionError(path, f"{attribute!r} is a string: use ==, != or present")
    text = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in ("'", '"') else value
    if not value:
        raise DefinitionError(path, f"{attribute!r} is compared with nothing: write '' for an empty string")
    return Term(feature, op, string_value(text), text=text)


def _threshold(text: str, path: str, feature: Feature) -> float:
    number = _NUMBER.fullmatch(text)
    if number is None or (number["days"] and feature.unit != "days"):
        raise DefinitionError(path, f"{text!r} is not a number")
    threshold = float(number["number"])
    if abs(threshold) * feature.per_unit > THRESHOLD_MAX:
        raise DefinitionError(path, f"{text!r} is out of reach: at most {THRESHOLD_MAX / feature.per_unit:g}")
    return threshold


def _description(entry: Mapping[str, Value], path: str) -> str:
    text = entry.get("description", "")
    if not isinstance(text, str):
        raise DefinitionError(f"{path}.description", "must be text")
    return text


def _mapping(value: Value, path: str, allowed: set[str] | None) -> dict[str, Value]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DefinitionError(path, "must be a mapping")
    for key in value:
        if allowed is not None and key not in allowed:
            near = _nearest(key, sorted(allowed))
            raise DefinitionError(f"{path}.{key}".lstrip("."), f"is not known here{near}")
    return dict(value)


def _name(value: Value, path: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DefinitionError(path, f"{value!r} is no name: lower-case letters, digits, spaces, at most 40")
    return value


def _days_ms(value: Value, path: str, least: float) -> int:
    return round(_number(value, path, least, 365.0) * DAY_MS)


def _number(value: Value, path: str, least: float, most: float) -> float:
    if not _is_number(value) or not least <= value <= most:
        raise DefinitionError(path, f"must be a number from {least:g} to {most:g}, not {value!r}")
    return float(value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15  # noqa: PLR2004 - finite


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}" if known else ""
