"""The guard against over-segmentation: no published cluster is too small or too close to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.clusters.learner import Center
from models.clusters.nearest import nearest

Floats = npt.NDArray[np.float64]


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
