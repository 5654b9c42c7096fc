"""When definitions noticed what is known at the end: who stopped buying, and who became a big buyer.

Known churners have bought and then not for `CHURN_DAYS` to the end of the run. A segment notices them if most of its
members at the end are of them; so does a segment of big buyers. Nobody has to say which segments are meant to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.customers.row import DAY_MS
from models.definitions.document import CLUSTER
from stream.backtest.result import Outcome, Result
from stream.backtest.tally import MINUTE_MS

CHURN_DAYS = 90  # without an order, to the end
BIG_SHARE = 0.05  # of the buyers, those who spent most: the usual top tier
PURITY_MIN = 0.8  # of a segment's members at the end: then being in it says so
BIG_PURITY_MIN = 0.5  # big buyers are few; half of a segment being of them is ten times their share
MINUTES_PER_DAY = DAY_MS // MINUTE_MS


@dataclass(frozen=True, slots=True)
class Notice:
    """How one dimension of one variant noticed a group.

    `days` is the median, over those noticed, from their last order (churners) or first (big buyers) to the entry.
    """

    group: str  # "churners" | "big buyers"
    dimension: str
    segments: list[str]
    known: int
    noticed: int
    days: float | None


def notices(result: Result, outcome: Outcome) -> list[Notice]:
    """What each rule dimension noticed; empty unless entries were kept."""
    customers = result.customers
    bought = customers.orders > 0
    if not len(outcome.entered) or not bought.any():
        return []
    churned = bought & (customers.last_order_ms <= result.last_ms - CHURN_DAYS * DAY_MS)
    border = np.quantile(customers.spend_minor[bought], 1 - BIG_SHARE)
    big = bought & (customers.spend_minor >= border)
    found = []
    for d, dimension in enumerate(outcome.definitions.dimensions):
        if dimension.kind == CLUSTER:
            continue
        last = _noticed(outcome, d, churned, PURITY_MIN, outcome.latest, customers.last_order_ms)
        found += _told("churners", outcome, d, churned, *last)
        first = _noticed(outcome, d, big, BIG_PURITY_MIN, outcome.entered, customers.first_order_ms)
        found += _told("big buyers", outcome, d, big, *first)
    return found


def _noticed(
    outcome: Outcome, d: int, group: NDArray[np.bool_], purity: float, entries: NDArray[np.int32],
    since_ms: NDArray[np.int64],
) -> tuple[list[int], NDArray[np.float64]]:  # fmt: skip
    """(codes that notice the group, days from `since_ms` to the first entry into them; NaN for who was not noticed)."""
    names = outcome.names(d)
    members = np.bincount(outcome.segments[:, d], minlength=len(names))
    of_group = np.bincount(outcome.segments[group, d], minlength=len(names))
    codes = [code for code in range(1, len(names)) if members[code] and of_group[code] / members[code] >= purity]
    days = np.full(len(group), np.nan)
    for code in codes:
        minute = entries[:, outcome.codes.first[d] + code].astype(np.float64)
        minute[(minute == 0) | (minute < since_ms // MINUTE_MS)] = np.nan
        days = np.fmin(days, (minute - since_ms // MINUTE_MS) / MINUTES_PER_DAY)
    return codes, days


def _told(
    group: str, outcome: Outcome, d: int, known: NDArray[np.bool_], codes: list[int], days: NDArray[np.float64]
) -> list[Notice]:
    if not codes:
        return []
    seen = days[known & ~np.isnan(days)]
    median = round(float(np.median(seen)), 2) if len(seen) else None
    names = outcome.names(d)
    chosen = [names[code] for code in codes]
    return [Notice(group, outcome.dimensions[d], chosen, int(known.sum()), len(seen), median)]
