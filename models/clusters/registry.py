"""The learners there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.clusters.chunked import ChunkedClusterer
from models.clusters.density import DensityClusterer
from models.clusters.denstream import DenStreamClusterer
from models.clusters.kmeans import KMeansClusterer
from models.clusters.learner import Clusterer, LearnerSettings

LEARNERS: Mapping[str, Callable[[LearnerSettings], Clusterer]] = {
    "kmeans": KMeansClusterer,
    "streamkmeans": ChunkedClusterer,
    "dbstream": DensityClusterer,
    "denstream": DenStreamClusterer,
}

NUMBERED = frozenset({"kmeans", "streamkmeans"})  # these must be told how many clusters to find


def make_learner(name: str, settings: LearnerSettings) -> Clusterer:
    """Return a new learner by name. Raises ValueError for an unknown one, naming those there are."""
    if name not in LEARNERS:
        msg = f"learner {name!r} is not known; known are {', '.join(sorted(LEARNERS))}"
        raise ValueError(msg)
    return LEARNERS[name](settings)
