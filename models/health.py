"""Whether segments are any good: what each holds, how restless it is, and the five usual tests, each with its number.

The tests are those of every marketing textbook (Kotler): a segment should be measurable, substantial, accessible,
differentiable and actionable. Each is one number against one limit, so that who disagrees knows with what.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import DAY_MS
from models.events import MINOR_PER_MAJOR

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GROWTH_DAYS = 30  # growth is against so long ago: a month, whatever its name
PERIOD_DAYS = (30, 7)  # shares are compared from one to the next; weeks where there are not three months
PERIODS_MIN = 3
PERIODS_MAX = 60  # five years of months: older ones say nothing of today
FLAP_WARNING, FLAP_ALARM = 0.05, 0.3  # of the entries: noise that campaigns can bear, and no segment at all
SHIFTING, SHIFTED = 0.1, 0.25  # of a population stability index, as scorecards read it
SHARE_FLOOR = 1e-4  # of an empty segment in the index: its logarithm must be finite, and one customer little
TOP_SHARE = 0.2  # of the buyers: 80/20
SEEN_DAYS = 30  # who was there as lately can be met on the site
SILENT_DAYS_MAX = 730.0  # longer silence is not more different
MEASURABLE_MIN = 0.5  # of the members have a known revenue: below, an average speaks for the fewer
SUBSTANTIAL_MIN = 0.01  # of the customers or of the revenue: below, no campaign pays for itself
ACCESSIBLE_MIN = 0.5  # of the members can be reached: below, most never hear of it
DIFFERENT_MIN = 0.2  # standard deviations between members and others: Cohen's "small"
OVERLAP_TOLD = 0.5  # of two segments' customers in both: two names for one thing
OVERLAPS_MAX = 20  # told, the largest


@dataclass(frozen=True, slots=True)
class Everybody:
    """What is known of each customer at `now_ms`, as columns [n]. Times in epoch ms, 0: never; money in minor units."""

    now_ms: int
    newest_ms: Ints
    last_order_ms: Ints
    orders: Ints
    spend_minor: Ints  # refunds taken off
    emails_sent: Ints
    engaged: Ints  # e-mails opened or clicked by a person
    unsubscribes: Ints

    def __len__(self) -> int:
        return len(self.orders)


@dataclass(frozen=True, slots=True)
class Course:
    """One dimension: where each customer is, and how that came over `days` days; arrays by segment code.

    Attributes
    ----------
    names : of the codes; code 0 is none, or what clusters call unassigned.
    codes : [n], of each customer now.
    sizes : [days, codes], members at the end of each day.
    flows : [codes, codes], changes from one to another.
    flaps : [codes], returns within a week; `stay_days` mean length of the stays that ended, NaN where none has.
    """

    name: str
    names: Sequence[str]
    codes: Ints
    sizes: Ints
    flows: Ints
    flaps: Ints
    stay_days: Floats
    days: float
    zero_counts: bool = False  # whether code 0 is a segment of its own


@dataclass(frozen=True, slots=True)
class Check:
    """One of the five: `number` against `limit`; None where there is nobody to ask, which is no failure of it."""

    name: str
    number: float | None
    limit: float
    passed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class SegmentHealth:
    """One segment. Shares and rates from 0 to 1, money in units of the currency, `growth` relative to a month ago."""

    segment: str
    customers: int
    share: float
    revenue: float
    revenue_share: float
    average_revenue: float | None
    growth: float | None
    entries_per_day: float
    exits_per_day: float
    flap_rate: float | None
    flapping: str  # "" | "warning" | "alarm"
    stay_days: float | None
    stability: float | None  # its part of the dimension's index
    email_response: float | None
    tests: list[Check]

    @property
    def stay_seconds(self) -> float | None:
        """The mean stay in the base unit of metrics."""
        return None if self.stay_days is None else round(self.stay_days * DAY_MS / 1000, 3)

    @property
    def failed(self) -> list[Check]:
        """The tests it does not pass."""
        return [test for test in self.tests if not test.passed]


@dataclass(frozen=True, slots=True)
class DimensionHealth:
    """One dimension. `periods` are the indices from one period to the next, oldest first; `stability` is the latest."""

    dimension: str
    segments: list[SegmentHealth]
    covered: float  # share of the customers who have a segment
    flap_rate: float | None
    flapping: str
    stability: float | None
    shift: str  # "" | "shifting" | "shifted"
    period_days: int
    periods: list[float]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two segments of two dimensions that share customers; `jaccard` is the part in both of those in either."""

    first: tuple[str, str]
    second: tuple[str, str]
    customers: int
    share_of_first: float
    share_of_second: float
    jaccard: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much of one dimension is known from another: Cramer's V, 0 for nothing, 1 for all."""

    first: str
    second: str
    cramers_v: float


@dataclass(frozen=True, slots=True)
class Health:
    """All of it."""

    customers: int
    buyers: int
    revenue: float
    top_fifth_revenue_share: float | None  # of the fifth of the buyers who spent most
    email_response: float | None
    dimensions: list[DimensionHealth]
    overlaps: list[Overlap]
    likeness: list[Likeness]


def health(people: Everybody, courses: Sequence[Course]) -> Health:
    """Everything that can be said of the dimensions over these customers."""
    overlaps, likeness = _compared(courses)
    return Health(
        customers=len(people),
        buyers=int((people.orders > 0).sum()),
        revenue=_money(people.spend_minor.sum()),
        top_fifth_revenue_share=top_share(people.spend_minor[people.orders > 0], TOP_SHARE),
        email_response=ratio(people.engaged.sum(), people.emails_sent.sum()),
        dimensions=[dimension_health(people, course) for course in courses],
        overlaps=overlaps,
        likeness=likeness,
    )


def dimension_health(people: Everybody, course: Course) -> DimensionHealth:
    """One dimension. A segment that nobody is in is there too, and fails; a cluster that is no more is not."""
    period_days, ends = _period_ends(course.sizes)
    counted = np.arange(len(course.names)) >= (0 if course.zero_counts else 1)
    parts = [_psi_parts(a[counted], b[counted]) for a, b in pairwise(ends)]
    latest = dict(zip(np.flatnonzero(counted).tolist(), parts[-1].tolist() if parts else [], strict=False))
    standing = _standing(people)
    shown = counted & ((np.bincount(course.codes, minlength=len(counted)) > 0) | (not course.zero_counts))
    segments = [_segment(people, course, code, latest.get(code), standing) for code in np.flatnonzero(shown).tolist()]
    entries = int(course.flows[:, counted].sum())
    flap_rate = ratio(int(course.flaps[counted].sum()), entries)
    stability = float(parts[-1].sum()) if parts and counted.sum() > 1 else None  # one segment alone has all
    return DimensionHealth(
        dimension=course.name,
        segments=segments,
        covered=float(counted[course.codes].mean()) if len(people) else 0.0,
        flap_rate=flap_rate,
        flapping=flapping(flap_rate),
        stability=_rounded(stability),
        shift="" if stability is None or stability < SHIFTING else "shifting" if stability < SHIFTED else "shifted",
        period_days=period_days,
        periods=[round(float(one.sum()), 6) for one in parts],
    )


def flapping(rate: float | None) -> str:
    """What a flap rate calls for: nothing, a warning, an alarm."""
    if rate is None or rate < FLAP_WARNING:
        return ""
    return "warning" if rate < FLAP_ALARM else "alarm"


def ratio(part: Any, whole: Any) -> float | None:
    """A share, to six digits; None of nothing."""
    return round(float(part) / float(whole), 6) if whole else None


def top_share(spend_minor: Ints, share: float) -> float | None:
    """How much of the spend the customers with the most of it hold; who was refunded more than spent counts as 0."""
    spend = np.sort(np.maximum(spend_minor, 0))[::-1]
    return ratio(spend[: max(1, round(share * len(spend)))].sum(), spend.sum()) if len(spend) else None


def _segment(people: Everybody, course: Course, code: int, stability: float | None, standing: Floats) -> SegmentHealth:
    members = course.codes == code
    count, revenue = int(members.sum()), int(people.spend_minor[members].sum())
    share = ratio(count, len(people)) or 0.0
    revenue_share = ratio(revenue, people.spend_minor.sum()) or 0.0
    entries, exits = int(course.flows[:, code].sum()), int(course.flows[code].sum())
    flap_rate = ratio(int(course.flaps[code]), entries)
    stay = float(course.stay_days[code])
    return SegmentHealth(
        segment=course.names[code],
        customers=count,
        share=share,
        revenue=_money(revenue),
        revenue_share=revenue_share,
        average_revenue=round(revenue / MINOR_PER_MAJOR / count, 2) if count else None,
        growth=_growth(course.sizes[:, code]),
        entries_per_day=round(entries / course.days, 4),
        exits_per_day=round(exits / course.days, 4),
        flap_rate=flap_rate,
        flapping=flapping(flap_rate),
        stay_days=None if math.isnan(stay) else round(stay, 3),
        stability=_rounded(stability),
        email_response=ratio(people.engaged[members].sum(), people.emails_sent[members].sum()),
        tests=_tests(people, members, max(share, revenue_share), flap_rate, standing),
    )


def _tests(
    people: Everybody, members: NDArray[np.bool_], weight: float, flap_rate: float | None, standing: Floats
) -> list[Check]:
    count = int(members.sum())
    seen = people.newest_ms > people.now_ms - SEEN_DAYS * DAY_MS
    reached = seen | ((people.emails_sent > 0) & (people.unsubscribes == 0))
    bought = people.orders > 0
    return [
        _at_least("measurable", ratio((bought & members).sum(), count), MEASURABLE_MIN, "members of known revenue"),
        _at_least("substantial", weight, SUBSTANTIAL_MIN, "of all customers or of all revenue, whichever is more"),
        _at_least("accessible", ratio((reached & members).sum(), count), ACCESSIBLE_MIN,
                  f"members who take e-mail or were seen within {SEEN_DAYS} days"),
        _at_least("differentiable", _difference(standing, members), DIFFERENT_MIN,
                  "largest difference from all others, in standard deviations"),
        Check("actionable", flap_rate, FLAP_ALARM, flap_rate is None or flap_rate < FLAP_ALARM,
             "entries that were undone within a week"),
    ]  # fmt: skip


def _at_least(name: str, number: float | None, limit: float, meaning: str) -> Check:
    return Check(name, number, limit, number is None or number >= limit, meaning)


def _standing(people: Everybody) -> Floats:
    """What members are compared by, [n, 4]: silence, orders, spend (each as a logarithm) and response to e-mail."""
    silent = np.where(people.last_order_ms > 0, (people.now_ms - people.last_order_ms) / DAY_MS, SILENT_DAYS_MAX)
    spend = np.maximum(people.spend_minor, 0) / MINOR_PER_MAJOR
    return np.stack(
        [
            np.log1p(np.clip(silent, 0.0, SILENT_DAYS_MAX)),
            np.log1p(people.orders),
            np.log1p(spend),
            people.engaged / np.maximum(people.emails_sent, 1),
        ],
        axis=1,
    )


def _difference(standing: Floats, members: NDArray[np.bool_]) -> float | None:
    """The largest standardised difference of means between members and others (Cohen's d)."""
    inside, outside = standing[members], standing[~members]
    if not len(inside) or not len(outside):
        return None
    spread = np.sqrt((inside.var(axis=0) * len(inside) + outside.var(axis=0) * len(outside)) / len(standing))
    apart = np.abs(inside.mean(axis=0) - outside.mean(axis=0))
    return round(float(np.max(np.where(spread > 0, apart / np.maximum(spread, 1e-12), np.sign(apart)))), 4)


def _growth(sizes: Ints) -> float | None:
    if len(sizes) <= GROWTH_DAYS or not sizes[-1 - GROWTH_DAYS]:
        return None
    return round(float(sizes[-1] / sizes[-1 - GROWTH_DAYS] - 1), 6)


def _period_ends(sizes: Ints) -> tuple[int, Ints]:
    """(days of a period, members at the end of each, [periods, codes]): counted back from the last day."""
    for days in PERIOD_DAYS:
        if len(sizes) > days * PERIODS_MIN:
            break
    return days, sizes[::-1][::days][: PERIODS_MAX + 1][::-1]


def _psi_parts(before: Ints, after: Ints) -> Floats:
    """Each segment's part of the population stability index between two moments; zeros where nobody was there."""
    if not before.sum() or not after.sum():
        return np.zeros(len(before))
    p, q = (np.maximum(one / one.sum(), SHARE_FLOOR) for one in (before, after))
    return np.asarray((q - p) * np.log(q / p), np.float64)


def _compared(courses: Sequence[Course]) -> tuple[list[Overlap], list[Likeness]]:
    overlaps, likeness = [], []
    for i, first in enumerate(courses):
        for second in courses[i + 1 :]:
            shape = len(first.names), len(second.names)
            joint = np.bincount(first.codes * shape[1] + second.codes, minlength=shape[0] * shape[1]).reshape(shape)
            likeness.append(Likeness(first.name, second.name, _cramers_v(joint)))
            overlaps += _overlaps(first, second, joint)
    overlaps.sort(key=lambda one: (-one.jaccard, one.first, one.second))
    return overlaps[:OVERLAPS_MAX], likeness


def _overlaps(first: Course, second: Course, joint: Ints) -> list[Overlap]:
    """Pairs that are much the same; of two audiences (one segment each) always."""
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    audiences = len(first.names) == len(second.names) == 2  # noqa: PLR2004 - in it, or not
    found = []
    for a in range(0 if first.zero_counts else 1, len(first.names)):
        for b in range(0 if second.zero_counts else 1, len(second.names)):
            both, either = int(joint[a, b]), int(rows[a] + columns[b] - joint[a, b])
            if both and (audiences or both / either >= OVERLAP_TOLD):
                pair = (first.name, first.names[a]), (second.name, second.names[b])
                shares = [round(both / int(size), 6) for size in (rows[a], columns[b], either)]
                found.append(Overlap(*pair, both, *shares))
    return found


def _cramers_v(joint: Ints) -> float:
    """Of the contingency table of two dimensions."""
    table = joint[joint.sum(axis=1) > 0][:, joint.sum(axis=0) > 0].astype(np.float64)
    if min(table.shape) < 2:  # noqa: PLR2004 - who is all in one segment tells nothing
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    chi2 = float(((table - expected) ** 2 / expected).sum())
    return round(math.sqrt(chi2 / (table.sum() * (min(table.shape) - 1))), 4)


def _money(minor: Any) -> float:
    return round(int(minor) / MINOR_PER_MAJOR, 2)


def _rounded(x: float | None) -> float | None:
    return None if x is None else round(x, 6)
