"""The text of one condition into comparisons: what people write (FORMS), in terms of what a row can answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from models.customers.row import DAY_MS, HALF_LIFE_MS
from models.definitions.document import AUDIENCE, HOUR_MS, MINUTE_MS, All, Any, Condition, Not, Term
from models.definitions.mistake import DefinitionError, ToldError, nearest
from models.definitions.strings import string_value
from models.features.catalogue import (
    ABSENT_MS,
    ALIASES,
    ANSWER,
    ATTRIBUTE,
    BY_NAME,
    DECAYED,
    DECAYED_SUMS,
    HAPPENINGS,
    KEPT,
    TOPS,
    TREND,
    TREND_MAX,
    WINDOW_ALIASES,
    WINDOW_COUNT,
    Feature,
    clicked,
    following,
)

OPS = (">=", "<=", "==", "!=", ">", "<", "present")
THRESHOLD_MAX = 1e15  # in the units a row keeps (ms, cents): sums with times stay exact, in doubles and in 64 bits
DECAYED_MIN = 1e-6  # what a decayed sum is compared with: below it a single click would count for years
SET_MAX = 64  # entries of a set: a longer list belongs into an attribute
TEXT_MAX = 4096  # characters of a condition: a set of texts of 40 and more fits
ALWAYS = All(())
QUOTES = ("'", '"')
UNITS_MS = {"minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS, "week": 7 * DAY_MS}

FORMS: Final[Mapping[str, str]] = {
    "orders >= 3": "a feature, an operator, a number; time may have a unit: `days_since_order < 2 hours`",
    "purchases in 30 days >= 3": "in a sliding window; so with `orders`, `clicks`, `opens` (with clicks) and `amount`",
    "spend between 100 and 500": "a range, both ends included",
    "orders in (1, 2)": "one of a set, of numbers or texts; or `not in`",
    'profile.country == "France"': "an attribute declared under `attributes`: texts with `==`, `!=`, `in`",
    "profile.country present": "an attribute that is there; or `absent`",
    "no click for 14 days": "silence, also of `order`, `cart_add`, `open`, `email`, `event`; never is silence too",
    "cart_add, then no order within 2 hours": "two hours after the newest cart and until an order comes; so of any two "
    "of `order`, `click`, `cart_add`, `open`, `email`",
    "email, then order within 3 days": "what followed the newest e-mail came so soon",
    "days_since_click on shoes < 1": "the newest click on one of the declared `categories`; or "
    "`no click on shoes for 7 days`",
    "clicks on shoes in 1 day >= 1": "whether there was one: of a category a row keeps the newest click, not how many",
    "clicks halved every 7 days >= 3": "a decayed sum: each counts half after that time. A row keeps those "
    "of `clicks` for 1 and 7 days, of `opens` for 30, of `orders` and `amount` for 90",
    "clicks trend >= 1.5": "lately against usual: the same as `click_trend >= 1.5`",
    "top 20 % by spend": "of buyers, by the model's cut points: of `spend`, `value`, `orders`, `recency`; or `bottom`",
    "dimension lifecycle is active": "what another dimension says; `is not`, `in (new, active)`, `not in`",
    "in audience vip": "who is in one of the `audiences`; or `not in audience vip`",
    "always": "true",
}
"""Every form that a comparison can have, and what it means."""

_SPAN: Final = r"(?P<span>[0-9]{1,7})\s+(?P<unit>minute|hour|day|week)s?"
_CATEGORY: Final = r"""(?P<category>"[^"]+"|'[^']+'|[\w&-]+)"""
_COMPARISON = re.compile(
    r"(?P<feature>[a-z_]\w*(?:\.\w+)?)"
    rf"(?:\s+on\s+{_CATEGORY})?"
    rf"(?:\s+in\s+{_SPAN})?"
    r"(?:\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<value>.*)"
    r"|\s+between\s+(?P<low>\S+(?:\s+[a-z]+)?)\s+and\s+(?P<high>.+)"
    r"|\s+(?P<outside>not\s+)?in\s*\((?P<entries>.*)\)"
    r"|\s+(?P<presence>present|absent))"
)
_HALVED = re.compile(rf"(?P<what>\w+)\s+halved\s+every\s+{_SPAN}(?P<rest>\W.*)")
_TREND = re.compile(r"(?P<what>\w+)\s+trend(?P<rest>\W.*)")
_TOP = re.compile(r"(?P<end>top|bottom)\s+(?P<share>[0-9]{1,3})\s*%\s+by\s+(?P<by>\w+)")
_SILENCE = re.compile(rf"no\s+(?P<what>\w+)(?:\s+on\s+{_CATEGORY})?\s+for\s+{_SPAN}")
_SEQUENCE = re.compile(rf"(?P<first>\w+)\s*,?\s+then\s+(?P<no>no\s+)?(?P<second>\w+)\s+within\s+{_SPAN}")
_AUDIENCE = re.compile(r"(?P<no>not\s+)?in\s+audience\s+(?P<name>\S.*)")
_DIMENSION = re.compile(
    r"dimension\s+(?P<name>\S.*?)\s+(?:(?P<is>is(?:\s+not)?)\s+(?P<segment>\S.*)|(?P<in>(?:not\s+)?in)\s*\((?P<entries>.*)\))"
)
_NUMBER = re.compile(r"(?P<number>-?[0-9]{1,16}(?:\.[0-9]{1,16})?)(?:\s+(?P<unit>minute|hour|day|week)s?)?")
_AFTER_NUMBER = re.compile(r"[0-9]\s+([a-z]{3,9})")
_ENTRY = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,]*?)\s*(,|$)""")


@dataclass(slots=True)
class Scope:
    """What conditions may name, and how many comparisons there were so far.

    `recorded` documents were adopted once: what is refused only since then is read as it was.
    """

    attributes: Mapping[str, str]
    categories: tuple[str, ...] = ()
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of dimensions of rules, in order
    dimensions: tuple[str, ...] = ()
    count: int = 0
    recorded: bool = False
    mistakes: list[DefinitionError] | None = None  # where there is a list, they are gathered and reading goes on
    unsure: set[str] = field(default_factory=set)  # dimensions with a segment whose name is wrong


def read(text: str, path: str, scope: Scope) -> Condition:
    """The condition that a text says; raises DefinitionError with `path`."""
    if text == "always":
        return ALWAYS
    if len(text) <= TEXT_MAX:
        for pattern, reader in _READERS:
            if match := pattern.fullmatch(text):
                return reader(match, path, scope)
    raise DefinitionError(path, f"cannot read {text[:80]!r}{_unit_meant(text)}: expected e.g. 'orders >= 3'")


def _read_halved(match: re.Match[str], path: str, scope: Scope) -> Condition:
    what = match["what"]
    if what not in DECAYED_SUMS:
        raise DefinitionError(path, f"a row keeps no decayed sum of {what!r}{nearest(what, DECAYED_SUMS)}")
    known = {HALF_LIFE_MS[BY_NAME[name].source]: name for name in DECAYED_SUMS[what]}
    name = known.get(_span_ms(match, path, ABSENT_MS))
    if name is None:
        days = " and ".join(f"{half_life_ms // DAY_MS}" for half_life_ms in known)
        given = f"{match['span']} {match['unit']}s"
        raise DefinitionError(path, f"a row keeps sums of {what} that are halved every {days} days, not {given}")
    return read(f"{name}{match['rest']}", path, scope)


def _read_trend(match: re.Match[str], path: str, scope: Scope) -> Condition:
    what = match["what"]
    if what != "clicks":
        late = "; `order_delay` says how late the next one is" if what in {"orders", "purchases"} else ""
        raise DefinitionError(
            path, f"a row keeps sums of two half-lives of clicks only, so {what!r} has no trend{late}"
        )
    return read(f"click_trend{match['rest']}", path, scope)


def _read_top(match: re.Match[str], path: str, _scope: Scope) -> Condition:
    by, share = ALIASES.get(match["by"], match["by"]), int(match["share"])
    by = "spend" if by == "gross_spend" else by
    if by not in TOPS:
        raise DefinitionError(path, f"there are no cut points of {by!r}{nearest(by, TOPS)}")
    is_top = match["end"] == "top"
    known = {one if is_top else 100 - one: score for one, score in TOPS[by].items()}
    if share not in known:
        shares = ", ".join(str(one) for one in sorted(known))
        raise DefinitionError(path, f"the model's cut points know the {match['end']} {shares} % by {by}, not {share} %")
    name, least = known[share]
    if is_top:
        return Term(BY_NAME[name], ">=", float(least))
    return All((Term(BY_NAME[name], ">=", 1.0), Term(BY_NAME[name], "<", float(least))))  # 0 is without order


def _read_silence(match: re.Match[str], path: str, scope: Scope) -> Condition:
    feature = BY_NAME[_happening(match["what"], path)[1]]
    if match["category"]:
        feature = _clicked(feature, match["category"], path, scope)
    return Term(feature, ">=", _span_ms(match, path, ABSENT_MS) / DAY_MS)


def _read_sequence(match: re.Match[str], path: str, _scope: Scope) -> Condition:
    (one, since), (other, _) = (_happening(match[name], path) for name in ("first", "second"))
    if "event" in (one, other):
        raise DefinitionError(path, "any event is no step of a sequence: name an order, click, cart_add, open or email")
    if one == other:
        raise DefinitionError(path, f"of {one} a row keeps the newest: nothing of its kind can follow it")
    span_days = _span_ms(match, path, ABSENT_MS - 1) / DAY_MS
    feature = following(match["first"], match["second"])
    if match["no"]:
        return All((Term(BY_NAME[since], ">=", span_days), Term(feature, ">=", ABSENT_MS / DAY_MS)))
    return Term(feature, "<=", span_days)


def _read_dimension(match: re.Match[str], path: str, scope: Scope) -> Condition:
    name = _unquoted(match["name"])
    if name not in scope.segments:
        if name in scope.dimensions:
            raise DefinitionError(
                path, f"the clusters of {name!r} come and go with the model: no condition can name them"
            )
        raise DefinitionError(path, f"unknown dimension {name!r}{nearest(name, scope.segments)}")
    known = scope.segments[name]
    given = _entries(match["entries"], path) if match["in"] else [match["segment"]]
    place = scope.dimensions.index(name)
    feature = Feature(f"dimension {name}", ANSWER, place, "", 1.0, "the answer of another dimension")
    negated = "not" in (match["is"] or match["in"]).split()
    terms = []
    for entry in map(_unquoted, given):
        if entry not in known:
            if scope.mistakes is not None and name in scope.unsure:
                raise ToldError(path, "names what is wrong itself")
            raise DefinitionError(path, f"dimension {name!r} has no segment {entry!r}{nearest(entry, known)}")
        terms.append(Term(feature, "!=" if negated else "==", known.index(entry) + 1.0, text=entry))
    return _joined(terms, negated)


def _read_audience(match: re.Match[str], path: str, scope: Scope) -> Condition:
    known = [name.removeprefix(AUDIENCE) for name in scope.segments if name.startswith(AUDIENCE)]
    name = _unquoted(match["name"])
    if name not in known:
        raise DefinitionError(path, f"unknown audience {name!r}{nearest(name, known)}")
    return read(f"dimension {AUDIENCE}{name} is {'not ' if match['no'] else ''}in", path, scope)


def _read_comparison(match: re.Match[str], path: str, scope: Scope) -> Condition:
    name = match["feature"]
    if match["category"] and name == "clicks":
        return _clicks_on(match, path, scope)
    if name.startswith("profile."):
        if match["category"]:
            raise DefinitionError(path, f"{name} knows no categories")
        if match["span"]:
            raise DefinitionError(path, f"{name} takes no window")
        return _spread(match, path, *_attribute(name, path, scope))
    feature = _feature(name, bool(match["span"]), path)
    if match["category"]:
        feature = _clicked(feature, match["category"], path, scope)
    if match["presence"]:
        raise DefinitionError(path, f"only a profile attribute can be '{match['presence']}'")
    window_ms = _span_ms(match, path, ABSENT_MS) if match["span"] else 0

    def term(op: str, value: str) -> Term:
        threshold = _threshold(value, path, feature)
        _check_answerable(feature, op, threshold, path)
        return Term(feature, op, threshold, window_ms)

    return _spread(match, path, feature, term)


def _clicked(feature: Feature, written: str, path: str, scope: Scope) -> Feature:
    """The time since the newest click on a declared category."""
    if feature.name != "days_since_click":
        raise DefinitionError(path, f"of a category a row keeps the newest click, and nothing for {feature.name!r}")
    category = _unquoted(written)
    if category not in scope.categories:
        near = nearest(category, scope.categories)
        raise DefinitionError(path, f"category {category!r} is not declared under categories{near}")
    return clicked(category, scope.categories.index(category))


def _clicks_on(match: re.Match[str], path: str, scope: Scope) -> Condition:
    """Whether there was a click on a category in a window: all that a row can say of it."""
    feature = _clicked(BY_NAME["days_since_click"], match["category"], path, scope)
    if not match["span"]:
        raise DefinitionError(path, "clicks on a category need a window, as in 'in 30 days'")
    some = {(">=", "1"): "<", (">", "0"): "<", ("!=", "0"): "<", ("==", "0"): ">=", ("<", "1"): ">=", ("<=", "0"): ">="}
    op = some.get((match["op"] or "", (match["value"] or "").strip()))
    if op is None:
        raise DefinitionError(path, "of a category a row keeps the newest click: only >= 1 and == 0 can be answered")
    return Term(feature, op, _span_ms(match, path, ABSENT_MS) / DAY_MS)


def _spread(match: re.Match[str], path: str, feature: Feature, term: Callable[[str, str], Term]) -> Condition:
    """One comparison, or those that a range or a set stands for."""
    if match["op"]:
        return term(match["op"], match["value"].strip())
    if match["presence"]:
        there = Term(feature, "present", 0.0)
        return there if match["presence"] == "present" else Not(there)
    if match["low"]:
        low, high = term(">=", match["low"]), term("<=", match["high"].strip())
        if low.threshold > high.threshold:
            raise DefinitionError(path, f"nothing is between {match['low']} and {match['high'].strip()}")
        return All((low, high))
    negated = bool(match["outside"])
    return _joined([term("!=" if negated else "==", entry) for entry in _entries(match["entries"], path)], negated)


def _joined(terms: list[Term], negated: bool) -> Condition:  # noqa: FBT001 - whether none of the set, not one
    if len(terms) == 1:
        return terms[0]
    return All(tuple(terms)) if negated else Any(tuple(terms))


def _feature(name: str, windowed: bool, path: str) -> Feature:  # noqa: FBT001 - whether a window was given
    feature = BY_NAME.get((WINDOW_ALIASES if windowed else ALIASES).get(name, name))
    if feature is None and name in WINDOW_ALIASES:
        feature = BY_NAME[WINDOW_ALIASES[name]]
    if feature is None:
        raise DefinitionError(path, f"unknown feature {name!r}{nearest(name, [*BY_NAME, *ALIASES])}")
    if feature.windowed != windowed:
        if windowed:
            kept = ", ".join(sorted(WINDOW_ALIASES))
            raise DefinitionError(path, f"{name} takes no window; a row keeps the newest times of {kept}")
        raise DefinitionError(path, f"{name} needs a window, as in 'in 30 days'")
    return feature


def _check_answerable(feature: Feature, op: str, threshold: float, path: str) -> None:
    """Refuse what a row cannot answer: it keeps the newest K of each list; decayed sums never reach zero."""
    if feature.kind in (DECAYED, TREND) and threshold < DECAYED_MIN:
        raise DefinitionError(path, f"{feature.name} only nears zero: compare it with {DECAYED_MIN:g} or more")
    if feature.kind == TREND and threshold > TREND_MAX:
        raise DefinitionError(path, f"{feature.name} is {TREND_MAX:g} at most, after a first click")
    if feature.kind != WINDOW_COUNT:
        return
    kept = KEPT[feature.source]
    if threshold > kept or (op in (">", "<=", "==", "!=") and threshold >= kept):
        raise DefinitionError(path, f"{feature.name} is exact up to {kept}: {op} {threshold:g} cannot be answered")


def _attribute(name: str, path: str, scope: Scope) -> tuple[Feature, Callable[[str, str], Term]]:
    """The feature of a declared attribute, and what makes a comparison with a value of its kind."""
    attributes = scope.attributes
    attribute = name.removeprefix("profile.")
    if attribute not in attributes:
        near = nearest(attribute, attributes)
        raise DefinitionError(path, f"attribute {attribute!r} is not declared under attributes{near}")
    feature = Feature(name, ATTRIBUTE, list(attributes).index(attribute), "", 1.0, "a profile attribute")

    def term(op: str, value: str) -> Term:
        if attributes[attribute] == "number":
            return Term(feature, op, _threshold(value, path, feature))
        if op not in ("==", "!="):
            raise DefinitionError(path, f"{attribute!r} is a string: use ==, !=, in, present or absent")
        if not value:
            raise DefinitionError(path, f"{attribute!r} is compared with nothing: write '' for an empty string")
        if not scope.recorded:
            _check_quotes(value, path)
        text = _unquoted(value)
        return Term(feature, op, string_value(text), text=text)

    return feature, term


def _check_quotes(text: str, path: str) -> None:
    """Refuse a text that begins or ends with a quote which is not its own: nobody could tell what it is."""
    if text != _unquoted(text):
        if text[0] in text[1:-1]:
            raise DefinitionError(path, f"{text} holds its own quotes: quote it with the other kind")
    elif text[0] in QUOTES or text[-1] in QUOTES:
        raise DefinitionError(path, f"{text} has a quote without its partner: quote all of it, or none")


def _threshold(text: str, path: str, feature: Feature) -> float:
    number = _NUMBER.fullmatch(text)
    if number is None or (number["unit"] and feature.unit != "days"):
        raise DefinitionError(path, f"{text!r} is not a number{_unit_meant(text)}")
    threshold = float(number["number"])
    if number["unit"]:
        threshold *= UNITS_MS[number["unit"]] / DAY_MS
    if abs(threshold) * feature.per_unit > THRESHOLD_MAX:
        raise DefinitionError(path, f"{text!r} is out of reach: at most {THRESHOLD_MAX / feature.per_unit:g}")
    return threshold


def _unit_meant(text: str) -> str:
    """What to add where a number is followed by what is nearly a unit."""
    units = [*UNITS_MS, *(f"{unit}s" for unit in UNITS_MS)]
    for word in _AFTER_NUMBER.findall(text[:TEXT_MAX]):
        near = get_close_matches(word, units, n=1)
        if near and word not in units:
            return f"; did you mean {near[0].rstrip('s')}s?"
    return ""


def _span_ms(match: re.Match[str], path: str, most_ms: int) -> int:
    span_ms = int(match["span"]) * UNITS_MS[match["unit"]]
    if not 1 <= span_ms <= most_ms:
        raise DefinitionError(path, f"the window must be more than nothing and at most {ABSENT_MS // DAY_MS} days")
    return span_ms


def _happening(name: str, path: str) -> tuple[str, str]:
    if name not in HAPPENINGS:
        raise DefinitionError(path, f"a row keeps no time of {name!r}{nearest(name, HAPPENINGS)}")
    return HAPPENINGS[name]


def _entries(text: str, path: str) -> list[str]:
    """The entries of a set, as they are written."""
    found: list[str] = []
    at = 0
    while True:
        match = _ENTRY.match(text, at)
        if match is None or not match[1]:
            raise DefinitionError(path, f"cannot read the set ({text[:80]}): expected e.g. (1, 2, 3)")
        found.append(match[1])
        if not match[2]:
            break
        at = match.end()
    if len(found) > SET_MAX:
        raise DefinitionError(path, f"a set has at most {SET_MAX} entries, this one {len(found)}")
    return found


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES else text


_READERS: Final = (
    (_HALVED, _read_halved),
    (_TREND, _read_trend),
    (_TOP, _read_top),
    (_SILENCE, _read_silence),
    (_SEQUENCE, _read_sequence),
    (_AUDIENCE, _read_audience),
    (_DIMENSION, _read_dimension),
    (_COMPARISON, _read_comparison),
)  # in this order: what has a form of its own first


def patterns() -> tuple[str, ...]:
    """The forms of a comparison as regular expressions of Python, of which it must match one from end to end."""
    return tuple(pattern.pattern for pattern, _ in _READERS)
