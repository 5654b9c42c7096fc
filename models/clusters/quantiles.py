"""Cut points for RFM scores and value tiers, and what a cut point means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

QUINTILES = (0.2, 0.4, 0.6, 0.8)  # RFM's five scores
VALUE_TIERS = (0.5, 0.8, 0.95)  # of buyers; the top 20 % hold most of the spend everywhere (Pareto)
TIE_TOLERANCE = 0.005  # share; orders are few whole numbers, the next may lie several percent further
BUYERS_MIN = 100  # under it fewer than five customers define the top tier: the defaults are better


def high_score(value: float, cuts: Sequence[float]) -> int:
    """Return 1..len(cuts)+1, high for high values: 1 plus the number of cuts below `value` (F, M, tiers)."""
    return 1 + sum(cut < value for cut in cuts)


def low_score(value: float, cuts: Sequence[float]) -> int:
    """Return len(cuts)+1..1, high for low values: one less for each cut below `value` (R)."""
    return len(cuts) + 1 - sum(cut < value for cut in cuts)


def cut_points(recency_days: Floats, orders: Floats, spend: Floats) -> dict[str, tuple[float, ...]]:
    """Return the cuts of customers who have bought, by name, each non-decreasing; {} with under BUYERS_MIN.

    Equal customers get equal scores, so several cuts may be equal and some scores then stay empty.
    Units: days, orders, and whatever unit `spend` has. Raises ValueError for numbers that are not finite.
    """
    buyers = orders > 0
    if int(buyers.sum()) < BUYERS_MIN:
        return {}
    return {
        "recency_days": _cuts(recency_days[buyers], QUINTILES),
        "orders": _whole_cuts(orders[buyers]),
        "spend": _cuts(spend[buyers], QUINTILES),
        "value": _cuts(spend[buyers], VALUE_TIERS),
    }


def _whole_cuts(orders: Floats) -> tuple[float, ...]:
    """Return for each quintile the least number of orders that such a share of buyers, or nearly, does not
    exceed.
    """
    values, counts = np.unique(_finite(orders), return_counts=True)
    shares = np.cumsum(counts) / len(orders)
    return tuple(float(values[np.searchsorted(shares, share - TIE_TOLERANCE)]) for share in QUINTILES)


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        msg = "cut points: a customer's number is not finite"
        raise ValueError(msg)
    return values


def _cuts(values: Floats, shares: Sequence[float]) -> tuple[float, ...]:
    cuts = np.quantile(_finite(values), shares)
    # Interpolation can round a cut one bit below the one before it; scores need them in order.
    return tuple(np.maximum.accumulate(cuts).tolist())
