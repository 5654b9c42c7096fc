"""ROW: everything segstream keeps of one customer, in one fixed layout."""

from __future__ import annotations

import numpy as np

from models.events import ATTRIBUTES_MAX

ROW_VERSION = 1  # part of the engine's fingerprint; a change of ROW raises it
DAY_MS = 86_400_000

DIMENSIONS_MAX = 16  # room for twelve more than ship; the segment and its date cost 10 bytes each
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
# Positions in `last_ms`.
(LAST_CLICK, LAST_CART_ADD, LAST_ORDER, LAST_SENT, LAST_ENGAGED, FIRST_ORDER) = range(6)
# Positions in `decayed`, and the half-life of each.
(CLICKS_1D, CLICKS_7D, ENGAGED_30D, ORDERS_90D, SPEND_90D) = range(5)
HALF_LIFE_MS = (DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 90 * DAY_MS)
LANDMARK_STEP_MS = 630 * DAY_MS  # common multiple of the half-lives: moving a landmark scales by exact powers of two

ROW = np.dtype(
    [
        ("first_ms", "i8"),  # 0: no event yet
        ("newest_ms", "i8"),
        ("decided_ms", "i8"),  # the time of the latest decision about this customer
        ("review_ms", "i8"),  # when the cluster is looked at again; 0: never
        ("last_ms", "i8", (6,)),  # 0: never
        ("spend_minor", "i8"),  # orders, gross
        ("refund_minor", "i8"),  # positive
        ("landmark_ms", "i8"),  # decayed sums are weighted relative to this time (forward decay)
        ("decayed", "f8", (5,)),
        ("order_ms", "i8", (ORDERS_KEPT,)),  # newest first, 0: none
        ("order_minor", "i8", (ORDERS_KEPT,)),
        ("click_ms", "i8", (CLICKS_KEPT,)),
        ("engaged_ms", "i8", (OPENS_KEPT,)),
        ("event_id", "u8", (EVENT_IDS_KEPT,)),
        ("attribute", "f8", (ATTRIBUTES_MAX,)),  # numbers; strings as a 52-bit hash; NaN: absent
        ("profile_ms", "i8"),  # time of the profile event that set the attributes
        ("since_ms", "i8", (DIMENSIONS_MAX,)),
        ("seq", "i8"),  # of this customer's last change; 0: none
        ("count", "u4", (12,)),
        ("generation", "u4"),  # the adoption (definitions, model) that judged this row
        ("unused", "u4"),  # fills the row to a multiple of 8 bytes: padding would be whatever lay in memory
        ("segment", "u2", (DIMENSIONS_MAX,)),  # code in the definitions; for clusters the id; 0: none
    ],
    align=True,
)
GONE = 2**16 - 1  # the code of a segment that new definitions no longer have, until the row is judged
NEVER_MS = 2**62  # a due time that does not come
