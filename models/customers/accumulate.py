"""An event into a row: sums, maxima and newest-K lists only, so that the order of arrival does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import inlined
from models.customers import row as r
from models.customers.places import number, put
from models.events import (
    ATTRIBUTES_MAX,
    BOUNCE,
    CART_ADD,
    CHECKOUT,
    CLICK,
    COMPLAINT,
    EMAIL,
    EMAIL_CLICK,
    OPEN,
    PURCHASE,
    SEARCH,
    SENT,
    UNSUBSCRIBE,
)
from models.exact_math import exp2

HALF_LIFE_MS = np.array(r.HALF_LIFE_MS, np.float64)


@inlined
def is_duplicate(row: Any, id_hash: int) -> bool:
    """Whether the event's identity is among the last few applied to this row."""
    if id_hash == 0:
        return False
    for k in range(r.EVENT_IDS_KEPT):  # noqa: SIM110 - numba does not compile any() over a generator
        if row.event_id[k] == id_hash:
            return True
    return False


@inlined
def accumulate(row: Any, event: Any, attributes: Any) -> None:
    """Add one event to its customer's row; attributes is the batch's float64 [n, ATTRIBUTES_MAX] array."""
    t = event.ts_ms
    if row.first_ms == 0 or t < row.first_ms:
        row.first_ms = t
    row.newest_ms = max(row.newest_ms, t)
    if event.id_hash != 0:
        for k in range(r.EVENT_IDS_KEPT - 1, 0, -1):
            row.event_id[k] = row.event_id[k - 1]
        row.event_id[0] = event.id_hash
    _move_landmark(row, t)
    if event.kind == CLICK:
        _click(row, t, event.action)
        if event.category > 0:
            place = r.CATEGORY_TIMES + event.category - 1
            put(row, place, max(number(row, place), t))
    elif event.kind == PURCHASE:
        _purchase(row, t, event.amount_minor)
    elif event.kind == EMAIL:
        _email(row, t, event.action, event.machine_open)
    elif t >= number(row, r.PROFILE_TIME):  # of two profiles the newer stands, whichever came first
        put(row, r.PROFILE_TIME, t)
        for k in range(ATTRIBUTES_MAX):
            row.attribute[k] = attributes[event.attributes, k]


@inlined
def _click(row: Any, t: int, action: int) -> None:
    row.count[r.CLICKS] += 1
    _keep_newest(row, r.CLICK_TIMES, r.CLICKS_KEPT, t)
    _decay_in(row, r.CLICKS_1D, t, 1.0)
    _decay_in(row, r.CLICKS_7D, t, 1.0)
    if action == CART_ADD:
        row.count[r.CART_ADDS] += 1
        put(row, r.LAST_CART_ADD, max(number(row, r.LAST_CART_ADD), t))
    elif action == CHECKOUT:
        row.count[r.CHECKOUTS] += 1
    elif action == SEARCH:
        row.count[r.SEARCHES] += 1


@inlined
def _purchase(row: Any, t: int, amount_minor: int) -> None:
    if amount_minor < 0:
        row.count[r.REFUNDS] += 1
        row.refund_minor -= amount_minor
        return
    row.count[r.ORDERS] += 1
    row.spend_minor += amount_minor
    first = number(row, r.FIRST_ORDER)
    if first == 0 or t < first:
        put(row, r.FIRST_ORDER, t)
    _decay_in(row, r.ORDERS_90D, t, 1.0)
    _decay_in(row, r.SPEND_90D, t, float(amount_minor))
    _keep_newest_order(row, t, amount_minor)


@inlined
def _email(row: Any, t: int, action: int, machine_open: int) -> None:
    if action == SENT:
        row.count[r.EMAILS_SENT] += 1
        put(row, r.LAST_SENT, max(number(row, r.LAST_SENT), t))
    elif action == OPEN and machine_open == 1:
        row.count[r.MACHINE_OPENS] += 1  # a machine's open says nothing of the customer
    elif action in (OPEN, EMAIL_CLICK):
        row.count[r.OPENS if action == OPEN else r.EMAIL_CLICKS] += 1
        _keep_newest(row, r.ENGAGED_TIMES, r.OPENS_KEPT, t)
        _decay_in(row, r.ENGAGED_30D, t, 1.0)
    elif action == BOUNCE:
        row.count[r.BOUNCES] += 1
    elif action in (UNSUBSCRIBE, COMPLAINT):
        row.count[r.UNSUBSCRIBES] += 1


@inlined
def _move_landmark(row: Any, t: int) -> None:
    """Keep weights below 2**631: the landmark moves by a multiple of all half-lives, an exact scaling."""
    if row.landmark_ms == 0:
        row.landmark_ms = t
    while t - row.landmark_ms > r.LANDMARK_STEP_MS:
        row.landmark_ms += r.LANDMARK_STEP_MS
        for j in range(len(HALF_LIFE_MS)):
            row.decayed[j] *= exp2(-r.LANDMARK_STEP_MS / HALF_LIFE_MS[j])


@inlined
def _decay_in(row: Any, j: int, t: int, weight: float) -> None:
    """Forward decay (Cormode et al., ICDE 2009): add with the weight of the event's own time."""
    row.decayed[j] += weight * exp2((t - row.landmark_ms) / HALF_LIFE_MS[j])


@inlined
def _keep_newest(row: Any, first: int, count: int, t: int) -> None:
    for place in range(first, first + count):
        kept = number(row, place)
        if t > kept:
            put(row, place, t)
            t = kept


@inlined
def _keep_newest_order(row: Any, t: int, amount_minor: int) -> None:
    """Newest first; of equal times the larger amount first, so that ties do not depend on arrival."""
    for k in range(r.ORDERS_KEPT):
        kept_ms = number(row, r.ORDER_TIMES + k)
        kept_minor = number(row, r.ORDER_AMOUNTS + k)
        if t > kept_ms or (t == kept_ms and amount_minor > kept_minor):
            put(row, r.ORDER_TIMES + k, t)
            put(row, r.ORDER_AMOUNTS + k, amount_minor)
            t = kept_ms
            amount_minor = kept_minor
