"""The guard against over-segmentation: no published cluster is too small or too close to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.clusters.learner import Center
from models.clusters.nearest import nearest
from models.clusters.quality import silhouette
from models.clusters.seeding import seed_centers

Floats = npt.NDArray[np.float64]

SPLIT_MIN = 5.0  # one heap cut in the middle has D 2.7, two that just show have 2; from 5 on nobody lies between
SPLIT_COST = 0.04  # silhouette; as near as two numbers of clusters may be to count as equally clear
HALF_MIN = 25  # members; fewer form heaps by chance


def consolidate(centers: Sequence[Center], z: Floats, share_min: float, closeness_min: float) -> Floats:
    """Return the prototypes [k, F] worth publishing, at least one if there is any center.

    First centers closer to each other than `closeness_min` times their mean radius on the scaled sample z
    become one, at their mean weighted by members; then the smallest with under `share_min` of the sample
    leaves, its members going to their next nearest, until none is left to change.
    """
    prototypes = np.array([center.prototype for center in centers]).reshape(len(centers), z.shape[1])
    while len(prototypes) > 1:
        labels, squared = nearest(z, prototypes)
        members = np.bincount(labels, minlength=len(prototypes)).astype(np.float64)
        pair = _too_close(prototypes, members, labels, squared, closeness_min)
        if pair is not None:
            prototypes = _joined(prototypes, members, *pair)
        elif members.min() < share_min * len(z):
            prototypes = np.delete(prototypes, int(members.argmin()), axis=0)
        else:
            break
    return prototypes


def divided(prototypes: Floats, z: Floats, share_min: float, seed: int) -> Floats:
    """Return the prototypes with the clearest cluster that hides two groups replaced by both, if there is one.

    A cluster hides two when its members, split in two, lie on the line between the halves as two separate heaps:
    Ashman's D of at least SPLIT_MIN, each half of at least `share_min` of z. A split after which the clusters are less
    clear as a whole only cuts at a number that some have and others do not: it is not made.
    Reference: Ashman, Bird and Zepf (1994), Detecting Bimodality in Astronomical Datasets.
    """
    labels = nearest(z, prototypes)[0]
    best, found = SPLIT_MIN, None
    for place in range(len(prototypes)):
        members = z[labels == place]
        if len(members) < 2 * share_min * len(z) or len(members) < 2 * HALF_MIN:
            continue
        halves = seed_centers(members, 2, seed)
        apart = ashman(members, halves, max(share_min * len(z), HALF_MIN)) if len(halves) > 1 else 0.0
        if apart >= best:
            best, found = apart, (place, halves)
    if found is None:
        return prototypes
    parts = np.concatenate([np.delete(prototypes, found[0], axis=0), found[1]])
    clear = len(prototypes) == 1 or silhouette(z, parts) >= silhouette(z, prototypes) - SPLIT_COST
    return parts if clear else prototypes


def ashman(members: Floats, halves: Floats, count_min: float) -> float:
    """Return Ashman's D of members projected on the line between two centers; 0 if a half has under `count_min`."""
    first = nearest(members, halves)[0] == 0
    if min(first.sum(), (~first).sum()) < count_min:
        return 0.0
    line = members @ (halves[1] - halves[0])
    one, other = line[first], line[~first]
    spread = np.sqrt((one.var() + other.var()) / 2.0)
    return float(abs(one.mean() - other.mean()) / spread) if spread > 0.0 else float("inf")


def radii(labels: npt.NDArray[np.int64], squared: Floats, count: int) -> Floats:
    """Return each cluster's root mean square distance of members to prototype; 0 without members."""
    members = np.bincount(labels, minlength=count)
    total = np.bincount(labels, weights=squared, minlength=count)
    return np.sqrt(total / np.maximum(members, 1))


def _too_close(
    prototypes: Floats, members: Floats, labels: npt.NDArray[np.int64], squared: Floats, closeness_min: float
) -> tuple[int, int] | None:
    radius = radii(labels, squared, len(prototypes))
    worst, pair = closeness_min, None
    for i in range(len(prototypes)):
        for j in range(i + 1, len(prototypes)):
            if members[i] == 0.0 or members[j] == 0.0:
                continue  # an empty one has no radius to judge by; it leaves for its size
            distance = float(np.sqrt(((prototypes[i] - prototypes[j]) ** 2).sum()))
            spread = float(radius[i] + radius[j]) / 2.0
            closeness = distance / spread if spread > 0.0 else np.inf  # points, not clouds, never touch
            if closeness < worst:
                worst, pair = closeness, (i, j)
    return pair


def _joined(prototypes: Floats, members: Floats, i: int, j: int) -> Floats:
    mean = (prototypes[i] * members[i] + prototypes[j] * members[j]) / (members[i] + members[j])
    kept = np.delete(prototypes, j, axis=0)
    kept[i] = mean
    return kept
