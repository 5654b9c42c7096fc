"""Ada: the one named customer of the retail year; she browses, buys, reads, and falls silent in June."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from stream.simulate.campaigns import DAY_MS, HOUR_MS
from stream.simulate.retail_orders import Orders

ADA: Final = "ada"
"""Her customer id."""

_YEAR_MS = 1_291_161_600_000  # 2010-12-01T00:00Z, the first day of the data set

JOINED_MS: Final = _YEAR_MS + 35 * DAY_MS + 9 * HOUR_MS
"""2011-01-05: her first visit."""

SILENT_MS: Final = _YEAR_MS + 187 * DAY_MS
"""2011-06-06: nothing comes from her any more (her last order is of 2011-06-03)."""

# (days after the first visit, hour, minor units): new in January, active since February, growing dearer, over
# in June.
_ORDERS = (
    (12, 19, 4_250),
    (40, 20, 6_890),
    (68, 18, 8_325),
    (95, 21, 12_740),
    (121, 19, 9_615),
    (149, 20, 15_480),
)
_ORDER_LINES = 3  # a small basket

BROWSING_DAYS: Final = 2.5
"""Mean days between her visits that buy nothing."""


def with_ada(orders: Orders) -> Orders:
    """The orders with hers at the end (no longer in time order) and her as the last customer."""
    ts_ms = np.array([JOINED_MS + day * DAY_MS + (hour - 9) * HOUR_MS for day, hour, _ in _ORDERS])
    amount_minor = np.array([amount for _, _, amount in _ORDERS])
    count, lines = len(_ORDERS), len(orders.product)
    # Popular goods, one piece each; the first line pays the whole amount, so that prices add up to it.
    popular = np.argsort(-np.bincount(orders.product, minlength=len(orders.products)), kind="stable")
    price = np.zeros((count, _ORDER_LINES))
    price[:, 0] = amount_minor / 100
    return replace(
        orders,
        invoice=[*orders.invoice, *(f"A{number:05d}" for number in range(1, count + 1))],
        customer=np.concatenate([orders.customer, np.full(count, len(orders.customers), np.int64)]),
        ts_ms=np.concatenate([orders.ts_ms, ts_ms]),
        amount_minor=np.concatenate([orders.amount_minor, amount_minor]),
        line_from=np.concatenate([orders.line_from, lines + _ORDER_LINES * np.arange(count)]),
        line_count=np.concatenate([orders.line_count, np.full(count, _ORDER_LINES, np.int64)]),
        product=np.concatenate([orders.product, np.resize(popular[:9], count * _ORDER_LINES)]),
        quantity=np.concatenate([orders.quantity, np.ones(count * _ORDER_LINES, np.int64)]),
        price=np.concatenate([orders.price, price.ravel()]),
        customers=[*orders.customers, ADA],
        country=[*orders.country, "United Kingdom"],
    )
