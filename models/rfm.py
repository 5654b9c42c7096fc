"""The ten RFM segments as they are published: quintiles of recency and of the rank of frequency, and a map of both.

The published form (Chen, Sain and Guo 2012, and every tutorial since) ranks customers by frequency, ties broken by the
order of their ids, so that each fifth has as many customers: two customers who did the same get different scores.
The live dimension scores by cut points. Both are here, with the same map, so that the difference can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

QUINTILES = (0.2, 0.4, 0.6, 0.8)
SCORES = len(QUINTILES) + 1
_LOW = ("hibernating", "hibernating", "at risk", "at risk", "can't lose")
# The map of the ten names: a line for each recency score from 1 (long ago) to 5, a column for each frequency score.
GRID = (
    _LOW,
    _LOW,
    ("about to sleep", "about to sleep", "need attention", "loyal", "loyal"),
    ("promising", "potential loyalist", "potential loyalist", "loyal", "loyal"),
    ("new customer", "potential loyalist", "potential loyalist", "champions", "champions"),
)
NAMES = (
    "champions", "loyal", "potential loyalist", "new customer", "promising", "need attention", "about to sleep",
    "at risk", "can't lose", "hibernating",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores from 1 to 5 of each customer, [n], and the cut points they come from (of ranks: none)."""

    recency: Ints
    frequency: Ints
    recency_cuts: tuple[float, ...]
    frequency_cuts: tuple[float, ...]

    def segments(self) -> list[str]:
        """The segment of each customer."""
        pairs = zip(self.recency.tolist(), self.frequency.tolist(), strict=True)
        return [GRID[recency - 1][frequency - 1] for recency, frequency in pairs]


def by_rank(days: Ints, orders: Ints) -> Scored:
    """The published form: `days` since the last order and `orders`, [n] each, in the order that breaks ties."""
    ranks = np.empty(len(orders), np.int64)
    ranks[np.argsort(orders, kind="stable")] = np.arange(1, len(orders) + 1)
    recency_cuts = quintiles(days)
    return Scored(recency_of(days, recency_cuts), 1 + below(ranks, quintiles(ranks)), recency_cuts, ())


def by_cuts(days: Ints, orders: Ints, frequency_cuts: tuple[float, ...]) -> Scored:
    """As the live dimension: equal customers have equal scores, whatever their ids; recency as published."""
    recency_cuts = quintiles(days)
    return Scored(
        recency_of(days, recency_cuts), 1 + below(orders, frequency_cuts), recency_cuts, tuple(frequency_cuts)
    )


def quintiles(values: Ints) -> tuple[float, ...]:
    """Four cut points, interpolated between neighbours."""
    return tuple(np.quantile(values, QUINTILES).tolist())


def below(values: Ints, cuts: tuple[float, ...]) -> Ints:
    """How many cut points lie below each value."""
    return np.searchsorted(np.array(cuts), values).astype(np.int64)


def recency_of(days: Ints, cuts: tuple[float, ...]) -> Ints:
    """5 for the fifth that bought last, 1 for the fifth that did not for longest."""
    return SCORES - below(days, cuts)


@dataclass(frozen=True, slots=True)
class Split:
    """What ranks do to equal customers: those with the same days since the last order and the same orders.

    Attributes
    ----------
    groups, customers : sets of equal customers that got more than one segment, and how many are in them.
    one_order : customers with a single order by the frequency score that their rank gave them.
    differ : customers who have another segment by cut points than by ranks.
    """

    groups: int
    customers: int
    one_order: dict[int, int]
    differ: int


def split(days: Ints, orders: Ints, ranked: Scored, cut: Scored) -> Split:
    """Count them, over all customers."""
    published = np.array(ranked.segments())
    behaviour, sizes = _numbered(np.stack([days, orders], axis=1))
    segment = _numbered(published[:, np.newaxis])[0]
    pairs = np.unique(np.stack([behaviour, segment], axis=1), axis=0)
    torn = np.bincount(pairs[:, 0], minlength=len(sizes)) > 1
    scores, counts = np.unique(ranked.frequency[orders == 1], return_counts=True)
    return Split(
        int(torn.sum()),
        int(sizes[torn].sum()),
        dict(zip(scores.tolist(), counts.tolist(), strict=True)),
        int((published != np.array(cut.segments())).sum()),
    )


def _numbered(rows: NDArray[np.generic]) -> tuple[Ints, Ints]:
    """The number of each row among the different ones, and how many rows are equal to each of these."""
    _, numbers, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(numbers, np.int64).ravel(), counts
