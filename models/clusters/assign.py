"""The cluster of a row: the nearest prototype of the model snapshot, held by a margin."""

from __future__ import annotations

from typing import Any

from models.compiled import inlined, kernel, stand_apart
from models.features.compute import vector

UNASSIGNED = 0  # the cluster code before there is a model
NOBODY = -1  # no runner-up
FAR = 1e300  # a squared distance no prototype has


@inlined
def scale_into(model: Any, raw: Any, z: Any) -> None:
    """Scaled and clipped coordinates of a raw vector."""
    most = model["clip"]  # not model.clip: uncompiled, that is the method of every numpy record
    for j in range(model.feature_count):
        x = (raw[j] - model.center[j]) / model.scale[j]
        z[j] = min(max(x, -most), most)


@inlined
def squared_distance(model: Any, place: int, z: Any) -> float:
    """Squared Euclidean distance of scaled coordinates to the prototype at `place`."""
    total = 0.0
    for j in range(model.feature_count):
        x = z[j] - model.prototype[place, j]
        total += x * x
    return total


@inlined
def place_of(model: Any, cluster: int) -> int:
    """Where a cluster id stands in the snapshot, or -1."""
    for k in range(model.cluster_count):
        if model.cluster_id[k] == cluster:
            return k
    return -1


@kernel
def nearest(row: Any, now: int, model: Any, margin: float, current: int, raw: Any, z: Any) -> tuple[int, int, float]:
    """(cluster id, runner-up id, confidence 0..1) of a row at `now`; fills raw and z.

    The current cluster stays unless another is nearer by the share `margin` of the distance. Confidence is
    how much nearer the chosen prototype is than the best other one, 0 on the border; it is 0 when the margin
    alone holds. Beyond the cluster's reach a customer is unassigned, and one who is in it stays by the margin.
    """
    stand_apart()
    vector(row, now, raw)
    if model.cluster_count == 0:
        return UNASSIGNED, NOBODY, 0.0
    scale_into(model, raw, z)
    best, second = -1, -1
    best_distance, second_distance = FAR, FAR
    for k in range(model.cluster_count):
        distance = squared_distance(model, k, z)
        if distance < best_distance:
            second, second_distance = best, best_distance
            best, best_distance = k, distance
        elif distance < second_distance:
            second, second_distance = k, distance
    other = model.cluster_id[second] if second >= 0 else NOBODY
    reach = 1.0 + margin if model.cluster_id[best] == current else 1.0
    if best_distance > reach * reach * model.reach_squared[best]:
        return UNASSIGNED, model.cluster_id[best], 0.0
    held = place_of(model, current)
    if held >= 0 and held != best:
        hold = 1.0 - margin
        if best_distance > hold * hold * squared_distance(model, held, z):
            return current, model.cluster_id[best], 0.0
    confidence = 1.0 if second < 0 else 1.0 - (best_distance / second_distance if second_distance > 0.0 else 1.0)
    return model.cluster_id[best], other, confidence
