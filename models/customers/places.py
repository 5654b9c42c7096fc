"""Whole numbers of 48 bits in a row: times until the year 10,889 and any legal amount, a quarter smaller than 64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import inlined

LOW_BITS = 32  # in `low`; the others in `high`
LOW_MASK = 2**LOW_BITS - 1


@inlined
def number(row: Any, place: int) -> int:
    """The number at a place of a row."""
    return int((np.int64(row.high[place]) << LOW_BITS) | np.int64(row.low[place]))


@inlined
def put(row: Any, place: int, value: int) -> None:
    """Write a number of [0, 2**48) to a place of a row."""
    row.low[place] = value & LOW_MASK
    row.high[place] = value >> LOW_BITS


def numbers(rows: Any, first: int, count: int) -> NDArray[np.int64]:
    """The numbers at `count` places from `first` on, of one row [count] or of many [n, count]."""
    places = slice(first, first + count)
    found: NDArray[np.int64] = rows["high"][..., places].astype(np.int64) << LOW_BITS
    found |= rows["low"][..., places]
    return found
