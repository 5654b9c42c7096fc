"""Limits that a backtest must keep to: `--fail-if "vip.size_change > 20%"`, and a `budget` in the YAML.

    total.changes_per_day > 2000          the whole variant
    lifecycle.differ > 5%                 a dimension: share of customers who end in another segment
    lifecycle.dormant.share > 30%         a segment; without its dimension where the name is clear
    vip.size_change > 20%                 the second variant's members against the first's

`--fail-if` names what must not be, a budget what must be.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

from models.customers.row import DAY_MS
from models.health import ratio
from stream.backtest.compare import Comparison, figures_of
from stream.backtest.result import Result
from stream.errors import SegstreamError

_LIMIT = re.compile(
    r"(?P<place>[^<>=]+)\.(?P<measure>\w+)\s*(?P<op>>=|<=|==|>|<)\s*(?P<number>-?[0-9]+(?:\.[0-9]+)?)\s*(?P<percent>%?)"
)
_OPS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "==": operator.eq}
OF_TOTAL = ("changes_per_day", "flaps_per_day", "flap_rate", "changes_change")
OF_DIMENSION = ("differ", "differ_spend")
OF_SEGMENT = ("size", "size_change", "share", "spend_share", "entries_per_day", "flap_rate", "stay_days")
NEEDS_TWO = ("changes_change", "differ", "differ_spend", "size_change")


@dataclass(frozen=True, slots=True)
class Limit:
    """One comparison of a measure with a number."""

    text: str
    place: str
    measure: str
    op: str
    number: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A limit and what was measured; `broken` says that the run must fail."""

    limit: str
    measured: float
    broken: bool


def parse(text: str) -> Limit:
    """A limit of its text; raises SegstreamError when it is none."""
    match = _LIMIT.fullmatch(text.strip())
    if match is None or match["measure"] not in (*OF_TOTAL, *OF_DIMENSION, *OF_SEGMENT):
        known = ", ".join(dict.fromkeys((*OF_TOTAL, *OF_DIMENSION, *OF_SEGMENT)))
        raise SegstreamError(
            f"{text!r} is no limit", f"write it like `vip.size_change > 20%`; the measures are {known}"
        )
    scale = 0.01 if match["percent"] else 1.0
    return Limit(text.strip(), match["place"].strip(), match["measure"], match["op"], float(match["number"]) * scale)


def verdicts(result: Result, found: Comparison | None, fail_if: list[Limit], budget: list[Limit]) -> list[Verdict]:
    """Each limit with what was measured: of the last variant, or of it against the first."""
    told = []
    for limits, wanted in ((fail_if, False), (budget, True)):
        for limit in limits:
            measured = _measured(result, found, limit)
            told.append(Verdict(limit.text, round(measured, 6), bool(_OPS[limit.op](measured, limit.number)) != wanted))
    return told


def _measured(result: Result, found: Comparison | None, limit: Limit) -> float:
    if found is None and limit.measure in NEEDS_TWO:
        raise SegstreamError(f"{limit.text!r} compares two definitions", "give the second with --against")
    if limit.place == "total":
        return _of_total(result, limit)
    if limit.measure in OF_DIMENSION and found is not None:
        for one in found.dimensions:
            if one.name == limit.place:
                share = one.differ_spend / found.spend if found.spend else 0.0
                return one.differ_share if limit.measure == "differ" else share
        raise SegstreamError(f"{limit.text!r}: both have no dimension {limit.place!r}", "give one that both have")
    return _of_segment(result, limit)


def _of_total(result: Result, limit: Limit) -> float:
    if limit.measure not in OF_TOTAL:
        raise SegstreamError(f"{limit.text!r}: total has no {limit.measure}", f"it has {', '.join(OF_TOTAL)}")
    days = max((result.last_ms - result.first_ms) / DAY_MS, 1e-9)
    last = figures_of(result.variants[-1])
    if limit.measure == "changes_per_day":
        return last["changes"] / days
    if limit.measure == "flaps_per_day":
        return last["flaps"] / days
    if limit.measure == "flap_rate":
        return last["flaps"] / max(last["changes"], 1)
    return last["changes"] / max(figures_of(result.variants[0])["changes"], 1) - 1


def _of_segment(result: Result, limit: Limit) -> float:
    if limit.measure not in OF_SEGMENT:
        raise SegstreamError(f"{limit.text!r}: a segment has no {limit.measure}", f"it has {', '.join(OF_SEGMENT)}")
    d, name = _place(result, limit)
    last = len(result.variants) - 1
    own = result.segment_figures(last, d).get(name, {})
    days = max((result.last_ms - result.first_ms) / DAY_MS, 1e-9)
    size, entries = own.get("customers") or 0, own.get("entries") or 0
    if limit.measure == "size_change":
        first = result.variants[0]
        dimension = result.variants[last].dimensions[d]
        before = 0.0
        if dimension in first.dimensions:
            there = result.segment_figures(0, first.dimensions.index(dimension))
            before = there.get(name, {}).get("customers") or 0.0
        return size / before - 1 if before else float(size > 0)
    spend = sum(one["spend"] or 0 for one in result.segment_figures(last, d).values())
    return {
        "size": float(size),
        "share": float(own.get("share") or 0),
        "spend_share": ratio(own.get("spend") or 0, spend) or 0.0,
        "entries_per_day": entries / days,
        "flap_rate": ratio(own.get("flaps") or 0, entries) or 0.0,
        "stay_days": float(own.get("stay_days") or 0),
    }[limit.measure]


def _place(result: Result, limit: Limit) -> tuple[int, str]:
    """The dimension and segment that a limit names."""
    outcome = result.variants[-1]
    found = [
        (d, name)
        for d, dimension in enumerate(outcome.dimensions)
        for name in outcome.names(d)
        if limit.place in (name, f"{dimension}.{name}")
    ]
    if len(found) != 1:
        problem = "no segment is" if not found else f"{len(found)} segments are"
        raise SegstreamError(f"{limit.text!r}: {problem} named {limit.place!r}", "name it as dimension.segment")
    return found[0]
