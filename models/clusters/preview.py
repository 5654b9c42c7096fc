"""The shadow: what a snapshot would do to customers if it were adopted, before it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clusters.nearest import nearest

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Leaving:
    """One cluster in force: the share of its sampled customers that would leave it, and of their spend."""

    id: int
    share_moved: float
    revenue_moved: float


@dataclass(frozen=True, slots=True)
class Preview:
    """Shares (0..1) of all sampled customers, and of their spend, that would change cluster; and cluster by cluster."""

    share_moved: float
    revenue_moved: float
    clusters: tuple[Leaving, ...]


def preview(old_ids: Labels, new_ids: Labels, spend: Floats) -> Preview:
    """Compare the cluster ids of sampled customers under two snapshots; `spend` [n] weighs them (negative counts 0)."""
    weight = np.maximum(spend, 0.0)
    moved = old_ids != new_ids
    return Preview(
        float(moved.mean()) if len(moved) else 0.0,
        _part(weight, moved),
        tuple(
            Leaving(int(i), float(moved[old_ids == i].mean()), _part(weight[old_ids == i], moved[old_ids == i]))
            for i in np.unique(old_ids)
        ),
    )


def _part(weight: Floats, chosen: npt.NDArray[np.bool_]) -> float:
    total = float(weight.sum())
    return float(weight[chosen].sum()) / total if total > 0.0 else 0.0


def ids_of(z: Floats, prototypes: Floats, ids: tuple[int, ...], reach: Floats | None = None) -> Labels:
    """Return the cluster id of each scaled vector; 0 (unassigned) beyond the squared `reach` of its cluster."""
    labels, squared = nearest(z, prototypes)
    found = np.asarray(ids, dtype=np.int64)[labels]
    return found if reach is None else np.where(squared <= reach[labels], found, 0)
