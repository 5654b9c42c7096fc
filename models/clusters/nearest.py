"""Nearest prototype over many vectors: the reservoir's view of a clustering (the kernel scores customers)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def distances_squared(z: Floats, prototypes: Floats) -> Floats:
    """Return squared Euclidean distances [n, k] of scaled vectors [n, F] to prototypes [k, F]."""
    out = np.empty((len(z), len(prototypes)))
    for position, prototype in enumerate(prototypes):  # one column at a time: memory stays n x F
        out[:, position] = ((z - prototype) ** 2).sum(axis=1)
    return out


def nearest(z: Floats, prototypes: Floats) -> tuple[Labels, Floats]:
    """Return for each vector the position of the nearest prototype (the first of equals) and its squared
    distance.
    """
    squared = distances_squared(z, prototypes)
    labels = squared.argmin(axis=1).astype(np.int64)
    return labels, squared[np.arange(len(z)), labels]
