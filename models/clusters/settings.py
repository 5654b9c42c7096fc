"""What can be chosen about training."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.clusters.personas import Words
from models.clusters.scaling import CLIP
from models.clusters.shape import CLUSTERS_MAX


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """What the trainer needs to know; everything here can change what a snapshot says.

    `clusters`: how many to find, or at most for a learner that
    finds their number; 0 to find the number too. `warmup_vectors`: sampled customers before
    the first snapshot; more give a better first one, later. `window`: latest sampled customers that scaling,
    cut points, shares and identity are measured on; bounds memory at 8 bytes x (features + 3) each.
    `min_share`: a cluster with a smaller share of the window is not published. `closeness_min`: two clusters
    closer than this times their mean radius are published as one. `distance_limit`: scaled units a prototype
    may move between snapshots and keep its id without keeping half of its members. `clip`: deviations beyond
    which a feature counts no further. `words`: how people speak of the features, for names and personas. `moved_max`: a
    snapshot that would move a larger share of the customers, or of their spend, is held for approval. `reach_radii`:
    radii of its cluster beyond which a customer is unassigned. `settled`: prototypes stay as published, or as
    near to it as they can, while the best ones would not lower the inertia by more than this share.
    """

    learner: str = "kmeans"
    clusters: int = 0
    seed: int = 7
    warmup_vectors: int = 500
    window: int = 20_000
    min_share: float = 0.02  # of the customers; a smaller group is not substantial enough to address
    closeness_min: float = 0.5  # of a radius; closer, and most members would be as near to either
    distance_limit: float = 2.0  # deviations: as far as the middle and the edge of one feature are apart
    clip: float = CLIP
    moved_max: float = 0.5  # half of the customers: that is another segmentation, and somebody should look
    reach_radii: float = 4.0  # one in thousands of a round cluster is that far out
    settled: float = 0.045  # of the inertia: hardly anybody is better described, so nobody should move
    words: Words = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError, naming the setting, for values outside the limits."""
        _require(0 <= self.clusters <= CLUSTERS_MAX, f"clusters must be 0 to {CLUSTERS_MAX}, is {self.clusters}")
        _require(self.warmup_vectors >= self.clusters, "warmup_vectors must be at least the number of clusters")
        _require(self.window >= self.warmup_vectors, "window must be at least warmup_vectors")
        _require(0.0 <= self.min_share < 1.0, f"min_share must be within 0..1, is {self.min_share}")
        _require(self.closeness_min >= 0.0, f"closeness_min must not be negative, is {self.closeness_min}")
        _require(self.distance_limit > 0.0, f"distance_limit must be above 0, is {self.distance_limit}")
        _require(0.0 <= self.moved_max <= 1.0, f"moved_max must be within 0..1, is {self.moved_max}")
        _require(self.reach_radii >= 0.0, f"reach_radii must not be negative, is {self.reach_radii}")
        _require(self.settled >= 0.0, f"settled must not be negative, is {self.settled}")
        _require(self.clip > 0.0, f"clip must be above 0, is {self.clip}")


def _require(condition: bool, cause: str) -> None:  # noqa: FBT001 - reads as a sentence at every call
    if not condition:
        msg = f"trainer settings: {cause}"
        raise ValueError(msg)
