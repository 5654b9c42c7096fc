"""Which new prototype is which old cluster: River renumbers, ids must not.

References: Kuhn (1955), The Hungarian Method; Spiliopoulou et al. (2006), MONIC, section 3 (cluster
transitions).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

SAME_MIN = 0.5  # Jaccard overlap that makes two clusters one, however far apart: most members stayed
SAME_NEVER = 0.1  # overlap under which they are two, however close: an id must not jump to others
FORBIDDEN = 1e6  # cost of a pair that must not match; an allowed one costs at most a few


def contingency(old_labels: Labels, old_count: int, new_labels: Labels, new_count: int) -> Floats:
    """Return how many sampled customers are in old cluster i and new cluster j, as floats [old, new]."""
    pairs = np.bincount(old_labels * new_count + new_labels, minlength=old_count * new_count)
    return pairs.reshape(old_count, new_count).astype(np.float64)


def jaccard(both: Floats) -> Floats:
    """Return the Jaccard overlap [old, new] of clusters, from the counts `contingency` gives.

    A cluster without any sampled member says nothing about overlap: its pairs are NaN.
    """
    old, new = both.sum(axis=1, keepdims=True), both.sum(axis=0, keepdims=True)
    known = (old > 0) & (new > 0)
    return np.where(known, both / np.maximum(old + new - both, 1.0), np.nan)


def match(
    old_ids: Sequence[int],
    old: Floats,
    new: Floats,
    *,
    distance_limit: float,
    next_id: int,
    overlap: Floats | None = None,
) -> tuple[tuple[int, ...], int]:
    """Return an id for each new prototype, and the next id never given out.

    Matched one to one at the least total distance and the most overlap; a pair further apart than
    `distance_limit` (scaled units) matches only if it kept half of its members, and a close pair without
    common members does not match. The rest get fresh ids. The order of the prototypes changes nothing: equal
    ids go to equal places. `overlap`: as `jaccard` gives it. Raises ValueError for an old id at or above
    `next_id`.
    """
    if max(old_ids, default=0) >= next_id:
        msg = f"identity: next_id {next_id} was given out already: {sorted(old_ids)}"
        raise ValueError(msg)
    new_order, old_order = _canonical(new), np.argsort(np.asarray(old_ids, dtype=np.int64), kind="stable")
    found: dict[int, int] = {}
    if len(old_ids) and len(new):
        cost = _costs(old, new, distance_limit, overlap)[np.ix_(old_order, new_order)]
        for row, column in zip(*_least_cost(cost), strict=True):
            if cost[row, column] < FORBIDDEN:
                found[int(new_order[column])] = old_ids[int(old_order[row])]
    for position in new_order.tolist():
        if position not in found:
            found[position] = next_id
            next_id += 1
    return tuple(found[position] for position in range(len(new))), next_id


def pairing(old: Floats, new: Floats) -> Labels:
    """Return for each old prototype the position of its partner among as many new ones, at the least total distance."""
    squared = ((old[:, None, :] - new[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(_least_cost(squared)[1], dtype=np.int64)


def _least_cost(cost: Floats) -> tuple[Labels, Labels]:
    """Rows and columns of the cheapest assignment. Imported here: 37 MB that only a trainer needs."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - see above

    rows, columns = linear_sum_assignment(cost)
    return rows, columns


def _costs(old: Floats, new: Floats, limit: float, overlap: Floats | None) -> Floats:
    distance = np.sqrt(((old[:, None, :] - new[None, :, :]) ** 2).sum(axis=2)) / limit
    if overlap is None:
        return np.where(distance <= 1.0, distance, FORBIDDEN)
    known = ~np.isnan(overlap)
    shared = np.where(known, overlap, 0.0)
    allowed = np.where(known, (shared >= SAME_MIN) | ((distance <= 1.0) & (shared >= SAME_NEVER)), distance <= 1.0)
    cost = np.minimum(distance, 1.0) + (1.0 - shared)  # beyond the limit members alone decide
    return np.where(allowed, cost, FORBIDDEN)


def _canonical(prototypes: Floats) -> Labels:
    """Return positions in lexicographic order of the prototypes, so that ties fall the same way always."""
    if not len(prototypes):
        return np.zeros(0, dtype=np.int64)
    return np.lexsort(prototypes.T[::-1]).astype(np.int64)
