"""Nearest prototype over many vectors: the reservoir's view of a clustering (the kernel scores customers).

Compiled, with the additions in numpy's own order: the same bits as the expressions of numpy that each stands for.
Vectors are taken BLOCK at a time, feature by feature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.compiled import inlined, kernel

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

LANES = 8  # numpy adds up a row of at least so many numbers in so many sums of their own (pairwise_sum)
BLOCK = 128  # vectors at a time: what is computed with lies in the nearest cache


@inlined
def measured(columns: Any, start: int, count: int, prototypes: Any, k: int, block: Any) -> None:
    """The squared distances of vectors [start, start + count) to prototypes[k], as numpy has
    `((z[i] - prototypes[k]) ** 2).sum()` for each; they stand in block[LANES]. `columns` [F, n] are the vectors.
    """
    width, total = len(columns), block[LANES]
    whole = width - width % LANES
    for j in range(whole):
        row, lane, p = columns[j, start : start + count], block[j % LANES], prototypes[k, j]
        if j < LANES:
            for b in range(count):
                lane[b] = (row[b] - p) * (row[b] - p)
        else:
            for b in range(count):
                lane[b] += (row[b] - p) * (row[b] - p)
    for b in range(count):
        total[b] = 0.0
        if whole:
            total[b] = ((block[0, b] + block[1, b]) + (block[2, b] + block[3, b])) + (
                (block[4, b] + block[5, b]) + (block[6, b] + block[7, b])
            )
    for j in range(whole, width):
        row, p = columns[j, start : start + count], prototypes[k, j]
        for b in range(count):
            total[b] += (row[b] - p) * (row[b] - p)


@kernel
def _fill_distances(columns: Any, prototypes: Any, block: Any, out: Any) -> None:
    for start in range(0, len(out), BLOCK):
        count = min(BLOCK, len(out) - start)
        for k in range(len(prototypes)):
            measured(columns, start, count, prototypes, k, block)
            for b in range(count):
                out[start + b, k] = block[LANES, b]


@kernel
def fill_nearest(columns: Any, prototypes: Any, block: Any, labels: Any, squared: Any) -> None:
    """The position of the nearest prototype of each vector and its squared distance."""
    for start in range(0, len(labels), BLOCK):
        count = min(BLOCK, len(labels) - start)
        label, least, total = labels[start : start + count], squared[start : start + count], block[LANES]
        for k in range(len(prototypes)):
            measured(columns, start, count, prototypes, k, block)
            for b in range(count):
                less = k == 0 or total[b] < least[b]
                least[b] = total[b] if less else least[b]
                label[b] = k if less else label[b]


@kernel
def fill_means(z: Any, labels: Any, counts: Any, out: Any) -> None:
    """The mean of the vectors of each label, and how many it has, into zeros."""
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
    _fill_distances(columns(z), _rows(prototypes), room(), out)
    return out


def nearest(z: Floats, prototypes: Floats) -> tuple[Labels, Floats]:
    """Return for each vector [n, F] the position of the nearest of one or more prototypes [k, F] (the first of
    equals) and its squared distance.
    """
    labels, squared = np.empty(len(z), np.int64), np.empty(len(z))
    fill_nearest(columns(z), _rows(prototypes), room(), labels, squared)
    return labels, squared


def columns(z: Floats) -> Floats:
    """Vectors [n, F] as the kernels here take them: [F, n], so that a processor computes with several at once."""
    return np.ascontiguousarray(z.T, dtype=np.float64)


def room() -> Floats:
    """What the kernels here compute in: the lanes and their sums, of a block of vectors."""
    return np.empty((LANES + 1, BLOCK))


def _rows(vectors: Floats) -> Floats:
    return np.ascontiguousarray(vectors, dtype=np.float64)
