"""Numbers as text, by compiled code: what Python and orjson write, or nothing where a double cannot say which.

A position of -1, taken or given, means "not sure": the caller has `stream.codec.changes` write the number.
"""

from __future__ import annotations

import math
from typing import Any, Final

from models.compiled import kernel
from stream.codec.changes import SIGNIFICANT_DIGITS

DIGITS: Final = 10**SIGNIFICANT_DIGITS  # a rounded number's digits are less than this
UNSURE: Final = 1e-6  # of a last digit: nearer to the middle between two nobody can say which; a double's error is 1e-9
LEAST: Final = 1e-22  # powers of ten up to its inverse are exact
JSON_PLAIN_MIN: Final = 1e-5  # below it orjson writes an exponent
TEXT_PLAIN_MIN: Final = 1e-4  # below it Python does, of two digits
HALF: Final = 0.5
ZERO, POINT, MINUS = ord("0"), ord("."), ord("-")


@kernel
def integer(out: Any, at: int, value: int) -> int:
    """A whole number that is not negative."""
    if at < 0:
        return -1
    end, rest = at + 1, value // 10
    while rest:
        end += 1
        rest //= 10
    for k in range(end - 1, at - 1, -1):
        out[k] = ZERO + value % 10
        value //= 10
    return end


@kernel
def decimal(out: Any, at: int, x: float, plain_min: float, exponent_digits: int) -> int:
    """Shortest text of x rounded to six significant digits; -1 when its last is not sure, or x is large or NaN.

    Below `plain_min` it has an exponent, of at least `exponent_digits`.
    """
    if at < 0 or not (x == 0.0 or LEAST <= abs(x) < DIGITS):
        return -1
    if x < 0.0:
        out[at] = MINUS
        at, x = at + 1, -x
    if x == math.floor(x):
        return _whole(out, at, int(x))
    digits, exponent = _rounded(x)
    if digits < 0:
        return -1
    count = SIGNIFICANT_DIGITS
    while digits % 10 == 0:
        digits //= 10
        count -= 1
    if exponent < 0 and 10.0**exponent < plain_min * HALF:
        return _scientific(out, at, digits, count, -exponent, exponent_digits)
    return _plain(out, at, digits, count, exponent)


@kernel
def _rounded(x: float) -> tuple[int, int]:
    """Six digits and what power of ten the first stands for; (-1, 0) when the last is not sure."""
    exponent = math.floor(math.log10(x))
    scaled = x * 10.0 ** (SIGNIFICANT_DIGITS - 1 - exponent)
    if scaled >= DIGITS:  # the logarithm is rounded too
        exponent += 1
        scaled = x * 10.0 ** (SIGNIFICANT_DIGITS - 1 - exponent)
    elif scaled < DIGITS // 10:
        exponent -= 1
        scaled = x * 10.0 ** (SIGNIFICANT_DIGITS - 1 - exponent)
    digits = math.floor(scaled)
    rest = scaled - digits
    if abs(rest - HALF) < UNSURE:  # half goes to even, of the number that the double stands for
        return -1, 0
    digits += rest > HALF
    if digits == DIGITS:
        return DIGITS // 10, exponent + 1
    return digits, exponent


@kernel
def _whole(out: Any, at: int, value: int) -> int:
    at = integer(out, at, value)
    out[at], out[at + 1] = POINT, ZERO
    return at + 2


@kernel
def _plain(out: Any, at: int, digits: int, count: int, exponent: int) -> int:
    """`count` digits of which the first stands for ten to the `exponent`."""
    if exponent < 0:
        out[at], out[at + 1] = ZERO, POINT
        at += 2
        for _ in range(-exponent - 1):
            out[at] = ZERO
            at += 1
        return integer(out, at, digits)
    if count <= exponent + 1:  # rounded to a whole number
        for _ in range(exponent + 1 - count):
            digits *= 10
        return _whole(out, at, digits)
    end = at + count + 1
    for k in range(end - 1, at - 1, -1):
        if k == at + exponent + 1:
            out[k] = POINT
            continue
        out[k] = ZERO + digits % 10
        digits //= 10
    return end


@kernel
def _scientific(out: Any, at: int, digits: int, count: int, size: int, exponent_digits: int) -> int:
    """One digit, the others behind a point, and ten to the minus `size`."""
    end = _plain(out, at, digits, count, 0) if count > 1 else integer(out, at, digits)
    out[end], out[end + 1] = ord("e"), MINUS
    end += 2
    if exponent_digits > 1 and size < 10:  # noqa: PLR2004 - one digit
        out[end] = ZERO
        end += 1
    return integer(out, end, size)
