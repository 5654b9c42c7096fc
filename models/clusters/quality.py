"""How good a clustering is: silhouette, Davies-Bouldin, agreement of two groupings, stability under resampling.

References: Rousseeuw (1987), Silhouettes; Davies and Bouldin (1979), A Cluster Separation Measure; Hubert and Arabie
(1985), Comparing Partitions; Ben-Hur, Elisseeff and Guyon (2002), A Stability Based Method for Discovering Structure.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.clusters.nearest import distances_squared, nearest
from models.clusters.seeding import seed_centers

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

RESAMPLES = 2  # halves of the sample that are clustered anew


def silhouette(z: Floats, prototypes: Floats) -> float:
    """Return the mean simplified silhouette of z [n, F]: 1 far from every other prototype, 0 on a border.

    Simplified: distances are to prototypes and not to all members, so it costs n x k. 0 with one prototype.
    """
    if len(prototypes) < 2 or not len(z):  # noqa: PLR2004 - one cluster has no border
        return 0.0
    two = np.sqrt(np.partition(distances_squared(z, prototypes), 1, axis=1)[:, :2])
    return float(np.mean(1.0 - two[:, 0] / np.maximum(two[:, 1], 1e-12)))  # equal prototypes: on the border


def davies_bouldin(z: Floats, prototypes: Floats) -> float:
    """Return the mean over clusters of the worst (spread + spread) / distance; small is good; 0 with one prototype."""
    if len(prototypes) < 2:  # noqa: PLR2004 - as above
        return 0.0
    labels, squared = nearest(z, prototypes)
    members = np.maximum(np.bincount(labels, minlength=len(prototypes)), 1)
    spread = np.bincount(labels, weights=np.sqrt(squared), minlength=len(prototypes)) / members
    apart = np.sqrt(distances_squared(prototypes, prototypes))
    np.fill_diagonal(apart, np.inf)
    return float(((spread[:, None] + spread[None, :]) / np.maximum(apart, 1e-12)).max(axis=1).mean())


def adjusted_rand_index(left: Labels, right: Labels) -> float:
    """Return Hubert and Arabie's index of two groupings: 1 for the same, about 0 for chance."""
    table = np.zeros((int(left.max()) + 1, int(right.max()) + 1))
    np.add.at(table, (left, right), 1.0)
    both, rows, columns = _pairs(table), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    chance = rows * columns / _pairs(np.array([float(len(left))]))
    most = (rows + columns) / 2.0
    return 1.0 if most == chance else (both - chance) / (most - chance)  # one group each: the same grouping


def _pairs(n: Floats) -> float:
    return float((n * (n - 1.0) / 2.0).sum())


def stability(z: Floats, prototypes: Floats, seed: int) -> float:
    """Return how far halves of z, clustered anew, group z as `prototypes` do: the mean adjusted Rand index."""
    labels, count = nearest(z, prototypes)[0], len(prototypes)
    found = []
    for part in range(RESAMPLES):
        half = z[part::RESAMPLES]
        again = seed_centers(half, count, seed + part)
        found.append(adjusted_rand_index(labels, nearest(z, again)[0]))
    return float(np.mean(found))
