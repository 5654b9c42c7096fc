"""A snapshot's clusters as successors of the previous snapshot's: ids, lineage and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.clusters.guard import radii
from models.clusters.identity import contingency, jaccard, match
from models.clusters.lineage import transitions
from models.clusters.nearest import nearest
from models.clusters.personas import Words, distinct_label, outlived
from models.clusters.scaling import Scaling, translate
from models.clusters.shape import Cluster, Snapshot, Transition

UNSEEN = 1e9  # a scale in which no value of a feature shows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Succession:
    """The clusters of a new snapshot in order of their ids, what became of the old ones, and the next free
    id.
    """

    clusters: tuple[Cluster, ...]
    lineage: tuple[Transition, ...]
    next_id: int


def scaling_of(snapshot: Snapshot) -> Scaling:
    """Return the scaling frozen in a snapshot."""
    return Scaling(center=snapshot.center, scale=snapshot.scale, clip=snapshot.clip)


def widened(snapshot: Snapshot, features: tuple[str, ...]) -> Snapshot:
    """Return a snapshot of the first of `features` as one of them all that gives every vector the same cluster."""
    count = len(snapshot.features)
    if snapshot.features == features or snapshot.features != features[:count]:
        return snapshot
    more = (0.0,) * (len(features) - count)
    clusters = tuple(replace(one, prototype=(*one.prototype, *more)) for one in snapshot.clusters)
    scale = (*snapshot.scale, *(UNSEEN for _ in more))
    return replace(snapshot, features=features, center=(*snapshot.center, *more), scale=scale, clusters=clusters)


def succeed(
    prototypes: Floats,
    raw: Floats,
    scaling: Scaling,
    *,
    features: tuple[str, ...],
    previous: Snapshot | None,
    distance_limit: float,
    next_id: int = 1,
) -> Succession:
    """Return named-by-id clusters for new prototypes, matched to the previous snapshot on the raw sample.

    Clusters that keep their id keep their label; new ones have the label "" still (see `with_labels`). A
    previous snapshot of other features cannot be compared: its clusters disappear and their ids stay taken.
    """
    labels, squared = nearest(scaling.apply(raw), prototypes)
    old = previous.clusters if previous else ()
    next_id = max(next_id, previous.next_id if previous else 1)
    if previous is not None and old and previous.features == features:
        old_scaling, old_z = scaling_of(previous), np.array([cluster.prototype for cluster in old])
        old_labels = nearest(old_scaling.apply(raw), old_z)[0]
        both = contingency(old_labels, len(old), labels, len(prototypes))
        places = translate(old_z, old_scaling, scaling)
        old_ids = [cluster.id for cluster in old]
        ids, next_id = match(
            old_ids, places, prototypes, distance_limit=distance_limit, next_id=next_id, overlap=jaccard(both)
        )
    else:
        both = np.zeros((len(old), len(prototypes)))
        ids, next_id = match([], prototypes[:0], prototypes, distance_limit=distance_limit, next_id=next_id)
    names = {cluster.id: cluster.label for cluster in old}
    shares = np.bincount(labels, minlength=len(prototypes)) / len(raw)
    spread = radii(labels, squared, len(prototypes))
    clusters = [
        Cluster(ids[j], tuple(prototypes[j].tolist()), float(shares[j]), float(spread[j]), names.get(ids[j], ""))
        for j in sorted(range(len(ids)), key=lambda j: ids[j])
    ]
    return Succession(tuple(clusters), transitions([cluster.id for cluster in old], ids, both), next_id)


def with_labels(snapshot: Snapshot, z: Floats, words: Words) -> Snapshot:
    """Return the snapshot with a distinct label for every cluster without a true one; z is the scaled sample."""
    means = z.mean(axis=0).tolist()
    taken = {cluster.label for cluster in snapshot.clusters}
    clusters = []
    for cluster in snapshot.clusters:
        keeps = cluster.label and not outlived(cluster, snapshot, means, words)
        name = cluster.label if keeps else distinct_label(cluster, snapshot, means, words, taken)
        taken.add(name)
        clusters.append(replace(cluster, label=name))
    return replace(snapshot, clusters=tuple(clusters))
