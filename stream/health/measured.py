"""What a run came to, as the columns that the figures of health are made of."""

from __future__ import annotations

import numpy as np

from models.customers.row import DAY_MS
from models.definitions.document import CLUSTER
from models.health import Course, Everybody, Health, health
from stream.backtest.partition_run import Customers
from stream.backtest.result import Outcome


def health_of(customers: Customers, outcome: Outcome, first_ms: int, last_ms: int) -> Health:
    """The health of every dimension of one variant at the end of its run, over the customers who have not left."""
    here = customers.first_ms > 0
    people = Everybody(
        now_ms=last_ms,
        newest_ms=customers.newest_ms[here],
        last_order_ms=customers.last_order_ms[here],
        orders=customers.orders[here],
        spend_minor=customers.spend_minor[here],
        emails_sent=customers.emails_sent[here],
        engaged=customers.engaged[here],
        unsubscribes=customers.unsubscribes[here],
    )
    days = max((last_ms - first_ms) / DAY_MS, 1e-9)
    last_day = last_ms // DAY_MS - outcome.totals.first_day + 1
    return health(people, [_course(outcome, d, here, days, last_day) for d in range(len(outcome.dimensions))])


def _course(outcome: Outcome, d: int, here: np.ndarray, days: float, last_day: int) -> Course:
    names = outcome.names(d)
    codes = np.minimum(outcome.segments[here, d], len(names) - 1)
    sizes = outcome.sizes(d)
    sizes = np.pad(sizes, ((0, max(0, last_day - len(sizes))), (0, 0)), mode="edge")[:last_day]
    sizes = sizes + np.bincount(codes, minlength=len(names)) - sizes[-1]  # live, the changes began in the middle
    return Course(
        name=outcome.dimensions[d],
        names=names,
        codes=codes,
        sizes=np.maximum(sizes, 0),
        flows=outcome.flows(d),
        flaps=outcome.flaps(d),
        stay_days=outcome.stay_days(d),
        days=days,
        zero_counts=outcome.definitions.dimensions[d].kind == CLUSTER,
    )
