"""Outcome scoring: how well what was known at a time tells to whom something happens after it.

Predictors are recency and RFM alone, and every dimension. Nothing from after that time is used: memberships are those
of the time, and which segment promises more is learned from what happened to customers in it at earlier times.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import DAY_MS, NEVER_MS
from models.events import MINOR_PER_MAJOR
from stream.backtest.partition_run import Customers
from stream.backtest.result import Outcome, Result
from stream.backtest.target import Target
from stream.codec.times import iso
from stream.errors import SegstreamError

HISTORY_MOMENTS = 12  # earlier times at which memberships and what followed are looked at
TOP_SHARE = 0.2  # of the customers, those a predictor likes best: the 20 of 80/20
Z_95 = 1.959964  # of a normal distribution, for 95 % intervals
QUINTILES = 5

Floats = NDArray[np.float64]
Predict = Callable[[Customers], Floats]  # who comes first, by the time of the customers


@dataclass(frozen=True, slots=True)
class Predictor:
    """How one way to order customers did. `low` and `high` are the AUC's 95 % interval (DeLong)."""

    name: str
    auc: float
    low: float
    high: float
    lift: float  # of the top fifth: its rate against that of all
    revenue_share: float  # of what was bought after, by the top fifth


@dataclass(frozen=True, slots=True)
class SegmentScore:
    """Members at the time, to how many of them it happened, against all, and how much they bought after."""

    customers: int
    rate: float
    lift: float
    revenue: float


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one variant."""

    outcome: str
    at: str
    days: float
    customers: int
    positives: int
    base_rate: float
    predictors: list[Predictor]
    segments: dict[str, dict[str, SegmentScore]]

    def plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def moments_for(first_ms: int, at_ms: int, within_ms: int) -> list[int]:
    """The times at which everybody must be written down for `score`, in order; the last two are T and the end."""
    if at_ms <= first_ms:
        raise SegstreamError("the time to score at is before the first event", "give a later --at")
    step_ms = (at_ms - first_ms) // (HISTORY_MOMENTS + 1)
    return [*(at_ms - k * step_ms for k in range(HISTORY_MOMENTS, 0, -1)), at_ms, at_ms + within_ms]


def score(result: Result, outcome: Outcome, variant: int, moments: Sequence[int], target: Target) -> Score:
    """Score a variant; `moments` are those of `moments_for`, which the run wrote down, and `target` is what it counted.

    Those to whom it cannot happen are left out: nobody enters the segment they are in.
    """
    written = dict(result.at)
    history = [written[at_ms] for at_ms in moments]
    at_ms, end_ms = moments[-2:]
    now, after = history[-2], history[-1]
    if not len(now):
        raise SegstreamError("there is no customer yet at the time to score at", "give a later --at")
    exposed = np.flatnonzero(target.exposed(now.segments[0]))
    if not len(exposed):
        raise SegstreamError(f"everybody is in {target.text} at the time to score at", "give another --at or --outcome")
    places = _places(now, after)
    happened = (after.hits[places] > now.hits)[exposed]
    revenue = (np.maximum(after.spend_minor[places] - now.spend_minor, 0) / MINOR_PER_MAJOR)[exposed]
    base = float(happened.mean())
    named = [
        (name, _chosen([predict, partial(_reversed, predict)], history, target)(now))
        for name, predict in (("recency alone", _recency), ("RFM alone", _rfm))
    ]
    segments = {}
    for d, dimension in enumerate(outcome.definitions.dimensions):
        rates = _rates(history[:-1], variant, d, target)
        codes = now.segments[variant][:, d]
        named.append((dimension.name, _expected(rates, codes)))
        if len(np.unique(codes)) > 1:  # where all are in one segment, its dates say nothing of it
            dated = [partial(_with_dates, rates, variant, d, sign) for sign in (1, -1)]
            named.append((f"{dimension.name}, with its dates", _chosen(dated, history, target)(now)))
        segments[dimension.name] = _segments(outcome, d, codes[exposed], happened, revenue, base)
    return Score(
        outcome=target.text,
        at=iso(at_ms),
        days=(end_ms - at_ms) / DAY_MS,
        customers=len(exposed),
        positives=int(happened.sum()),
        base_rate=base,
        predictors=[_predictor(name, x[exposed], happened, revenue) for name, x in named],
        segments=segments,
    )


def _places(before: Customers, after: Customers) -> NDArray[np.int64]:
    """Where the customers of `before` stand in `after`: partitions grow at their ends, so slots keep their order."""
    first_after = np.searchsorted(after.partition, before.partition)
    first_before = np.searchsorted(before.partition, before.partition)
    return first_after + np.arange(len(before)) - first_before


def _rates(history: Sequence[Customers], variant: int, d: int, target: Target) -> Floats:
    """For each code the share it happened to before the next earlier time, one success and one failure added."""
    width = 1 + max(int(one.segments[variant][:, d].max(initial=0)) for one in history)
    members, hit = np.zeros(width), np.zeros(width)
    for now, after in itertools.pairwise(history):
        exposed = target.exposed(now.segments[0])
        codes = now.segments[variant][exposed, d]
        happened = (after.hits[_places(now, after)] > now.hits)[exposed]
        members += np.bincount(codes, minlength=width)
        hit += np.bincount(codes, weights=happened, minlength=width)
    return np.asarray((hit + 1) / (members + 2))


def _expected(rates: Floats, codes: NDArray[np.int64]) -> Floats:
    return rates[np.minimum(codes, len(rates) - 1)]


def _chosen(ways: Sequence[Predict], history: Sequence[Customers], target: Target) -> Predict:
    """Of an event the first way to order customers; of an entry what did best at the time before: who is nearest to
    leaving may be nearest to coming in.
    """
    if not target.code:
        return ways[0]
    now, after = history[-3:-1]
    exposed = target.exposed(now.segments[0])
    happened = (after.hits[_places(now, after)] > now.hits)[exposed]
    areas = [auc(way(now)[exposed], happened)[0] for way in ways]
    return ways[int(np.argmax(areas))]  # NaN where nothing is known of then: the first


def _reversed(predict: Predict, now: Customers) -> Floats:
    return -predict(now)


def _recency(now: Customers) -> Floats:
    return now.last_order_ms.astype(np.float64)


def _with_dates(rates: Floats, variant: int, d: int, sign: int, now: Customers) -> Floats:
    """Within a segment, who may stay longer comes first, and where nobody must leave, who came last; or last."""
    until, since = now.valid_until_ms[variant][:, d], now.since_ms[variant][:, d]
    later = sign * np.where(until < NEVER_MS, until, since)
    expected = _expected(rates, now.segments[variant][:, d])
    order = np.lexsort((later, expected))
    ranks = np.empty(len(order))
    changed = np.concatenate([[True], (np.diff(expected[order]) != 0) | (np.diff(later[order]) != 0)])
    ranks[order] = np.cumsum(changed)  # equal customers, equal rank
    return ranks


def _rfm(now: Customers) -> Floats:
    """The sum of three quintiles, of recency, orders and spend, of those who have bought; 0 for the others."""
    bought = now.orders > 0
    total = np.zeros(len(now))
    for column in (now.last_order_ms, now.orders, now.spend_minor):
        cuts = np.quantile(column[bought], np.arange(1, QUINTILES) / QUINTILES) if bought.any() else np.zeros(4)
        total[bought] += 1 + np.searchsorted(cuts, column[bought])
    return total


def _predictor(name: str, x: Floats, happened: NDArray[np.bool_], revenue: Floats) -> Predictor:
    area, low, high = auc(x, happened)
    top = _top(x)
    base = float(happened.mean())
    lift = float((happened * top).sum() / top.sum() / base) if base else 0.0
    share = float((revenue * top).sum() / revenue.sum()) if revenue.sum() else 0.0
    return Predictor(name, *(round(float(one), 4) for one in (area, low, high, lift, share)))


def _top(x: Floats) -> Floats:
    """How much of each customer is in the top fifth: those who are equal at its border are in it in equal parts."""
    wanted = TOP_SHARE * len(x)
    border = np.partition(x, len(x) - max(int(np.ceil(wanted)), 1))[len(x) - max(int(np.ceil(wanted)), 1)]
    above, at = x > border, x == border
    return np.asarray(above + at * (wanted - above.sum()) / max(at.sum(), 1))


def auc(x: Floats, positive: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Area under the ROC curve with its 95 % interval (DeLong et al., 1988; ranks as Sun and Xu, 2014).

    Ties count half. NaN where all or none are positive.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return float("nan"), float("nan"), float("nan")
    everyone = _midranks(x)
    above = (everyone[positive] - _midranks(x[positive])) / n
    below = 1 - (everyone[~positive] - _midranks(x[~positive])) / m
    area = float(above.mean())
    spread = np.sqrt(_variance(above) / m + _variance(below) / n)
    return area, max(area - Z_95 * spread, 0.0), min(area + Z_95 * spread, 1.0)


def _variance(x: Floats) -> float:
    return float(x.var(ddof=1)) if len(x) > 1 else 0.0


def _midranks(x: Floats) -> Floats:
    """Ranks from 1, equal values sharing the middle of theirs."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse], dtype=np.float64)


def _segments(
    outcome: Outcome, d: int, codes: NDArray[np.int64], happened: NDArray[np.bool_], revenue: Floats, base: float
) -> dict[str, SegmentScore]:
    found = {}
    for code, name in enumerate(outcome.names(d)):
        inside = codes == code
        if inside.any():
            rate = float(happened[inside].mean())
            lift = round(rate / base, 4) if base else 0.0
            found[name] = SegmentScore(int(inside.sum()), round(rate, 6), lift, round(float(revenue[inside].sum()), 2))
    return found
