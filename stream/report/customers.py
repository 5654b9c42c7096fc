"""Customers as figures: revenue and who came back by the month of their first order, concentration, the RFM grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import DAY_MS
from models.events import MINOR_PER_MAJOR
from stream.backtest.result import Result
from stream.report.segments import name_of, periods_of

PERIODS_SHOWN = 24  # of the retention table: two years of months
CURVE_POINTS = 101  # of the concentration curve: one a percent
SHARES_TOLD = (0.01, 0.05, 0.1, 0.2, 0.5)
SCORES = 5  # quintiles


def cohorts(result: Result) -> dict[str, Any]:
    """By period: revenue from newcomers and others; by period of the first order: who ordered in each later one."""
    kind, periods = periods_of(result)
    shown = periods[-PERIODS_SHOWN:]
    skipped = len(periods) - len(shown)
    rows = []
    for place, period in enumerate(shown):
        cohort = skipped + place
        came = [one.buyers[cohort] if cohort < len(one.buyers) else 0 for one in shown[place:]]
        rows.append({"name": name_of(kind, period.number), "size": int(came[0]), "ordered": [int(n) for n in came]})
    spend = [one.spend_minor / MINOR_PER_MAJOR for one in shown]
    return {
        "period": kind,
        "names": [name_of(kind, one.number) for one in shown],
        "revenue_new": [round(float(one[-1]), 2) for one in spend],
        "revenue_returning": [round(float(one[:-1].sum()), 2) for one in spend],
        "buyers": [int(one.buyers.sum()) for one in shown],
        "cohorts": rows,
    }


def concentration(result: Result) -> dict[str, Any]:
    """How much of the spend the customers with the most of it have; who spent nothing, or was refunded, counts as 0."""
    buyers = result.customers.orders > 0
    spend = np.sort(np.maximum(result.customers.spend_minor[buyers], 0))[::-1]
    total = max(int(spend.sum()), 1)
    running = np.concatenate([[0], np.cumsum(spend)]) / total
    places = np.linspace(0.0, len(spend), CURVE_POINTS)
    curve = np.interp(places, np.arange(len(running)), running)
    told = []
    for share in SHARES_TOLD if len(spend) else ():
        count = max(1, round(share * len(spend)))
        told.append({"share": share, "customers": count, "spend_share": round(float(running[count]), 4)})
    return {"buyers": len(spend), "curve": np.round(curve, 4).tolist(), "told": told}


def rfm(result: Result) -> dict[str, Any]:
    """Buyers by recency and frequency score (5 is best), with their spend; cut points are those in force at the end."""
    customers, outcome = result.customers, result.variants[0]
    cuts = dict(outcome.definitions.cuts)
    for model in outcome.models:
        cuts |= {name: values for name, values in model.cuts.items() if values}
    buyers = customers.orders > 0
    days = np.maximum(result.last_ms - customers.last_order_ms[buyers], 0) / DAY_MS
    recency = SCORES - 1 - np.searchsorted(np.array(cuts["recency_days"]), days)
    frequency = np.searchsorted(np.array(cuts["orders"]), customers.orders[buyers].astype(np.float64))
    counts = _grid(recency, frequency, np.ones(len(recency)))
    spend = _grid(recency, frequency, customers.spend_minor[buyers] / MINOR_PER_MAJOR)
    return {
        "customers": counts.astype(np.int64).tolist(),
        "spend": np.round(spend, 2).tolist(),
        "recency_days": [float(x) for x in cuts["recency_days"]],
        "orders": [float(x) for x in cuts["orders"]],
    }


def _grid(rows: NDArray[np.int64], columns: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums by two scores from 0, [recency, frequency]."""
    sums: NDArray[np.float64] = np.bincount(rows * SCORES + columns, weights=weights, minlength=SCORES * SCORES).astype(
        np.float64
    )
    return sums.reshape(SCORES, SCORES)
