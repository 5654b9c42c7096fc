"""exp2, log2 and log1p that give the same bits on every machine, compiled or not.

The C library's versions differ in the last bit between hosts and from numba's. These use only additions,
multiplications, one division, frexp and ldexp, all exactly rounded by IEEE 754. Error below 4e-16 relative
(exp2) and 3e-16 absolute for log2 of numbers near one, checked against arbitrary-precision values in the
tests.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compiled import inlined, kernel, stand_apart

LN2 = 0.6931471805599453  # natural logarithm of two, the nearest double
LOG2_E = 1.4426950408889634  # 1 / LN2, the nearest double
SQRT_HALF = 0.7071067811865476  # mantissas are taken from [sqrt(1/2), sqrt(2)) so that log2 is odd around one
EXP2_MIN = -1080.0  # below the smallest subnormal double: the answer is zero
EXP2_MAX = 1023.0  # above it the answer would not be finite: callers keep sums far below
# A double: a sign, 11 bits of exponent with this bias, and the fraction.
BIAS, FRACTION_BITS = 1023, 52
FRACTION_MASK, HALF_BITS = 2**FRACTION_BITS - 1, (BIAS - 1) << FRACTION_BITS
EXPONENT_MIN = 1 - BIAS  # powers up to it times a series below one may be subnormal: rounded by the C library
# Taylor series of e**y on |y| <= ln(2)/2, highest first: the term after 1/14! is below 1e-19.
EXP_SERIES = np.array([1.0 / math.factorial(k) for k in range(14, -1, -1)])
# log(m) = 2 * (s + s^3/3 + s^5/5 + ...), |s| <= 0.1716, highest first: the term of order 25 is below 1e-19.
LOG_SERIES = np.array([1.0 / k for k in range(23, 0, -2)])


@kernel
def exp2(x: float) -> float:
    """Two to the power x, for x in [-inf, 1023]; 0.0 below -1080, clamped above 1023."""
    stand_apart()
    if x < EXP2_MIN:
        return 0.0
    x = min(x, EXP2_MAX)
    whole = math.floor(x + 0.5)
    y = (x - whole) * LN2
    series = 0.0
    for k in range(len(EXP_SERIES)):
        series = EXP_SERIES[k] + y * series
    if whole > EXPONENT_MIN:  # by the bits of the power, exact as well: a call into the C library costs more
        return series * np.int64((int(whole) + BIAS) << FRACTION_BITS).view(np.float64)
    return math.ldexp(series, int(whole))


@kernel
def log2(x: float) -> float:
    """Logarithm to base two of a positive finite number."""
    stand_apart()
    bits = np.float64(x).view(np.int64)
    exponent = int(bits >> FRACTION_BITS)
    if 0 < exponent < 2 * BIAS + 1:  # by its bits, as above
        exponent -= BIAS - 1
        mantissa = float(np.int64((bits & FRACTION_MASK) | HALF_BITS).view(np.float64))
    else:
        mantissa, exponent = math.frexp(x)
    if mantissa < SQRT_HALF:
        mantissa *= 2.0
        exponent -= 1
    return _log2(mantissa, exponent)


@inlined
def _log2(mantissa: float, exponent: int) -> float:
    """Of a mantissa from [sqrt(1/2), sqrt(2)) times a power of two."""
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = 0.0
    for k in range(len(LOG_SERIES)):
        series = LOG_SERIES[k] + square * series
    return exponent + 2.0 * s * series * LOG2_E


@inlined
def log1p(x: float) -> float:
    """Natural logarithm of 1 + x for x >= 0; absolute error below 1e-15, so not for x near 1e-16."""
    return log2(1.0 + x) * LN2


@inlined
def log1p_each(values: Any, count: int) -> None:
    """log1p of values[:count] in their place, finite ones: the same bits as one by one."""
    for i in range(count):
        bits: Any = np.float64(1.0 + values[i]).view(np.int64)
        exponent = (bits >> FRACTION_BITS) - (BIAS - 1)
        mantissa = np.int64((bits & FRACTION_MASK) | HALF_BITS).view(np.float64)
        low = mantissa < SQRT_HALF
        values[i] = _log2(mantissa * 2.0 if low else mantissa, exponent - 1 if low else exponent) * LN2
