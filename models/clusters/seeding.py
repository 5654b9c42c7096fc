"""Where a learner starts: k-means++ over the warm-up vectors, polished by a few batch rounds.

Reference: Arthur and Vassilvitskii (2007), k-means++: The Advantages of Careful Seeding, section 2.2.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.clusters.learner import Center
from models.clusters.nearest import BLOCK, LANES, columns, fill_means, fill_nearest, measured, nearest, room
from models.compiled import kernel

Floats = npt.NDArray[np.float64]

TRIES = 8  # of one random start in three some miss a blob; of eight starts the best does not
DRAWS = 4  # vectors drawn for each center, of which the best is taken: greedy k-means++, as its authors ran it
ROUNDS = 10  # Lloyd rounds after seeding: the centers of a few hundred vectors have settled by then


def start_centers(z: Floats, prior: Sequence[Center], count: int, seed: int) -> Floats:
    """Return up to `count` centers to start from: the heaviest of `prior` completed from z [n, F], or seeded anew."""
    if not prior:
        return seed_centers(z, count, seed)
    heaviest = sorted(prior, key=lambda center: -center.weight)[:count]
    rng = random.Random(seed)  # noqa: S311 - reproducible choice, not a secret
    return extend_centers(z, np.array([center.prototype for center in heaviest]), count, rng)


def seed_centers(z: Floats, count: int, seed: int) -> Floats:
    """Return up to `count` centers of the scaled vectors z [n, F]: the best of a few seeded starts.

    Fewer come back when z has fewer distinct vectors. The same arguments give the same centers on every host:
    random.Random's sequence is part of Python's contract, numpy's generators are not.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible choice, not a secret
    best, best_inertia = z[:0], float("inf")
    for _ in range(TRIES):
        centers = settle(z, extend_centers(z, z[:0], count, rng), ROUNDS)
        inertia = float(nearest(z, centers)[1].sum())
        if inertia < best_inertia:
            best, best_inertia = centers, inertia
    return best


def extend_centers(z: Floats, centers: Floats, count: int, rng: random.Random) -> Floats:
    """Return `centers` plus vectors of z, each drawn with odds of its squared distance, until there are
    `count`.
    """
    chosen = np.empty((max(count, len(centers), 1), z.shape[1]))
    chosen[: len(centers)] = centers
    have = len(centers)
    if not have:
        chosen[0], have = z[int(rng.random() * len(z))], 1
    before = rng.getstate()
    odds = np.array([[rng.random() for _ in range(DRAWS)] for _ in range(have, count)]).reshape(-1, DRAWS)
    squared = nearest(z, chosen[:have])[1]
    found = int(_extend(columns(z), chosen, have, odds, squared, np.empty((DRAWS + 1, len(z))), room()))
    if found < len(odds):  # only so many were drawn
        rng.setstate(before)
        for _ in range(found * DRAWS):
            rng.random()
    return chosen[: min(count, have + found)]


def settle(z: Floats, centers: Floats, rounds: int) -> Floats:
    """Return centers moved to the means of their members, at most so many rounds (Lloyd)."""
    moved = np.array(centers, np.float64)
    sums, members = np.empty_like(moved), np.empty(len(moved), np.int64)
    labels, squared = np.empty(len(z), np.int64), np.empty(len(z))
    _settle(np.ascontiguousarray(z), columns(z), moved, rounds, sums, members, labels, squared, room())
    return moved


@kernel
def _extend(columns: Any, chosen: Any, have: int, odds: Any, squared: Any, scratch: Any, block: Any) -> int:
    """Draw vectors of columns [F, n] into chosen[have:], the best of each row of odds; returns how many there were.

    `squared` [n] are the distances to the centers so far; `scratch` is [draws + 1, n].
    """
    total = scratch[len(scratch) - 1]
    for c in range(len(odds)):
        in_all = 0.0
        for i in range(len(squared)):
            in_all += squared[i]
            total[i] = in_all
        if not in_all > 0.0:
            return c  # every vector sits on a center already
        best, least, best_row, place = 0, np.inf, 0, have + c
        for d in range(odds.shape[1]):
            row = min(np.searchsorted(total, odds[c, d] * in_all, side="right"), len(squared) - 1)
            for j in range(len(columns)):  # each draw in the place of the center: the best goes there again
                chosen[place, j] = columns[j, row]
            left = _left(columns, chosen, place, squared, scratch[d], block)
            if left < least:
                best, least, best_row = d, left, row
        for j in range(len(columns)):
            chosen[place, j] = columns[j, best_row]
        for i in range(len(squared)):
            squared[i] = scratch[best, i]
    return len(odds)


@kernel
def _left(columns: Any, centers: Any, k: int, squared: Any, left: Any, block: Any) -> float:
    """What stays of the squared distances with centers[k] too, for each vector and in all."""
    in_all = 0.0
    for start in range(0, len(squared), BLOCK):
        count = min(BLOCK, len(squared) - start)
        measured(columns, start, count, centers, k, block)
        before, after, total = squared[start : start + count], left[start : start + count], block[LANES]
        for b in range(count):
            after[b] = min(before[b], total[b])
        for b in range(count):
            in_all += after[b]
    return in_all


@kernel
def _settle(
    z: Any, columns: Any, centers: Any, rounds: int, sums: Any, members: Any, labels: Any, squared: Any, block: Any
) -> None:
    for _ in range(rounds):
        fill_nearest(columns, centers, block, labels, squared)
        sums[:], members[:] = 0.0, 0
        fill_means(z, labels, members, sums)
        moved = False
        for k in range(len(centers)):
            for j in range(z.shape[1]):
                if members[k] > 0 and sums[k, j] != centers[k, j]:
                    centers[k, j], moved = sums[k, j], True
        if not moved:
            return
