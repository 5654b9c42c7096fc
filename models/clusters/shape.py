"""What a model snapshot is made of, and its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from models.clusters.choice import Choice
from models.clusters.preview import Preview
from models.customers.row import GONE

CLUSTERS_MAX = 32  # more are not segments a marketer can address, and the kernel's record has room for these
CLUSTER_ID_MAX = GONE - 1  # a row keeps it in 16 bits, of which one code is taken
NUMBER_MAX = 1e15  # of a snapshot: cents of a whole shop fit, and no distance leaves the doubles
TEXT_LENGTH_MAX = 200  # of a label: it is in every change
LINEAGE_MAX = 256  # transitions of a snapshot: every cluster of two models, and each pair that might be said
FEATURES_MAX = 16  # the kernel's record has room for these; distances in more dimensions stop separating
CUT_COUNTS: Mapping[str, int] = {  # quintiles have four cuts; the value tiers' 50, 80 and 95 % are three
    "recency_days": 4,
    "orders": 4,
    "spend": 4,
    "value": 3,
}

TransitionKind = Literal["survived", "split", "merged", "emerged", "disappeared"]
TRANSITION_KINDS: tuple[TransitionKind, ...] = get_args(TransitionKind)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One group of customers: an id that is never reused, its prototype in scaled space, size and name.

    `share` is its part of the sampled customers (0..1), `radius` the root mean square distance of its members
    to the prototype, in scaled units.
    """

    id: int
    prototype: tuple[float, ...]
    share: float
    radius: float
    label: str


@dataclass(frozen=True, slots=True)
class Transition:
    """What became of clusters between two snapshots, in MONIC's terms.

    `overlap` is the measured share (0..1) of sampled customers that made the move. Of the old members: those
    who stayed (survived), went to any of the parts (split), went along (merged; the least of those that
    joined), or the most that went one way (disappeared). Of the new members: the most that came one way
    (emerged). Reference: Spiliopoulou, Ntoutsi, Theodoridis and Schult (2006), MONIC: Modeling and Monitoring
    Cluster Transitions.
    """

    kind: TransitionKind
    from_ids: tuple[int, ...]
    to_ids: tuple[int, ...]
    overlap: float


@dataclass(frozen=True, slots=True)
class Trait:
    """One feature of a persona in plain units: the middle customer of the cluster, the middle of all, and how far the
    means are apart, in deviations.
    """

    feature: str
    value: float
    average: float
    gap: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A feature's value in plain units, of two significant digits."""

    feature: str
    value: float


@dataclass(frozen=True, slots=True)
class Persona:
    """A cluster as people speak of it.

    `share`, `revenue_share`: its part (0..1) of sampled customers and of their spend. `traits`: furthest from average
    first. `typical`: the sampled customer nearest to the prototype, rounded. `address`: how to speak to them.
    """

    id: int
    share: float
    revenue_share: float
    traits: tuple[Trait, ...]
    typical: tuple[Reading, ...]
    address: str


@dataclass(frozen=True, slots=True)
class Stay:
    """How confidence has turned out: of `count` customers assigned with at least `confidence` (and less than the next
    entry's), the share that was in the same cluster a rotation later.
    """

    confidence: float
    share: float
    count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published model. A vector x is scored as z = clip((x - center) / scale, -clip, +clip), nearest
    prototype.

    `cuts` holds non-decreasing cut points by name (see CUT_COUNTS); a name may be missing while too few
    customers have bought, then the definitions' defaults apply. `next_id` is the first cluster id never given
    out. The rest tells people of it: `personas`; `choice`, why so many clusters; `preview`, whom it would move against
    the model in force; `held`, that it moves too many and waits for approval; `stays`, how confidence turned out.
    `reach_radii`: radii of its cluster beyond which a customer is unassigned; 0 for never.
    """

    version: int
    features: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float
    clusters: tuple[Cluster, ...]
    cuts: dict[str, tuple[float, ...]]
    as_of_ms: int
    vector_count: int
    lineage: tuple[Transition, ...]
    seed: int
    learner: str
    next_id: int
    personas: tuple[Persona, ...] = ()
    choice: Choice | None = None
    preview: Preview | None = None
    held: bool = False
    stays: tuple[Stay, ...] = ()
    reach_radii: float = 0.0


def check(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot if it is whole and within every limit.

    Raises ValueError naming the field and the cause.
    """
    _check_scaling(snapshot)
    for name in ("version", "next_id"):
        _require(getattr(snapshot, name) >= 1, f"{name} must be at least 1, is {getattr(snapshot, name)}")
    for name in ("as_of_ms", "vector_count"):
        _require(getattr(snapshot, name) >= 0, f"{name} must not be negative, is {getattr(snapshot, name)}")
    _check_clusters(snapshot)
    _check_cuts(snapshot.cuts)
    _require(len(snapshot.learner) <= TEXT_LENGTH_MAX, f"learner: more than {TEXT_LENGTH_MAX} characters")
    _require(len(snapshot.lineage) <= LINEAGE_MAX, f"lineage: more than {LINEAGE_MAX} transitions")
    good = math.isfinite(snapshot.reach_radii) and snapshot.reach_radii >= 0.0
    _require(good, f"reach_radii must not be negative, is {snapshot.reach_radii}")
    for transition in snapshot.lineage:
        _require(transition.kind in TRANSITION_KINDS, f"lineage: unknown kind {transition.kind!r}")
        _require(0.0 <= transition.overlap <= 1.0, f"lineage: overlap {transition.overlap} is not within 0..1")
    return snapshot


def _check_scaling(snapshot: Snapshot) -> None:
    count = len(snapshot.features)
    _require(1 <= count <= FEATURES_MAX, f"features: 1 to {FEATURES_MAX} are possible, found {count}")
    _require(len(set(snapshot.features)) == count, "features: a name appears twice")
    _check_numbers("center", snapshot.center, count)
    _check_numbers("scale", snapshot.scale, count)
    _require(min(snapshot.scale) > 0.0, "scale: every value must be above 0")
    _require(0.0 < snapshot.clip <= NUMBER_MAX, f"clip must be above 0, is {snapshot.clip}")


def _check_clusters(snapshot: Snapshot) -> None:
    clusters = snapshot.clusters
    _require(len(clusters) <= CLUSTERS_MAX, f"clusters: at most {CLUSTERS_MAX}, found {len(clusters)}")
    ids = [cluster.id for cluster in clusters]
    _require(all(i >= 1 for i in ids), "clusters: an id is below 1")
    _require(len(set(ids)) == len(ids), "clusters: an id appears twice")
    _require(max(ids, default=0) < snapshot.next_id, "next_id must be above every cluster id")
    _require(max(ids, default=0) <= CLUSTER_ID_MAX, f"clusters: an id is above {CLUSTER_ID_MAX}")
    for cluster in clusters:
        _check_numbers(f"cluster {cluster.id}: prototype", cluster.prototype, len(snapshot.features))
        _require(0.0 <= cluster.share <= 1.0, f"cluster {cluster.id}: share {cluster.share} is not within 0..1")
        _require(len(cluster.label) <= TEXT_LENGTH_MAX, f"cluster {cluster.id}: its label is too long")
        _require(
            0.0 <= cluster.radius <= NUMBER_MAX, f"cluster {cluster.id}: radius {cluster.radius} is not a distance"
        )


def _check_cuts(cuts: Mapping[str, tuple[float, ...]]) -> None:
    for name, values in cuts.items():
        _require(name in CUT_COUNTS, f"cuts: unknown name {name!r}; known are {', '.join(CUT_COUNTS)}")
        _check_numbers(f"cuts.{name}", values, CUT_COUNTS[name])
        _require(list(values) == sorted(values), f"cuts.{name}: values must not decrease")


def _check_numbers(name: str, values: tuple[float, ...], count: int) -> None:
    _require(len(values) == count, f"{name}: expected {count} numbers, found {len(values)}")
    _require(all(math.isfinite(value) for value in values), f"{name}: a number is not finite")
    _require(all(abs(value) <= NUMBER_MAX for value in values), f"{name}: a number is beyond {NUMBER_MAX:g}")


def _require(condition: bool, cause: str) -> None:  # noqa: FBT001 - reads as a sentence at every call
    if not condition:
        msg = f"model snapshot: {cause}"
        raise ValueError(msg)
