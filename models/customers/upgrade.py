"""Rows of older layouts, step by step into the present one. A checkpoint of an older version is read through this.

Each layout that was ever released stays here as a literal; each step goes from one to the next by field name. A new
layout freezes the last step's target as a literal, and adds a step and a recording to tests/golden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.customers import row as r
from models.customers.answers import relocated
from models.customers.places import LOW_BITS, LOW_MASK

LAYOUT_1 = np.dtype(
    [
        ("first_ms", "i8"),
        ("newest_ms", "i8"),
        ("decided_ms", "i8"),
        ("review_ms", "i8"),
        ("last_ms", "i8", (6,)),
        ("spend_minor", "i8"),
        ("refund_minor", "i8"),
        ("landmark_ms", "i8"),
        ("decayed", "f8", (5,)),
        ("order_ms", "i8", (6,)),
        ("order_minor", "i8", (6,)),
        ("click_ms", "i8", (5,)),
        ("engaged_ms", "i8", (4,)),
        ("event_id", "u8", (6,)),
        ("attribute", "f8", (8,)),
        ("profile_ms", "i8"),
        ("since_ms", "i8", (16,)),
        ("seq", "i8"),
        ("count", "u4", (12,)),
        ("generation", "u4"),
        ("unused", "u4"),
        ("segment", "u2", (16,)),
    ],
    align=True,
)
LAYOUT_2 = np.dtype(
    [
        ("first_ms", "i8"),
        ("newest_ms", "i8"),
        ("decided_ms", "i8"),
        ("spend_minor", "i8"),
        ("refund_minor", "i8"),
        ("landmark_ms", "i8"),
        ("seq", "i8"),
        ("decayed", "f8", (5,)),
        ("event_id", "u8", (6,)),
        ("attribute", "f8", (8,)),
        ("audiences", "u8"),
        ("low", "u4", (50,)),
        ("count", "u4", (12,)),
        ("generation", "u4"),
        ("high", "u2", (50,)),
        ("segment", "u2", (16,)),
    ],
    align=True,
)
LAYOUTS = {1: LAYOUT_1, 2: LAYOUT_2, r.ROW_VERSION: r.ROW}


class Homes(NamedTuple):
    """Where the answers of rows belong: by the rules of `generation`, and by those before."""

    generation: int
    places: NDArray[np.int64]  # of customers/answers.py, by the number of the dimension
    older: NDArray[np.int64]


def upgraded(rows: bytes, version: int, homes: Homes) -> NDArray[np.void]:
    """Packed rows of a layout as rows of the present one; raises ValueError for a layout that is not known."""
    if version not in LAYOUTS:
        raise ValueError(f"rows of layout {version} are not known here: {min(LAYOUTS)} to {max(LAYOUTS)} are")
    found: NDArray[np.void] = np.frombuffer(rows, LAYOUTS[version])
    for step in STEPS[version - 1 :]:
        found = step(found, homes)
    return found


def _to_2(old: NDArray[np.void], _homes: Homes) -> NDArray[np.void]:
    """Numbers of 48 bits; the newest times of lists are no longer kept twice; room for audiences and categories."""
    new = np.zeros(len(old), LAYOUT_2)
    for name in set(LAYOUT_1.names or ()) & set(LAYOUT_2.names or ()):
        new[name] = old[name]
    last = old["last_ms"]  # click, cart_add, order, sent, engaged, first order: the heads of lists are in them
    for place, values in (
        (r.ORDER_TIMES, old["order_ms"]),
        (r.ORDER_AMOUNTS, old["order_minor"]),
        (r.CLICK_TIMES, old["click_ms"]),
        (r.ENGAGED_TIMES, old["engaged_ms"]),
        (r.LAST_CART_ADD, last[:, 1:2]),
        (r.LAST_SENT, last[:, 3:4]),
        (r.FIRST_ORDER, last[:, 5:6]),
        (r.PROFILE_TIME, old["profile_ms"][:, None]),
        (r.REVIEW, old["review_ms"][:, None]),
        (r.SINCE_TIMES, old["since_ms"]),
    ):
        places = slice(place, place + values.shape[1])
        new["low"][:, places] = values & LOW_MASK
        new["high"][:, places] = values >> LOW_BITS
    return new


def _to_3(old: NDArray[np.void], homes: Homes) -> NDArray[np.void]:
    """The same fields: audiences, which were dimensions of one segment, are bits, unless they need a date."""
    new = old.astype(r.ROW)
    present = old["generation"] == homes.generation
    for chosen, places in ((present, homes.places), (~present, homes.older)):
        new[chosen] = relocated(new[chosen], places)
    return new


Step = Callable[[NDArray[np.void], Homes], NDArray[np.void]]
STEPS: tuple[Step, ...] = (_to_2, _to_3)  # the first goes from 1 to 2
