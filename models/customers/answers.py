"""Where a row keeps its answers: sixteen places with a segment and its date, sixty-four more of a bit each.

Dimensions have the former. An audience has a bit, which says in or out and not since when; one that needs the date, for
a dwell or a cooldown, has a place as dimensions do. Places are numbered through: bits follow from DIMENSIONS_MAX on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import inlined, kernel
from models.customers.places import number, numbers, put
from models.customers.row import DIMENSIONS_MAX, SINCE_TIMES

ONE = np.uint64(1)  # numba makes floats of unsigned and signed numbers together
Ints = NDArray[np.int64]


@inlined
def answer_at(row: Any, place: int) -> int:
    """The code at a place: of a segment, 0 for none; of a bit 1 for in."""
    if place < DIMENSIONS_MAX:
        return int(row.segment[place])
    return int((row.audiences >> np.uint64(place - DIMENSIONS_MAX)) & ONE)


@inlined
def since_at(row: Any, place: int) -> int:
    """Since when the row has the answer at a place, epoch ms; 0: not known, as of every bit."""
    return number(row, SINCE_TIMES + place) if place < DIMENSIONS_MAX else 0


@inlined
def put_answer(row: Any, place: int, code: int, since_ms: int) -> None:
    """Write the code at a place, and since when where there is a date."""
    if place < DIMENSIONS_MAX:
        row.segment[place] = code
        put(row, SINCE_TIMES + place, since_ms)
    elif code > 0:
        row.audiences |= ONE << np.uint64(place - DIMENSIONS_MAX)
    else:
        row.audiences &= ~(ONE << np.uint64(place - DIMENSIONS_MAX))


@kernel
def no_answers(row: Any) -> None:
    """Empty every place."""
    row.audiences = 0
    for place in range(DIMENSIONS_MAX):
        row.segment[place] = 0
        put(row, SINCE_TIMES + place, 0)


def answers(rows: Any, places: Ints) -> Ints:
    """The codes at these places, [n, places], of many rows."""
    found = np.empty((len(rows), len(places)), np.int64)
    dated = places < DIMENSIONS_MAX
    found[:, dated] = rows["segment"][:, places[dated]]
    bits = (places[~dated] - DIMENSIONS_MAX).astype(np.uint64)
    found[:, ~dated] = (rows["audiences"][:, None] >> bits) & ONE
    return found


def sinces(rows: Any, places: Ints) -> Ints:
    """Since when, [n, places], epoch ms, of many rows; 0: not known."""
    found = np.zeros((len(rows), len(places)), np.int64)
    dated = places < DIMENSIONS_MAX
    found[:, dated] = numbers(rows, SINCE_TIMES, DIMENSIONS_MAX)[:, places[dated]]
    return found


def relocated(rows: NDArray[np.void], places: Ints) -> NDArray[np.void]:
    """Rows whose answers lie in the order of the document (so it was up to layout 2), with each at its place."""
    new = rows.copy()
    for name in ("low", "high"):
        new[name][:, SINCE_TIMES : SINCE_TIMES + DIMENSIONS_MAX] = 0
    new["segment"] = 0
    for d, place in enumerate(places[:DIMENSIONS_MAX].tolist()):
        if place < DIMENSIONS_MAX:
            new["segment"][:, place] = rows["segment"][:, d]
            for name in ("low", "high"):
                new[name][:, SINCE_TIMES + place] = rows[name][:, SINCE_TIMES + d]
        else:
            new["audiences"] |= (rows["segment"][:, d] > 0).astype(np.uint64) << np.uint64(place - DIMENSIONS_MAX)
    return new
