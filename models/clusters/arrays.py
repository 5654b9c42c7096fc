"""The snapshot as one fixed-layout numpy record: what the kernel reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.clusters.shape import CLUSTERS_MAX, CUT_COUNTS, FEATURES_MAX, Snapshot, check
from models.compiled import records

NEVER_CLIP = 1e300  # without a model nothing is scaled; a finite bound keeps the record free of infinities

MODEL = np.dtype(
    [
        ("version", np.int64),  # 0: no model yet
        ("feature_count", np.int64),
        ("center", np.float64, (FEATURES_MAX,)),
        ("scale", np.float64, (FEATURES_MAX,)),
        ("clip", np.float64),
        ("cluster_count", np.int64),  # 0: everybody is unassigned
        ("cluster_id", np.int64, (CLUSTERS_MAX,)),
        ("prototype", np.float64, (CLUSTERS_MAX, FEATURES_MAX)),
        ("reach_squared", np.float64, (CLUSTERS_MAX,)),  # farther away a customer is unassigned
        ("cut_recency_days", np.float64, (CUT_COUNTS["recency_days"],)),
        ("cut_orders", np.float64, (CUT_COUNTS["orders"],)),
        ("cut_spend", np.float64, (CUT_COUNTS["spend"],)),
        ("cut_value", np.float64, (CUT_COUNTS["value"],)),
    ],
    align=True,  # the compiled kernel reads aligned fields
)

ModelRecord = np.ndarray[Any, np.dtype[Any]]


def to_arrays(snapshot: Snapshot, defaults: Mapping[str, Sequence[float]]) -> ModelRecord:
    """Return the snapshot as a record array of length 1; cuts it lacks come from `defaults`.

    Raises ValueError for a snapshot or defaults outside the limits.
    """
    check(snapshot)
    record = empty_arrays({**defaults, **snapshot.cuts}, len(snapshot.features))
    row, count = record[0], len(snapshot.features)
    row["version"] = snapshot.version
    row["center"][:count] = snapshot.center
    row["scale"][:count] = snapshot.scale
    row["clip"] = snapshot.clip
    row["cluster_count"] = len(snapshot.clusters)
    for position, cluster in enumerate(snapshot.clusters):
        row["cluster_id"][position] = cluster.id
        row["prototype"][position, :count] = cluster.prototype
        if snapshot.reach_radii > 0.0 and cluster.radius > 0.0:
            row["reach_squared"][position] = (snapshot.reach_radii * cluster.radius) ** 2
    return record


def empty_arrays(cuts: Mapping[str, Sequence[float]], feature_count: int) -> ModelRecord:
    """Return the record of length 1 before any snapshot: no clusters, so everybody is unassigned.

    Raises ValueError when a cut is missing, has the wrong count, is not finite or decreases.
    """
    if not 1 <= feature_count <= FEATURES_MAX:
        msg = f"feature_count must be 1 to {FEATURES_MAX}, is {feature_count}"
        raise ValueError(msg)
    record: ModelRecord = records(np.zeros(1, dtype=MODEL))
    row = record[0]
    row["feature_count"] = feature_count
    row["scale"] = 1.0  # also behind the last feature, so that no division by zero can hide there
    row["clip"] = NEVER_CLIP
    row["reach_squared"] = NEVER_CLIP
    for name, count in CUT_COUNTS.items():
        row[f"cut_{name}"] = _cut_values(cuts, name, count)
    return record


def _cut_values(cuts: Mapping[str, Sequence[float]], name: str, count: int) -> list[float]:
    values = [float(value) for value in cuts.get(name, ())]
    if len(values) != count or not np.isfinite(values).all() or values != sorted(values):
        msg = f"cuts.{name}: expected {count} finite numbers that do not decrease, found {values}"
        raise ValueError(msg)
    return values
