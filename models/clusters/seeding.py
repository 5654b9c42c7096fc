"""Where a learner starts: k-means++ over the warm-up vectors, polished by a few batch rounds.

Reference: Arthur and Vassilvitskii (2007), k-means++: The Advantages of Careful Seeding, section 2.2.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.clusters.learner import Center
from models.clusters.nearest import distances_squared, means, nearest

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
    chosen = [*centers]
    if not chosen:
        chosen.append(z[int(rng.random() * len(z))])
    squared = nearest(z, np.array(chosen))[1]
    while len(chosen) < count:
        total = np.cumsum(squared)
        if not total[-1] > 0.0:
            break  # every vector sits on a center already
        drawn = [int(np.searchsorted(total, rng.random() * total[-1], side="right")) for _ in range(DRAWS)]
        picks = z[np.minimum(drawn, len(z) - 1)]
        left = np.minimum(squared[:, None], distances_squared(z, picks))
        best = int(left.sum(axis=0).argmin())
        chosen.append(picks[best])
        squared = left[:, best]
    return np.array(chosen[:count])


def settle(z: Floats, centers: Floats, rounds: int) -> Floats:
    """Return centers moved to the means of their members, at most so many rounds (Lloyd)."""
    for _ in range(rounds):
        middle, members = means(z, nearest(z, centers)[0], len(centers))
        moved = np.where(members[:, None] > 0, middle, centers)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers
