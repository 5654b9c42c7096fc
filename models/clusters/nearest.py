"""Nearest prototype over many vectors: the reservoir's view of a clustering (the kernel scores customers).

Compiled, with the additions in numpy's own order: the same bits as the expressions of numpy that each stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.compiled import inlined, kernel

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

LANES = 8  # numpy adds up a row of at least so many numbers in so many sums of their own (pairwise_sum)


@inlined
def _squared(z: Any, i: int, prototypes: Any, k: int) -> float:
    """The squared distance of z[i] to prototypes[k], as numpy has `((z[i] - prototypes[k]) ** 2).sum()`."""
    width, total, whole = z.shape[1], 0.0, 0
    if width >= LANES:
        whole = width - width % LANES
        a = b = c = d = e = f = g = h = 0.0
        for j in range(0, whole, LANES):
            a += _square(z[i, j] - prototypes[k, j])
            b += _square(z[i, j + 1] - prototypes[k, j + 1])
            c += _square(z[i, j + 2] - prototypes[k, j + 2])
            d += _square(z[i, j + 3] - prototypes[k, j + 3])
            e += _square(z[i, j + 4] - prototypes[k, j + 4])
            f += _square(z[i, j + 5] - prototypes[k, j + 5])
            g += _square(z[i, j + 6] - prototypes[k, j + 6])
            h += _square(z[i, j + 7] - prototypes[k, j + 7])
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for j in range(whole, width):
        total += _square(z[i, j] - prototypes[k, j])
    return total


@inlined
def _square(x: float) -> float:
    return x * x


@kernel
def _fill_distances(z: Any, prototypes: Any, out: Any) -> None:
    for i in range(len(z)):
        for k in range(len(prototypes)):
            out[i, k] = _squared(z, i, prototypes, k)


@kernel
def _fill_nearest(z: Any, prototypes: Any, labels: Any, squared: Any) -> None:
    for i in range(len(z)):
        best, least = 0, _squared(z, i, prototypes, 0)
        for k in range(1, len(prototypes)):
            distance = _squared(z, i, prototypes, k)
            if distance < least:
                best, least = k, distance
        labels[i], squared[i] = best, least


@kernel
def _fill_means(z: Any, labels: Any, counts: Any, out: Any) -> None:
    for i in range(len(z)):
        k = labels[i]
        counts[k] += 1
        for j in range(z.shape[1]):
            out[k, j] += z[i, j]
    for k in range(len(counts)):
        for j in range(z.shape[1]):
            if counts[k] > 0:
                out[k, j] /= counts[k]


def distances_squared(z: Floats, prototypes: Floats) -> Floats:
    """Return squared Euclidean distances [n, k] of scaled vectors [n, F] to prototypes [k, F]."""
    out = np.empty((len(z), len(prototypes)))
    _fill_distances(_rows(z), _rows(prototypes), out)
    return out


def nearest(z: Floats, prototypes: Floats) -> tuple[Labels, Floats]:
    """Return for each vector [n, F] the position of the nearest of one or more prototypes [k, F] (the first of
    equals) and its squared distance.
    """
    labels, squared = np.empty(len(z), np.int64), np.empty(len(z))
    _fill_nearest(_rows(z), _rows(prototypes), labels, squared)
    return labels, squared


def means(z: Floats, labels: Labels, count: int) -> tuple[Floats, Labels]:
    """Return the mean of the vectors [n, F] of each of `count` labels, and how many it has; zeros where none."""
    out, counts = np.zeros((count, z.shape[1])), np.zeros(count, np.int64)
    _fill_means(_rows(z), labels, counts, out)
    return out, counts


def warm() -> None:
    """Compile all of this now (seconds the first time)."""
    one = np.zeros((1, 1))
    distances_squared(one, one)
    means(one, nearest(one, one)[0], 1)


def _rows(vectors: Floats) -> Floats:
    return np.ascontiguousarray(vectors, dtype=np.float64)
