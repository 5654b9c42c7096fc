"""Two variants over the same events: who differs, what they hold, how restless each is; and that in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.customers.row import DAY_MS
from models.events import MINOR_PER_MAJOR
from stream.backtest.notice import Notice, notices
from stream.backtest.result import Outcome, Result

PAIRS_SHOWN_MAX = 8  # of segments between which customers differ: the largest; the table holds them all
MOVED_SHARE_NOTED = 0.01  # of customers in another segment: below, a change of definitions is hardly one
RESTLESS_NOTED = 1.1  # times as many changes: a tenth more is felt by whoever acts on them


@dataclass(frozen=True, slots=True)
class Pair:
    """Customers who are in one segment under the first variant and in another under the second."""

    before: str
    after: str
    customers: int
    spend: float


@dataclass(frozen=True, slots=True)
class DimensionComparison:
    """One dimension that both variants have. `pairs` are those that differ, largest first."""

    name: str
    differ: int
    differ_share: float
    differ_spend: float
    pairs: list[Pair]
    changes_a_day: tuple[float, float]
    flaps_a_day: tuple[float, float]
    segments: dict[str, list[dict[str, float | None] | None]]  # figures under each variant, None where it has none


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole of it; pairs of numbers are (first variant, second)."""

    customers: int
    spend: float
    days: float
    definitions: tuple[str, str]
    changes_a_day: tuple[float, float]
    flaps_a_day: tuple[float, float]
    dimensions: list[DimensionComparison]
    only_first: list[str]
    only_second: list[str]
    notices: tuple[list[Notice], list[Notice]]

    def plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def compare(result: Result) -> Comparison:
    """Compare the first two variants of a run that kept entries."""
    first, second = result.variants[:2]
    days = max((result.last_ms - result.first_ms) / DAY_MS, 1e-9)
    shared = [name for name in first.dimensions if name in second.dimensions]
    rates = [one.totals.changes / days for one in (first, second)]
    flaps = [int(one.totals.flaps.sum()) / days for one in (first, second)]
    return Comparison(
        customers=len(result.customers),
        spend=round(int(result.customers.spend_minor.sum()) / MINOR_PER_MAJOR, 2),
        days=round(days, 3),
        definitions=(first.definitions.digest, second.definitions.digest),
        changes_a_day=_both(rates),
        flaps_a_day=_both(flaps),
        dimensions=[_dimension(result, name, days) for name in shared],
        only_first=[name for name in first.dimensions if name not in shared],
        only_second=[name for name in second.dimensions if name not in shared],
        notices=(notices(result, first), notices(result, second)),
    )


def _both(numbers: list[float]) -> tuple[float, float]:
    return round(numbers[0], 3), round(numbers[1], 3)


def _dimension(result: Result, name: str, days: float) -> DimensionComparison:
    outcomes = result.variants[:2]
    places = [outcome.dimensions.index(name) for outcome in outcomes]
    names = [outcome.names(d) for outcome, d in zip(outcomes, places, strict=True)]
    texts = [
        np.array(own, dtype=object)[np.minimum(outcome.segments[:, d], len(own) - 1)]
        for outcome, d, own in zip(outcomes, places, names, strict=True)
    ]
    differ = texts[0] != texts[1]
    spend = result.customers.spend_minor
    figures = [result.segment_figures(variant, d) for variant, d in enumerate(places)]
    entries = [sum(int(one["entries"] or 0) for one in own.values()) / days for own in figures]
    flaps = [sum(int(one["flaps"] or 0) for one in own.values()) / days for own in figures]
    return DimensionComparison(
        name=name,
        differ=int(differ.sum()),
        differ_share=round(float(differ.mean()), 6),
        differ_spend=round(int(spend[differ].sum()) / MINOR_PER_MAJOR, 2),
        pairs=_pairs(texts[0][differ], texts[1][differ], spend[differ]),
        changes_a_day=_both(entries),
        flaps_a_day=_both(flaps),
        segments={one: [own.get(one) for own in figures] for one in dict.fromkeys([*figures[0], *figures[1]])},
    )


def _pairs(before: Any, after: Any, spend_minor: Any) -> list[Pair]:
    counted: dict[tuple[str, str], list[int]] = {}
    for old, new, spend in zip(before.tolist(), after.tolist(), spend_minor.tolist(), strict=True):
        one = counted.setdefault((old, new), [0, 0])
        one[0] += 1
        one[1] += spend
    ordered = sorted(counted.items(), key=lambda item: (-item[1][0], item[0]))
    return [Pair(*pair, count, round(spend / MINOR_PER_MAJOR, 2)) for pair, (count, spend) in ordered]


def in_words(found: Comparison) -> list[str]:
    """What the comparison means, a sentence each, most important first."""
    said = []
    for one in found.dimensions:
        if one.differ_share >= MOVED_SHARE_NOTED:
            share = one.differ_spend / found.spend if found.spend else 0.0
            largest = one.pairs[0]
            said.append(
                f"{one.name}: {one.differ:,} customers ({one.differ_share:.1%}) are in another segment; they hold "
                f"{share:.1%} of the spend. Most go from {largest.before} to {largest.after} ({largest.customers:,})."
            )
    said += [_restless(found)]
    said += _noticing(found)
    said += [f"{name} is only in the first." for name in found.only_first]
    said += [f"{name} is only in the second." for name in found.only_second]
    if not any(one.differ for one in found.dimensions):
        said.insert(0, "Nobody ends in another segment.")
    return said


def _restless(found: Comparison) -> str:
    """Over the dimensions that both have."""
    old, new = (sum(one.changes_a_day[i] for one in found.dimensions) for i in (0, 1))
    flaps = [sum(one.flaps_a_day[i] for one in found.dimensions) for i in (0, 1)]
    if old and new / old >= RESTLESS_NOTED:
        told = f"The second is more restless: {new:,.1f} changes a day instead of {old:,.1f}"
    elif new and old / new >= RESTLESS_NOTED:
        told = f"The second is calmer: {new:,.1f} changes a day instead of {old:,.1f}"
    else:
        told = f"Both change about as often: {old:,.1f} and {new:,.1f} a day"
    return f"{told}; flaps {flaps[0]:,.1f} and {flaps[1]:,.1f} a day."


def _noticing(found: Comparison) -> list[str]:
    said = []
    second = {(one.group, one.dimension): one for one in found.notices[1]}
    for one in found.notices[0]:
        other = second.get((one.group, one.dimension))
        if other is None or one.days is None or other.days is None:
            continue
        if (one.noticed, one.days) == (other.noticed, other.days):
            continue
        from_order = "last order" if one.group == "churners" else "first order"
        said.append(
            f"{one.dimension} noticed {other.noticed:,} of {other.known:,} {one.group} "
            f"{other.days:,.1f} days after the {from_order} (median); the first {one.noticed:,}, after {one.days:,.1f}."
        )
    return said


def figures_of(outcome: Outcome) -> dict[str, int]:
    """How often a variant changed and flapped."""
    return {"changes": outcome.totals.changes, "flaps": int(outcome.totals.flaps.sum())}
