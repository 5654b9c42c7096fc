"""What can move a comparison besides being looked at: a kind of event, or time.

The kernel passes over dimensions that an event leaves as they are, and asks again about few deadlines: see decide.py.
"""

from __future__ import annotations

from models.customers import row as r
from models.definitions.dependencies import terms_of
from models.definitions.document import CLUSTER, Dimension, Term
from models.events import CLICK, EMAIL, PROFILE, PURCHASE
from models.features import catalogue as c

# Bits: an event of that kind may move it; time may, and clicks do too; an event of any kind.
BY_CLICK, BY_PURCHASE, BY_EMAIL, BY_PROFILE = (1 << kind for kind in (CLICK, PURCHASE, EMAIL, PROFILE))
BY_TIME = 1 << (PROFILE + 1)
BY_ANY = BY_CLICK | BY_PURCHASE | BY_EMAIL | BY_PROFILE
ALWAYS = 1 << (PROFILE + 2)  # of every dimension: asked for when nothing is known of the row
EVERYTHING = BY_ANY | BY_TIME | ALWAYS

EXACT_MS_MAX = 2.0**52  # an age beyond, 142,000 years, is no whole number of ms any more

_CLICK_COUNTS = {r.CLICKS, r.CART_ADDS, r.CHECKOUTS, r.SEARCHES}
_ORDER_COUNTS = {r.ORDERS, r.REFUNDS}
_TIMES = {
    c.SINCE_SEEN: BY_ANY,
    c.SINCE_FIRST_SEEN: 0,  # only what comes late, and that is asked everything
    r.LAST_CLICK: BY_CLICK,
    r.LAST_CART_ADD: BY_CLICK,
    r.LAST_ORDER: BY_PURCHASE,
    r.FIRST_ORDER: BY_PURCHASE,
    r.LAST_SENT: BY_EMAIL,
    r.LAST_ENGAGED: BY_EMAIL,
    r.PROFILE_TIME: BY_PROFILE,
    **dict.fromkeys(range(r.CATEGORY_TIMES, r.PLACES), BY_CLICK),
}
_LISTS = {c.ORDER_LIST: BY_PURCHASE, c.CLICK_LIST: BY_CLICK, c.ENGAGED_LIST: BY_EMAIL}
_RATIOS = {c.OPEN_RATE: BY_EMAIL, c.CART_RATE: BY_CLICK, c.REFUND_RATE: BY_PURCHASE}


def decays(kind: int) -> bool:
    """Whether a feature falls all the time: its deadline is rounded, and so hangs on when it was last asked for."""
    return kind in {c.DECAYED, c.TREND}


def moved_by(kind: int, source: int) -> int:
    """The kinds of events, as bits, that can move a feature; BY_ANY for what is not known here."""
    if kind == c.SINCE:
        return _TIMES.get(source, BY_ANY)
    if kind == c.COUNT:
        return BY_CLICK if source in _CLICK_COUNTS else BY_PURCHASE if source in _ORDER_COUNTS else BY_EMAIL
    if kind in {c.WINDOW_COUNT, c.WINDOW_SUM}:
        return _LISTS[source]
    if kind == c.RATIO:
        return _RATIOS[source]
    if kind in {c.MONEY, c.SCORE, c.GAP, c.PACE}:
        return BY_PURCHASE
    if kind == c.FOLLOW:
        return _TIMES.get(source // c.PAIR, BY_ANY) | _TIMES.get(source % c.PAIR, BY_ANY)
    return BY_PROFILE if kind == c.ATTRIBUTE else BY_ANY


def waits(kind: int, source: int) -> bool:
    """Whether waiting alone can move a feature."""
    return kind in {c.SINCE, c.WINDOW_COUNT, c.WINDOW_SUM, c.PACE} or decays(kind) or (kind, source) == _RECENCY


_RECENCY = (c.SCORE, c.RECENCY_SCORE)


def is_near(kind: int, source: int, threshold: float = 0.0) -> bool:
    """Whether a deadline is asked for at every decision: it decays, or clicks move it (and most events are clicks)."""
    return decays(kind) or threshold >= EXACT_MS_MAX or bool(moved_by(kind, source) & BY_CLICK)


def stirred_by(dimension: Dimension) -> int:
    """When a dimension has to be judged: bits of above; where a past answer counts for more, always."""
    asked = [term for s in dimension.segments for one in (s.enter, s.stay) for term in terms_of(one)]
    holds = dimension.cooldown_ms or any(s.dwell_ms or s.stay != s.enter for s in dimension.segments)
    kinds = {term.feature.kind for term in asked}
    if dimension.kind == CLUSTER or holds or c.ANSWER in kinds or any(decays(kind) for kind in kinds):
        return EVERYTHING
    found = ALWAYS
    for term in asked:
        found |= _stirs(term)
    return found


def _stirs(term: Term) -> int:
    kind, source = term.feature.kind, term.feature.source
    near = waits(kind, source) and is_near(kind, source, term.threshold * term.feature.per_unit)
    return moved_by(kind, source) | (BY_TIME if near else 0)
