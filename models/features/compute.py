"""The value of a feature of one row at one time, and the vector that clusters are made of."""

from __future__ import annotations

import math
from typing import Any

from models.compiled import inlined, kernel, stand_apart
from models.customers import row as r
from models.customers.accumulate import HALF_LIFE_MS
from models.customers.answers import answer_at
from models.customers.places import number
from models.events import MINOR_PER_MAJOR
from models.exact_math import exp2, log1p_each
from models.features import catalogue as c

KEPT_BEFORE = 3.0  # orders without a refund that everybody is taken to have had: one refund of one order says little
VECTOR_DAYS_MAX = 730.0  # two years of silence is as silent as a vector can say: longer would stretch the scale


@inlined
def since_ms(row: Any, source: int) -> int:
    """The anchor of a time-since feature; 0 when it never happened."""
    if source == c.SINCE_SEEN:
        return row.newest_ms  # type: ignore[no-any-return]  # a field of a numpy record
    if source == c.SINCE_FIRST_SEEN:
        return row.first_ms  # type: ignore[no-any-return]  # as above
    return number(row, source)


@inlined
def kept_count(source: int) -> int:
    """How many times a list keeps."""
    if source == c.ORDER_LIST:
        return r.ORDERS_KEPT
    return r.CLICKS_KEPT if source == c.CLICK_LIST else r.OPENS_KEPT


@inlined
def kept_ms(row: Any, source: int, k: int) -> int:
    """The k-th newest time of a list, 0 where there is none."""
    if source == c.ORDER_LIST:
        return number(row, r.ORDER_TIMES + k)
    return number(row, (r.CLICK_TIMES if source == c.CLICK_LIST else r.ENGAGED_TIMES) + k)


@inlined
def decayed(row: Any, j: int, now: int) -> float:
    """The j-th decayed sum as it stands at `now`."""
    return row.decayed[j] * exp2((row.landmark_ms - now) / HALF_LIFE_MS[j])  # type: ignore[no-any-return]  # as above


@kernel
def value(row: Any, now: int, kind: int, source: int, window_ms: int, model: Any) -> float:
    """A feature's value in native units (ms, cents, counts); finite, except an absent attribute: NaN."""
    stand_apart()
    if kind == c.SINCE:
        anchor = since_ms(row, source)
        return float(c.ABSENT_MS) if anchor == 0 else float(max(now - anchor, 0))
    if kind == c.COUNT:
        return float(row.count[source])
    if kind == c.MONEY:
        return _money(row, source)
    if kind == c.WINDOW_COUNT or kind == c.WINDOW_SUM:  # noqa: PLR1714 - numba compiles `in` slower
        return _window(row, now, kind, source, window_ms)
    if kind == c.DECAYED:
        return decayed(row, source, now)
    if kind == c.SCORE:
        return _score(row, now, source, model)
    if kind == c.RATIO:
        return _ratio(row, source)
    if kind == c.GAP:
        before = number(row, r.ORDER_TIMES + 1)
        return float(number(row, r.ORDER_TIMES) - before) if before > 0 else 0.0
    if kind == c.TREND:
        usual = decayed(row, r.CLICKS_7D, now)
        return c.TREND_MAX * decayed(row, r.CLICKS_1D, now) / usual if usual > 0.0 else 0.0
    if kind == c.PACE:
        gap = usual_gap_ms(row)
        return float(max(now - number(row, r.LAST_ORDER), 0)) / gap if gap > 0.0 else 0.0
    if kind == c.FOLLOW:
        return _follow(row, source)
    if kind == c.ANSWER:
        return float(answer_at(row, source))
    return row.attribute[source] if number(row, r.PROFILE_TIME) > 0 else math.nan  # a row without a profile has none


@inlined
def _money(row: Any, source: int) -> float:
    if source == c.SPEND_NET:
        return float(row.spend_minor - row.refund_minor)
    if source == c.SPEND_GROSS:
        return float(row.spend_minor)
    return float(row.spend_minor) / float(row.count[r.ORDERS]) if row.count[r.ORDERS] > 0 else 0.0


@inlined
def _window(row: Any, now: int, kind: int, source: int, window_ms: int) -> float:
    total = 0.0
    for k in range(kept_count(source)):
        t = kept_ms(row, source, k)
        if t > 0 and now - t < window_ms:
            total += 1.0 if kind == c.WINDOW_COUNT else float(number(row, r.ORDER_AMOUNTS + k))
    return total


@inlined
def usual_gap_ms(row: Any) -> float:
    """The mean time between orders; 0 before there are two."""
    orders = int(row.count[r.ORDERS])
    if orders < 2:  # noqa: PLR2004 - one order has no gap
        return 0.0
    return float(number(row, r.LAST_ORDER) - number(row, r.FIRST_ORDER)) / (orders - 1)


@inlined
def _follow(row: Any, source: int) -> float:
    """How long after the newest of the one the other came first, of those that are kept; NaN without the one."""
    begin = since_ms(row, source // c.PAIR)
    if begin == 0:
        return math.nan
    place = source % c.PAIR
    kept = 1
    if place == r.ORDER_TIMES:
        kept = r.ORDERS_KEPT
    elif place == r.CLICK_TIMES:
        kept = r.CLICKS_KEPT
    elif place == r.ENGAGED_TIMES:
        kept = r.OPENS_KEPT
    found = float(c.ABSENT_MS)
    for k in range(kept):  # newest first
        t = number(row, place + k)
        if t > begin:
            found = float(t - begin)
    return found


@inlined
def _score(row: Any, now: int, source: int, model: Any) -> float:
    if row.count[r.ORDERS] == 0:
        return 0.0
    if source == c.RECENCY_SCORE:
        age = float(max(now - number(row, r.LAST_ORDER), 0))
        return 5.0 - _cuts_below(model.cut_recency_days, age / r.DAY_MS)
    if source == c.FREQUENCY_SCORE:
        return 1.0 + _cuts_below(model.cut_orders, float(row.count[r.ORDERS]))
    spend = float(row.spend_minor - row.refund_minor) / MINOR_PER_MAJOR
    if source == c.MONETARY_SCORE:
        return 1.0 + _cuts_below(model.cut_spend, spend)
    return 1.0 + _cuts_below(model.cut_value, spend)


@inlined
def _cuts_below(cuts: Any, x: float) -> float:
    below = 0.0
    for k in range(len(cuts)):
        if cuts[k] < x:
            below += 1.0
    return below


@inlined
def _ratio(row: Any, source: int) -> float:
    if source == c.OPEN_RATE:
        return float(row.count[r.OPENS]) / float(max(row.count[r.EMAILS_SENT], 1))
    if source == c.CART_RATE:
        return float(row.count[r.CART_ADDS]) / float(max(row.count[r.CLICKS], 1))
    return float(row.refund_minor) / float(max(row.spend_minor, 1))


@inlined
def vector(row: Any, now: int, out: Any) -> None:
    """Fill out[0:11] with CLUSTER_FEATURES at `now`; all finite."""
    out[0] = _days_capped(now, number(row, r.LAST_ORDER))
    out[1] = float(row.count[r.ORDERS])
    out[2] = max(_money(row, c.SPEND_NET), 0.0) / MINOR_PER_MAJOR
    out[3] = _money(row, c.AVERAGE_ORDER) / MINOR_PER_MAJOR
    out[4] = decayed(row, r.CLICKS_7D, now)
    out[5] = decayed(row, r.ORDERS_90D, now)
    out[6] = decayed(row, r.ENGAGED_30D, now)
    out[7] = _days_capped(now, number(row, r.LAST_CLICK))
    log1p_each(out, 8)
    out[8] = out[7]
    out[7] = min(_ratio(row, c.OPEN_RATE), 1.0)
    out[9] = min(_ratio(row, c.CART_RATE), 1.0)
    out[10] = min(float(row.count[r.REFUNDS]) / (float(row.count[r.ORDERS]) + KEPT_BEFORE), 1.0)


@inlined
def _days_capped(now: int, last: int) -> float:
    if last == 0:
        return VECTOR_DAYS_MAX
    return min(float(max(now - last, 0)) / r.DAY_MS, VECTOR_DAYS_MAX)


@kernel
def sample(rows: Any, slots: Any, now: int, vectors: Any, amounts: Any) -> None:
    """Vectors of the given slots at `now`, with (recency_days, orders, spend) beside each for the cut points.

    A row decided later than `now` is read at its own time, so that no age is negative.
    """
    for i in range(len(slots)):
        row = rows[slots[i]]
        at = max(now, row.decided_ms)
        vector(row, at, vectors[i])
        amounts[i, 0] = _days_capped(at, number(row, r.LAST_ORDER))
        amounts[i, 1] = float(row.count[r.ORDERS])
        amounts[i, 2] = _money(row, c.SPEND_NET) / MINOR_PER_MAJOR
