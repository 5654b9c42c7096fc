"""exp2, log2 and log1p against forty digits, and what makes them the same everywhere."""

from __future__ import annotations

import math
import random
from decimal import Decimal, getcontext

import numpy as np
import pytest

from models.exact_math import exp2, log1p, log1p_each, log2

getcontext().prec = 40  # digits: twenty more than a double has
LN2 = Decimal(2).ln()
DRAWS = random.Random(11)
EXP2_ERROR = Decimal("4e-16")  # relative, as the module says
LOG2_ERROR = Decimal("3e-16")  # absolute near one, as the module says; relative elsewhere


@pytest.mark.parametrize("spread", [1e-9, 0.5, 30.0, 1000.0])
def test_exp2_is_within_its_error(spread: float) -> None:
    """Two to the power x, relative error below 4e-16."""
    for _ in range(500):
        x = DRAWS.uniform(-spread, spread)
        exact = (Decimal(x) * LN2).exp()
        assert abs(Decimal(exp2(x)) - exact) <= EXP2_ERROR * exact, x


def test_exp2_is_exact_at_whole_numbers() -> None:
    """Powers of two are powers of two, so that moving a landmark loses nothing."""
    for x in range(-1074, 1024):
        assert exp2(float(x)) == math.ldexp(1.0, x)


@pytest.mark.parametrize(("x", "expected"), [(-math.inf, 0.0), (-1080.5, 0.0), (-1e300, 0.0), (1e9, 2.0**1023)])
def test_exp2_has_ends(x: float, expected: float) -> None:
    """Far below it is zero, far above it is clamped: never infinite, never an error."""
    assert exp2(x) == expected


def test_exp2_never_falls() -> None:
    """On a fine grid a larger argument never gives a smaller power, also across the seams at halves."""
    values = [exp2(k / 4096.0) for k in range(-8 * 4096, 8 * 4096)]
    assert values == sorted(values)


@pytest.mark.parametrize("near", [1e-12, 1e-6, 0.01, 0.4])
def test_log2_is_within_its_error_near_one(near: float) -> None:
    """Absolute error below 3e-16 around one, where the answer is near zero."""
    for _ in range(500):
        x = 1.0 + DRAWS.uniform(-near, near)
        assert abs(Decimal(log2(x)) - Decimal(x).ln() / LN2) <= LOG2_ERROR, x


def test_log2_is_within_its_error_everywhere() -> None:
    """Relative error below 3e-16 (but absolute near one) over the whole range of doubles."""
    for _ in range(1000):
        x = math.ldexp(DRAWS.uniform(0.5, 1.0), DRAWS.randrange(-1000, 1000))
        exact = Decimal(x).ln() / LN2
        assert abs(Decimal(log2(x)) - exact) <= LOG2_ERROR * max(abs(exact), Decimal(1)), x


def test_log2_is_exact_at_powers_of_two() -> None:
    """The logarithm of a power of two is its exponent."""
    for k in range(-1074, 1024):
        assert log2(math.ldexp(1.0, k)) == k


def test_log2_never_falls() -> None:
    """On a fine grid a larger argument never gives a smaller logarithm, also across the seam at sqrt(1/2)."""
    values = [log2(0.25 + k / 65536.0) for k in range(4 * 65536)]
    assert values == sorted(values)


@pytest.mark.parametrize("most", [1e-3, 1.0, 1e3, 1e15])
def test_log1p_is_within_its_error(most: float) -> None:
    """Absolute error below 1e-15 (relative above one) for what features ask of it."""
    for _ in range(500):
        x = DRAWS.uniform(0.0, most)
        exact = (1 + Decimal(x)).ln()
        assert abs(Decimal(log1p(x)) - exact) <= Decimal("1e-15") * max(exact, Decimal(1)), x
    assert log1p(0.0) == 0.0


@pytest.mark.parametrize("decades", [1.0, 6.0, 300.0])
def test_logarithms_at_once_are_the_same(decades: float) -> None:
    """log1p_each has the bits of log1p, of small numbers and large."""
    values = [0.0, 1.0, *(10.0 ** DRAWS.uniform(-decades, decades) for _ in range(502))]
    found = np.array(values)
    for first in range(0, len(values), 8):
        log1p_each(found[first : first + 8], 8)
    assert found.tolist() == [log1p(x) for x in values]
