"""Sets of values that a feature can have, as closed spans of doubles; and what a comparison leaves of them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from models.customers.row import GONE
from models.definitions.compile import native_threshold
from models.definitions.document import Term
from models.features import catalogue as c
from models.features.catalogue import Feature

Spans = tuple[tuple[float, float], ...]  # closed, ascending, disjoint: every double beside one belongs to the next

EVERYTHING: Spans = ((-math.inf, math.inf),)
FEATURES_KEPT = 256  # remembered: more than the catalogue has
COUNT_MAX = 2.0**32 - 1  # what a row's counters hold
OPPOSITE = {">=": "<", "<": ">=", "<=": ">", ">": "<=", "==": "!=", "!=": "=="}
SCORE_MAX = {c.RECENCY_SCORE: 5.0, c.FREQUENCY_SCORE: 5.0, c.MONETARY_SCORE: 5.0, c.VALUE_SCORE: 4.0}
MONEY_LEAST = {c.SPEND_NET: -math.inf, c.SPEND_GROSS: 0.0, c.AVERAGE_ORDER: 0.0}  # refunds may be more than orders
RATIO_MAX = {c.OPEN_RATE: math.inf, c.CART_RATE: 1.0, c.REFUND_RATE: math.inf}  # who fills the cart has clicked


class Values(NamedTuple):
    """What a reading can be: numbers, and whether it can be absent, which satisfies no comparison."""

    spans: Spans
    absent: bool

    @property
    def least(self) -> float:
        """The smallest number of it."""
        return self.spans[0][0]

    @property
    def most(self) -> float:
        """The largest number of it."""
        return self.spans[-1][1]

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self.spans and not self.absent


@lru_cache(maxsize=FEATURES_KEPT)
def domain_of(feature: Feature) -> Values | None:
    """Everything that a feature can be, in native units; None for a kind that is not reasoned about."""
    kind, source = feature.kind, feature.source
    if kind == c.ATTRIBUTE:
        return Values(EVERYTHING, absent=True)
    limits: dict[int, tuple[float, float] | None] = {
        c.SINCE: (0.0, math.inf),
        c.GAP: (0.0, math.inf),
        c.DECAYED: (0.0, math.inf),
        c.WINDOW_SUM: (0.0, math.inf),
        c.COUNT: (0.0, COUNT_MAX),
        c.ANSWER: (0.0, float(GONE)),
        c.MONEY: (MONEY_LEAST[source], math.inf) if source in MONEY_LEAST else None,
        c.WINDOW_COUNT: (0.0, float(c.KEPT[source])) if source in range(len(c.KEPT)) else None,
        c.SCORE: (0.0, SCORE_MAX[source]) if source in SCORE_MAX else None,
        c.RATIO: (0.0, RATIO_MAX[source]) if source in RATIO_MAX else None,
    }
    span = limits.get(kind)
    return None if span is None else Values((span,), absent=False)


def is_integral(feature: Feature) -> bool:
    """Whether its native values are whole: milliseconds, cents, counts and scores are; quotients are not."""
    if feature.kind == c.MONEY:
        return feature.source != c.AVERAGE_ORDER
    return feature.kind in (c.SINCE, c.GAP, c.COUNT, c.WINDOW_COUNT, c.WINDOW_SUM, c.SCORE, c.ANSWER)


def satisfying(term: Term, *, holds: bool) -> Values | None:
    """The values with which a comparison holds, or does not; None for an operator that is not reasoned about."""
    if term.op == "present":
        return Values(EVERYTHING, absent=False) if holds else Values((), absent=True)
    if term.op not in OPPOSITE:
        return None
    x = native_threshold(term)
    above, below = math.nextafter(x, math.inf), math.nextafter(x, -math.inf)
    spans: dict[str, Spans] = {
        ">=": ((x, math.inf),),
        ">": ((above, math.inf),),
        "<=": ((-math.inf, x),),
        "<": ((-math.inf, below),),
        "==": ((x, x),),
        "!=": ((-math.inf, below), (above, math.inf)),
    }
    return Values(spans[term.op if holds else OPPOSITE[term.op]], absent=not holds)


def meet(a: Values, b: Values, *, integral: bool) -> Values:
    """What both allow; of an integral reading the whole numbers."""
    spans = []
    for low, high in a.spans:
        for least, most in b.spans:
            start, end = max(low, least), min(high, most)
            if integral:
                start = float(math.ceil(start)) if math.isfinite(start) else start
                end = float(math.floor(end)) if math.isfinite(end) else end
            if start <= end:
                spans.append((start, end))
    return Values(tuple(spans), a.absent and b.absent)
