"""From the plain values of a YAML or JSON document to Definitions; every mistake is named with its place.

A condition is a comparison (comparison.py), or {all: [...]}, {any: [...]} or {not: ...} of conditions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any as Value
from typing import TypeVar

from models.customers.row import AUDIENCES_MAX, CATEGORIES_MAX, DAY_MS, DIMENSIONS_MAX
from models.definitions.comparison import OPS, Scope, read
from models.definitions.dependencies import evaluation_order, terms_of
from models.definitions.document import (
    AUDIENCE,
    CLUSTER,
    RULES,
    All,
    Any,
    Condition,
    Definitions,
    Dimension,
    Not,
    Segment,
)
from models.definitions.mistake import DefinitionError, ToldError, nearest
from models.definitions.strings import string_value
from models.events import ATTRIBUTES_MAX

__all__ = ["OPS", "DefinitionError", "digest", "mistakes", "parse", "string_value"]

T = TypeVar("T")

SEGMENTS_MAX = 32  # in one dimension: more cannot be told apart, and flips grow with every border
NESTING_MAX = 8  # levels of all, any, not and the comparison itself: deeper is not read by anyone
TERMS_MAX = 4096  # comparisons in a document: 16 dimensions of 32 segments with eight each
MISTAKES_MAX = 50  # told at once: more are read by nobody
CUT_MAX = 1e9  # days, orders or money: times a day in ms still far within 64 bits
CUTS = {"recency_days": 4, "orders": 4, "spend": 4, "value": 3}  # quintile borders; 50, 80 and 95 % of buyers
CUTS_EXAMPLE = (
    "{recency_days: [14, 33, 72, 180], orders: [1, 2, 3, 5], spend: [250, 500, 950, 2100], value: [670, 2050, 5800]}"
)
NOT_JUDGED_BY = ("budget", "tests")  # keys that are not in the digest: nobody's segment hangs on them
DAYS_MAX = 365.0  # of a dwell or a review: a year is longer than anybody waits
MARGIN_MAX = 0.9  # of the distance: beyond it nobody ever moves
REVIEW_DAYS_MIN = 0.01  # a quarter of an hour: oftener would only cost
IN = "in"  # the one segment of an audience
NAME_PATTERN = r"[a-z][a-z0-9_ '&-]{0,39}"
ATTRIBUTE_PATTERN = r"\w{1,40}"
CATEGORY_PATTERN = r"""[^\s"'](?:[^\n"']{0,38}[^\s"'])?"""
_NAME = re.compile(NAME_PATTERN)
_CATEGORY = re.compile(CATEGORY_PATTERN)
_ATTRIBUTE = re.compile(ATTRIBUTE_PATTERN)


def parse(document: Value, *, recorded: bool = False) -> Definitions:
    """Definitions from plain values; raises DefinitionError for the first mistake.

    `recorded` ones were adopted once, maybe by an earlier version: what is refused only since then is read as it was.
    """
    return _read(document, Scope({}, recorded=recorded))


def mistakes(document: Value) -> list[DefinitionError]:
    """What is wrong with a document, as far as it can be told apart: of each entry, dimension, segment and condition.

    What hangs on names that are wrong themselves (attributes, categories, another dimension) is left for later.
    """
    found: list[DefinitionError] = []
    try:
        _read(document, Scope({}, mistakes=found))
    except DefinitionError as last:
        if not isinstance(last, ToldError):
            found.append(last)
    return found[:MISTAKES_MAX]


def _each(scope: Scope, reader: Callable[..., T], given: Iterable[tuple[Value, ...]]) -> tuple[T, ...]:
    """What was read of all; where mistakes are gathered, those of all."""
    found, told = [], False
    for one in given:
        try:
            found.append(reader(*one))
        except DefinitionError as mistake:
            if scope.mistakes is None:
                raise
            if not isinstance(mistake, ToldError):
                scope.mistakes.append(mistake)
            told = True
    if told:
        raise ToldError("", "is told already")
    return tuple(found)


def _read(document: Value, scope: Scope) -> Definitions:
    keys = {"version", "name", "attributes", "categories", "cuts", "dimensions", "audiences", "budget", "tests"}
    root = _mapping(document, "", keys, scope)
    if not _is_number(root.get("version")) or root["version"] != 1:
        raise DefinitionError("version", "must be 1")
    scope.attributes = _attributes(root.get("attributes", {}))
    scope.categories = _categories(root.get("categories", []))
    parts: tuple[Value, ...] = _each(
        scope,
        lambda reader, *given: reader(*given),
        (
            (_name, root.get("name", "segments"), "name"),
            (_dimensions, root, scope),
            (cuts_of, root.get("cuts"), "cuts"),
            (_budget, root.get("budget", [])),
        ),
    )
    name, dimensions, cuts, budget = parts
    return Definitions(
        name=name,
        dimensions=dimensions,
        attributes=tuple(scope.attributes.items()),
        categories=scope.categories,
        cuts=cuts,
        budget=budget,
        digest=digest(
            {key: value for key, value in root.items() if key not in NOT_JUDGED_BY}
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


def _categories(value: Value) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and _CATEGORY.fullmatch(one) for one in value):
        raise DefinitionError("categories", "must be a list of names as clicks carry them: at most 40 signs, no quotes")
    if len(value) > CATEGORIES_MAX:
        raise DefinitionError("categories", f"a row keeps {CATEGORIES_MAX}, {len(value)} are declared")
    for i, one in enumerate(value):
        if one in value[:i]:
            raise DefinitionError(f"categories[{i}]", f"{one!r} is there twice")
    return tuple(value)


def cuts_of(value: Value, path: str) -> dict[str, tuple[float, ...]]:
    """Cut points of plain values; raises DefinitionError for the first mistake."""
    if value is None:
        raise DefinitionError(path, f"is missing, for example {CUTS_EXAMPLE}")
    entries = _mapping(value, path, set(CUTS))
    cuts = {}
    for name, count in CUTS.items():
        given = entries.get(name)
        if not isinstance(given, list) or len(given) != count or not all(_is_number(x) for x in given):
            raise DefinitionError(
                f"{path}.{name}", f"must be a list of {count} numbers: the cut points before any model"
            )
        if sorted(given) != given or given[0] < 0 or given[-1] > CUT_MAX:
            raise DefinitionError(f"{path}.{name}", f"must not fall, from 0 to {CUT_MAX:g}")
        cuts[name] = tuple(float(x) for x in given)
    return cuts


def _dimensions(root: Mapping[str, Value], scope: Scope) -> tuple[Dimension, ...]:
    given = [key for key in ("dimensions", "audiences") if key in root] or ["dimensions"]
    found = {key: _mapping(root.get(key), key, None) for key in given}
    for key, one in found.items():
        most = DIMENSIONS_MAX if key == "dimensions" else AUDIENCES_MAX
        if not 1 <= len(one) <= most:
            raise DefinitionError(key, f"must be 1 to {most}, there are {len(one)}")
    entries, audiences = found.get("dimensions", {}), found.get("audiences", {})
    scope.dimensions = (*entries, *(f"{AUDIENCE}{name}" for name in audiences))
    scope.segments = {name: _segment_names(entry) for name, entry in entries.items() if _is_rules(entry)}
    scope.segments |= {f"{AUDIENCE}{name}": (IN,) for name in audiences}
    named = scope.segments.items()
    scope.unsure = {name for name, segments in named if not all(_NAME.fullmatch(one) for one in segments)}
    dimensions = _each(
        scope,
        lambda reader, name, entry: reader(name, entry, scope),
        [
            *((_dimension, name, entry) for name, entry in entries.items()),
            *((_audience, name, entry) for name, entry in audiences.items()),
        ],
    )
    _require_places(dimensions)
    evaluation_order(dimensions)  # refuses a circle
    clusters = [dimension.name for dimension in dimensions if dimension.kind == CLUSTER]
    if len(clusters) > 1:
        raise DefinitionError(f"dimensions.{clusters[1]}.kind", "there is one model, so one cluster dimension at most")
    return dimensions


def _require_places(dimensions: tuple[Dimension, ...]) -> None:
    """Refuse a document with an audience that needs a date where none is left, and audiences of one id."""
    dated = [dimension for dimension in dimensions if dimension.has_date]
    if len(dated) > DIMENSIONS_MAX:
        first = dated[DIMENSIONS_MAX]
        key = "cooldown_days" if first.cooldown_ms else "dwell_days"
        raise DefinitionError(
            f"{first.path}.{key}",
            f"needs since when a customer is in or out: a row keeps {DIMENSIONS_MAX} such dates, of dimensions and "
            "of audiences before this one; the other audiences are a bit each",
        )
    for d, dimension in enumerate(dimensions):
        if dimension.name in {other.name for other in dimensions[:d]}:
            raise DefinitionError(f"{dimension.path}.id", f"{dimension.known_as!r} is there twice")


def _is_rules(entry: Value) -> bool:
    return not isinstance(entry, dict) or entry.get("kind", RULES) == RULES


def _segment_names(entry: Value) -> tuple[str, ...]:
    """The segments of a dimension that conditions may name, before anything in it is known to be right."""
    segments = entry.get("segments") if isinstance(entry, dict) else None
    names = [one.get("name") for one in segments if isinstance(one, dict)] if isinstance(segments, list) else []
    return tuple(name for name in names if isinstance(name, str))


def _dimension(name: str, value: Value, scope: Scope) -> Dimension:
    path = f"dimensions.{_name(name, 'dimensions')}"
    kind = value.get("kind", RULES) if isinstance(value, dict) else RULES
    if kind == CLUSTER:
        return _cluster_dimension(name, value, path)
    if kind != RULES:
        raise DefinitionError(f"{path}.kind", f'must be "{RULES}" or "{CLUSTER}", not {kind!r}')
    entry = _mapping(value, path, {"kind", "description", "segments", "dwell_days"}, scope)
    segments = entry.get("segments")
    if not isinstance(segments, list) or not 1 <= len(segments) <= SEGMENTS_MAX:
        raise DefinitionError(f"{path}.segments", f"must be a list of 1 to {SEGMENTS_MAX} segments")
    dwell = _days_ms(entry.get("dwell_days", 0), f"{path}.dwell_days", 0.0)
    parsed = _each(scope, _segment, [(s, f"{path}.segments[{i}]", scope, dwell) for i, s in enumerate(segments)])
    cooldowns = [_cooldown_ms(one, f"{path}.segments[{i}]") for i, one in enumerate(segments)]
    if len(segments) > 1 and any(cooldowns):
        raise DefinitionError(
            f"{path}.segments", "a row keeps when the last one was left, not which: cooldown_days only of a single one"
        )
    ids = [segment.name for segment in parsed]
    for key, names in (("name", [segment.label or segment.name for segment in parsed]), ("id", ids)):
        for i, segment in enumerate(names):
            if segment in names[:i]:
                raise DefinitionError(f"{path}.segments[{i}].{key}", f"{segment!r} is there twice")
    return Dimension(
        name=name, kind=kind, segments=parsed, description=_description(entry, path), cooldown_ms=cooldowns[0]
    )


def _audience(name: str, value: Value, scope: Scope) -> Dimension:
    """In it or not: a dimension of one segment."""
    path = f"audiences.{_name(name, 'audiences')}"
    entry = _mapping(value, path, {"id", "when", "stay", "dwell_days", "cooldown_days", "description"})
    given = {**entry, "name": name, "id": IN} if "id" in entry else {**entry, "name": IN}
    known = _name(entry.get("id", name), f"{path}.id")
    return Dimension(
        name=f"{AUDIENCE}{known}",
        kind=RULES,
        segments=(_segment(given, path, scope, 0),),
        description=_description(entry, path),
        cooldown_ms=_cooldown_ms(entry, path),
    )


def _cooldown_ms(entry: Mapping[str, Value], path: str) -> int:
    return _days_ms(entry.get("cooldown_days", 0), f"{path}.cooldown_days", 0.0)


def _cluster_dimension(name: str, value: Value, path: str) -> Dimension:
    entry = _mapping(value, path, {"kind", "description", "margin", "review_days", "dwell_days"})
    return Dimension(
        name=name,
        kind=CLUSTER,
        description=_description(entry, path),
        margin=_number(entry.get("margin", 0.1), f"{path}.margin", 0.0, MARGIN_MAX),
        review_ms=_days_ms(entry.get("review_days", 7), f"{path}.review_days", REVIEW_DAYS_MIN),
        dwell_ms=_days_ms(entry.get("dwell_days", 0), f"{path}.dwell_days", 0.0),
    )


def _segment(value: Value, path: str, scope: Scope, dwell_ms: int) -> Segment:
    entry = _mapping(value, path, {"id", "name", "when", "stay", "dwell_days", "cooldown_days", "description"}, scope)
    for needed in ("name", "when"):
        if needed not in entry:
            raise DefinitionError(path, f"has no {needed}")
    enter = stay = _condition(entry["when"], f"{path}.when", scope, 1)
    if "stay" in entry:  # looser whatever it says: who may enter stays, or every look would flip the answer
        stay = Any((enter, _condition(entry["stay"], f"{path}.stay", scope, 1)))
    if "dwell_days" in entry:
        dwell_ms = _days_ms(entry["dwell_days"], f"{path}.dwell_days", 0.0)
    name, label = _name(entry["name"], f"{path}.name"), ""
    if "id" in entry:
        name, label = _name(entry["id"], f"{path}.id"), name
    return Segment(name, enter, stay, dwell_ms, _description(entry, path), label)


def _condition(value: Value, path: str, scope: Scope, depth: int) -> Condition:
    if depth > NESTING_MAX:
        raise DefinitionError(path, f"is nested deeper than {NESTING_MAX}")
    if isinstance(value, str):
        condition = read(value.strip(), path, scope)
        scope.count += max(1, sum(1 for _ in terms_of(condition)))
        if scope.count > TERMS_MAX:
            raise DefinitionError(path, f"is comparison number {scope.count}: there is room for {TERMS_MAX}")
        return condition
    entry = _mapping(value, path, {"all", "any", "not"})
    if len(entry) != 1:
        raise DefinitionError(path, "must have exactly one of all, any, not")
    key, inner = next(iter(entry.items()))
    if key == "not":
        return Not(_condition(inner, f"{path}.not", scope, depth + 1))
    if not isinstance(inner, list) or not inner:
        raise DefinitionError(f"{path}.{key}", "must be a list of conditions")
    parts = _each(scope, _condition, [(p, f"{path}.{key}[{i}]", scope, depth + 1) for i, p in enumerate(inner)])
    return All(parts) if key == "all" else Any(parts)


def _description(entry: Mapping[str, Value], path: str) -> str:
    text = entry.get("description", "")
    if not isinstance(text, str):
        raise DefinitionError(f"{path}.description", "must be text")
    return text


def _mapping(value: Value, path: str, allowed: set[str] | None, scope: Scope | None = None) -> dict[str, Value]:
    """A mapping with these keys; of one with others the rest, where mistakes are gathered."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DefinitionError(path, "is missing: must be a mapping" if value is None and path else "must be a mapping")
    entry = {}
    for key, inner in value.items():
        if allowed is None or key in allowed:
            entry[key] = inner
            continue
        mistake = DefinitionError(f"{path}.{key}".lstrip("."), f"is not known here{nearest(key, sorted(allowed))}")
        if scope is None or scope.mistakes is None:
            raise mistake
        scope.mistakes.append(mistake)
        for meant in get_close_matches(key, sorted(allowed - set(value)), n=1):
            entry[meant] = inner  # or what it stands for would be told as missing
    return entry


def _name(value: Value, path: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DefinitionError(path, f"{value!r} is no name: lower-case letters, digits, spaces, at most 40")
    return value


def _days_ms(value: Value, path: str, least: float) -> int:
    return round(_number(value, path, least, DAYS_MAX) * DAY_MS)


def _number(value: Value, path: str, least: float, most: float) -> float:
    if not _is_number(value) or not least <= value <= most:
        raise DefinitionError(path, f"must be a number from {least:g} to {most:g}, not {value!r}")
    return float(value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15  # noqa: PLR2004 - finite
