"""ROW: everything segstream keeps of one customer, in one fixed layout."""

from __future__ import annotations

import numpy as np

from models.events import ATTRIBUTES_MAX

ROW_VERSION = 3  # part of the engine's fingerprint; a change of ROW raises it and adds a step to customers/upgrade.py
DAY_MS = 86_400_000

DIMENSIONS_MAX = 16  # room for twelve more than ship; the segment and its date cost 8 bytes each
AUDIENCES_MAX = 64  # in or out: a bit each
ANSWERS_MAX = DIMENSIONS_MAX + AUDIENCES_MAX  # places of customers/answers.py
CATEGORIES_MAX = 8  # declared categories: room for the time of the last click on each
ORDERS_KEPT = 6  # windows over orders are exact up to six
CLICKS_KEPT = 5  # as above, for clicks
OPENS_KEPT = 4  # as above, for e-mail opens and clicks
EVENT_IDS_KEPT = 6  # duplicates of an older event are applied again: see docs/architecture.md

# Positions in `count`.
(
    CLICKS,
    CART_ADDS,
    CHECKOUTS,
    ORDERS,
    REFUNDS,
    EMAILS_SENT,
    OPENS,
    MACHINE_OPENS,
    EMAIL_CLICKS,
    BOUNCES,
    UNSUBSCRIBES,
    SEARCHES,
) = range(12)
# Places in `low` and `high`: whole numbers of 48 bits (customers/places.py). Times are in ms, 0: never;
# a list has its newest first, so its head is also the last time of its kind.
ORDER_TIMES = 0
ORDER_AMOUNTS = ORDER_TIMES + ORDERS_KEPT  # minor units, of the orders above
CLICK_TIMES = ORDER_AMOUNTS + ORDERS_KEPT
ENGAGED_TIMES = CLICK_TIMES + CLICKS_KEPT
LAST_ORDER, LAST_CLICK, LAST_ENGAGED = ORDER_TIMES, CLICK_TIMES, ENGAGED_TIMES
LAST_CART_ADD, LAST_SENT, FIRST_ORDER, PROFILE_TIME, REVIEW = range(
    ENGAGED_TIMES + OPENS_KEPT, ENGAGED_TIMES + OPENS_KEPT + 5
)  # the last two: when the attributes were set; when the cluster is looked at again
SINCE_TIMES = REVIEW + 1  # since when in the segment of each dimension
CATEGORY_TIMES = SINCE_TIMES + DIMENSIONS_MAX
PLACES = CATEGORY_TIMES + CATEGORIES_MAX
# Positions in `decayed`, and the half-life of each.
(CLICKS_1D, CLICKS_7D, ENGAGED_30D, ORDERS_90D, SPEND_90D) = range(5)
HALF_LIFE_MS = (DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 90 * DAY_MS)
LANDMARK_STEP_MS = 630 * DAY_MS  # common multiple of the half-lives: moving a landmark scales by exact powers of two

ROW = np.dtype(
    [
        ("first_ms", "i8"),  # 0: no event yet
        ("newest_ms", "i8"),
        ("decided_ms", "i8"),  # the time of the latest decision about this customer
        ("spend_minor", "i8"),  # orders, gross
        ("refund_minor", "i8"),  # positive
        ("landmark_ms", "i8"),  # decayed sums are weighted relative to this time (forward decay)
        ("seq", "i8"),  # of this customer's last change; 0: none
        ("decayed", "f8", (5,)),
        ("event_id", "u8", (EVENT_IDS_KEPT,)),
        ("attribute", "f8", (ATTRIBUTES_MAX,)),  # numbers; strings as a 52-bit hash; NaN: absent
        ("audiences", "u8"),  # a bit for each: in
        ("low", "u4", (PLACES,)),  # lower 32 bits of 48
        ("count", "u4", (12,)),
        ("generation", "u4"),  # the adoption (definitions, model) that judged this row
        ("high", "u2", (PLACES,)),  # upper 16 bits of 48
        ("segment", "u2", (DIMENSIONS_MAX,)),  # code in the definitions; for clusters the id; 0: none
    ],
    align=True,
)
GONE = 2**16 - 1  # the code of a segment that new definitions no longer have, until the row is judged
LEFT = -1  # the segment in the changes of a customer who was silent for too long: never in a row
REMOVED = -2  # the segment in the last change of a dimension that new definitions no longer have: never in a row
OF_BEFORE = 2**16  # added to a code in `previous` of a change: of a segment that only the definitions before had
NEVER_MS = 2**62  # a due time that does not come
