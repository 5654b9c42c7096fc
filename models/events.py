"""A decoded event as a fixed record: what the kernel reads, and the limits every event keeps."""

from __future__ import annotations

import numpy as np

CLICK, PURCHASE, EMAIL, PROFILE = range(4)
TOPICS = ("clicks", "purchases", "emails", "profiles")  # by kind; also their rank when times are equal

CLICK_ACTIONS = ("view", "search", "cart_add", "cart_remove", "checkout", "other")
VIEW, SEARCH, CART_ADD, CART_REMOVE, CHECKOUT, OTHER = range(6)

EMAIL_ACTIONS = ("sent", "delivered", "open", "click", "bounce", "unsubscribe", "complaint")
SENT, DELIVERED, OPEN, EMAIL_CLICK, BOUNCE, UNSUBSCRIBE, COMPLAINT = range(7)

TS_MS_MIN = 631_152_000_000  # 1990-01-01: older times are clocks that were never set (CDNOW, 1997, is legal)
AMOUNT_MINOR_MAX = 10**14  # a million million of a currency with cents: 90,000 of them still fit in 64 bits
MINOR_PER_MAJOR = 100  # cents
ATTRIBUTES_MAX = 8  # what a row keeps of a profile; definitions that need more are refused

EVENT = np.dtype(
    [
        ("slot", "i8"),  # the customer's row
        ("kind", "i8"),  # CLICK, PURCHASE, EMAIL or PROFILE
        ("action", "i8"),  # index into CLICK_ACTIONS or EMAIL_ACTIONS
        ("ts_ms", "i8"),
        ("amount_minor", "i8"),  # purchases only; negative is a refund, never zero
        ("id_hash", "u8"),  # 64-bit hash of event_id; 0 means no identity (profiles)
        ("machine_open", "i8"),  # 1 when an e-mail open was made by a machine, not a person
        ("attributes", "i8"),  # profiles only: row of the attribute array that came with the batch
        ("offset", "i8"),
        ("category", "i8"),  # clicks only: place among the declared categories, from 1; 0: none of them
    ]
)
