"""What is known of several features at once: no order, no days since one; a longer window holds no less.

Every fact follows from models/customers/accumulate.py and models/features/compute.py. Names that the catalogue does
not have are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from models.definitions.analysis.ranges import Spans, Values, domain_of, is_integral, meet, satisfying
from models.definitions.document import Term
from models.features.catalogue import ABSENT_MS, BY_NAME, SINCE

ZERO: Spans = ((0.0, 0.0),)
NEVER: Spans = ((float(ABSENT_MS), float(ABSENT_MS)),)  # "time since" what never happened
SCORES = ("recency_score", "frequency_score", "monetary_score", "value_score")
# While a count is zero, these have no choice; the hubs are known of every customer, asked for or not.
WHILE_ZERO: dict[str, dict[str, Spans]] = {
    "orders": {
        **dict.fromkeys(("order_gap_days", "gross_spend", "average_order", "recent_orders", "recent_spend"), ZERO),
        **dict.fromkeys(("order_intensity_90d", "spend_intensity_90d", *SCORES), ZERO),
        **dict.fromkeys(("days_since_order", "days_since_first_order"), NEVER),
        "spend": ((-math.inf, 0.0),),
    },
    "clicks": {
        **dict.fromkeys(("cart_adds", "checkouts", "searches", "recent_clicks"), ZERO),
        **dict.fromkeys(("click_intensity_1d", "click_intensity_7d", "cart_rate"), ZERO),
        "days_since_click": NEVER,
    },
    "cart_adds": {"cart_rate": ZERO, "days_since_cart_add": NEVER},
    "emails_sent": {"days_since_email_sent": NEVER},
    "opens": {"open_rate": ZERO},
    "refunds": {"refund_rate": ZERO},
}
NOT_ABOVE = (  # the first is never more than the second; a customer silent for a hundred years aside
    ("cart_adds", "clicks"),
    ("checkouts", "clicks"),
    ("searches", "clicks"),
    ("recent_orders", "orders"),
    ("recent_clicks", "clicks"),
    ("recent_spend", "gross_spend"),
    ("spend", "gross_spend"),
    ("average_order", "gross_spend"),
    ("days_since_order", "days_since_first_order"),
    *(("days_since_seen", name) for name in BY_NAME if name != "days_since_seen" and BY_NAME[name].kind == SINCE),
)
# A window holds something exactly while the newest is younger than the window.
NEWEST_OF = {
    "recent_orders": "days_since_order",
    "recent_clicks": "days_since_click",
    "recent_engaged": "days_since_engaged",
}
TERMS_KEPT = 4_096  # remembered: as many as a document may have
ROUNDS_MAX = 8  # a fact follows from a fact follows from a fact: longer chains than the table above has


@lru_cache(maxsize=TERMS_KEPT)
def reading_of(term: Term) -> Term:
    """The term without what it is compared with: equal for all comparisons of one reading."""
    return replace(term, op="", threshold=0.0, text="")


@lru_cache(maxsize=TERMS_KEPT)
def _is_plain(reading: Term) -> bool:
    """Whether the facts are about it: a feature of the catalogue with nothing but a window."""
    feature = BY_NAME.get(reading.feature.name)
    return feature is not None and replace(reading, window_ms=0) == Term(feature, "", 0.0)


HUBS = {name: reading_of(Term(BY_NAME[name], "", 0.0)) for name in WHILE_ZERO if name in BY_NAME}


class Knowledge:
    """What each reading can still be, after some comparisons are taken to hold or not to hold."""

    def __init__(self) -> None:
        self._values: dict[Term, Values] = {}
        self._opaque: dict[object, bool] = {}  # what is not reasoned about: equal things are equally true

    def copy(self) -> Knowledge:
        """One that goes its own way from here."""
        other = Knowledge()
        other._values, other._opaque = dict(self._values), dict(self._opaque)
        return other

    def add(self, term: object, *, holds: bool) -> bool:
        """Take a comparison as true or false; False when that contradicts what is known."""
        allowed = satisfying(term, holds=holds) if isinstance(term, Term) else None
        domain = domain_of(term.feature) if isinstance(term, Term) else None
        if not isinstance(term, Term) or allowed is None or domain is None:
            return self._opaque.setdefault(term, holds) == holds
        return self._narrow(reading_of(term), allowed, domain)

    def _narrow(self, reading: Term, allowed: Values, domain: Values | None = None) -> bool:
        before = self._values.get(reading) or domain
        if before is None:
            return True
        after = meet(before, allowed, integral=is_integral(reading.feature))
        self._values[reading] = after
        return not after.empty

    def is_possible(self) -> bool:
        """Draw what follows from the facts; False when nothing is left for some reading."""
        for reading in HUBS.values():
            domain = domain_of(reading.feature)
            if domain is not None:
                self._values.setdefault(reading, domain)
        for _ in range(ROUNDS_MAX):
            before = dict(self._values)
            for reading, spans in self._consequences():
                if not self._narrow(reading, Values(spans, absent=True)):
                    return False
            if self._values == before:
                break
        return True

    def _consequences(self) -> Iterator[tuple[Term, Spans]]:
        """(reading, spans it must lie in) by every fact; values are read as they are narrowed."""
        named: dict[str, list[Term]] = {}
        for reading in list(self._values):
            if _is_plain(reading):
                named.setdefault(reading.feature.name, []).append(reading)
        yield from self._of_zero(named)
        pairs = [(a, b) for low, high in NOT_ABOVE for a in named.get(low, ()) for b in named.get(high, ())]
        for readings in named.values():  # windows in a row: the longer holds no less
            ordered = sorted(readings, key=lambda one: one.window_ms)
            pairs += pairwise(ordered)
        for low, high in pairs:
            yield high, ((self._values[low].least, math.inf),)
            yield low, ((-math.inf, self._values[high].most),)
        yield from self._of_windows(named)

    def _of_zero(self, named: dict[str, list[Term]]) -> Iterator[tuple[Term, Spans]]:
        for name, hub in HUBS.items():
            for other, spans in WHILE_ZERO[name].items():
                for reading in named.get(other, ()):
                    if self._values[hub].most <= 0.0:
                        yield reading, spans
                    elif meet(self._values[reading], Values(spans, absent=False), integral=False).empty:
                        yield hub, ((1.0, math.inf),)
                    if other in SCORES and self._values[hub].least >= 1.0:
                        yield reading, ((1.0, math.inf),)
                    elif other in SCORES and self._values[reading].most <= 0.0:
                        yield hub, ZERO

    def _of_windows(self, named: dict[str, list[Term]]) -> Iterator[tuple[Term, Spans]]:
        for count_name, since_name in NEWEST_OF.items():
            for count in named.get(count_name, ()):
                for since in named.get(since_name, ()):
                    window = float(count.window_ms)
                    if self._values[count].least >= 1.0:
                        yield since, ((0.0, window - 1.0),)
                    if self._values[count].most <= 0.0:
                        yield since, ((window, math.inf),)
                    if self._values[since].most < window:
                        yield count, ((1.0, math.inf),)
                    if self._values[since].least >= window:
                        yield count, ZERO
