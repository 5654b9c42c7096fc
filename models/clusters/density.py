"""River's DBSTREAM: groups of any shape, their number found and not given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from river import cluster

from models.clusters.learner import Center, LearnerSettings
from models.clusters.nearest import distances_squared
from models.clusters.warming import WarmingClusterer, prior_vectors

FADING = 0.001  # a micro-cluster's weight halves in 1,000 vectors
CLEANUP_VECTORS = 200  # between cleanups; a lone outlier is forgotten after as many
SHARED_MIN = 0.1  # "intersection_factor": a tenth of two neighbours' weight between them joins them
WEIGHT_MIN = 5.0  # vectors; a micro-cluster seen less often is noise
LEADERS_AIM = 24  # micro-clusters at the start: enough to draw a few shapes; each costs 1 us a vector
LEADERS_MAX = 128  # bounds memory and cost: the lightest leave beyond this
RADIUS_SAMPLE = 300  # warm-up vectors that decide the radius; pairs grow with the square
RADIUS_QUANTILES = 60  # candidate radii between the closest and the median pair
RADIUS_MIN = 1e-3  # identical vectors have no distance, DBSTREAM needs one


class DensityClusterer(WarmingClusterer[cluster.DBSTREAM]):
    """Finds groups that are dense and apart, whatever their shape; reports the heaviest `clusters_max`."""

    name = "dbstream"

    def __init__(self, settings: LearnerSettings) -> None:
        """Start cold; at the end of warm-up the radius is chosen and `settings.prior` learned before the
        vectors. DBSTREAM draws nothing: the seed is kept for the protocol.
        """
        super().__init__(settings)
        self._learned = 0

    def centers(self) -> list[Center]:
        """Return the centers of the connected micro-clusters, heaviest first; [] before it is warm."""
        if self._model is None:
            return []
        features = range(self._settings.feature_count)
        found = [
            Center(prototype=tuple(float(group.center[j]) for j in features), weight=float(group.weight))
            for group in self._model.clusters.values()
        ]
        return sorted(found, key=lambda center: (-center.weight, center.prototype))[: self.clusters_max]

    def _start(self, vectors: list[list[float]]) -> None:
        model = cluster.DBSTREAM(
            clustering_threshold=covering_radius(np.array(vectors[:RADIUS_SAMPLE])),
            fading_factor=FADING,
            cleanup_interval=CLEANUP_VECTORS,
            intersection_factor=SHARED_MIN,
            minimum_weight=WEIGHT_MIN,
        )
        self._model = model
        for vector in (*prior_vectors(self._settings.prior), *vectors):
            self._step(model, vector)

    def _step(self, model: cluster.DBSTREAM, vector: list[float]) -> None:
        model.fading_factor = FADING * self._pace()
        # River keeps this dict: never the caller's.
        model.learn_one(dict(enumerate(vector)))  # type: ignore[no-untyped-call] # River
        self._learned += 1
        if self._learned % CLEANUP_VECTORS == 0 or len(model.micro_clusters) > LEADERS_MAX:
            _trim(model)


def _trim(model: cluster.DBSTREAM) -> None:
    """Keep the heaviest micro-clusters, and no shared density of ones that left.

    River's own cleanup stops looking early and leaves such entries, and it reuses ids, so they would come
    back. `micro_clusters`, `s` and `s_t` are River's public attributes.
    """
    micro, now = model.micro_clusters, model._time_stamp  # noqa: SLF001 - River has no public clock
    if len(micro) > LEADERS_MAX:
        faded = {i: m.weight * 2.0 ** (-FADING * (now - m.last_update)) for i, m in micro.items()}
        for i in sorted(faded, key=lambda key: (faded[key], key))[: len(micro) - LEADERS_MAX * 3 // 4]:
            del micro[i]
    for shared in (model.s, model.s_t):
        for i in [key for key in shared if key not in micro]:
            del shared[i]
        for row in shared.values():
            for j in [key for key in row if key not in micro]:
                del row[j]


def covering_radius(z: npt.NDArray[np.float64]) -> float:
    """Return the smallest radius whose greedy cover of z needs at most LEADERS_AIM leaders."""
    squared = distances_squared(z, z)
    apart = squared[squared > 0.0]
    if not len(apart):
        return RADIUS_MIN
    candidates = np.sqrt(np.quantile(apart, np.linspace(0.0, 0.5, RADIUS_QUANTILES)))
    for radius in candidates:
        if _leaders(squared, float(radius)) <= LEADERS_AIM:
            return max(float(radius), RADIUS_MIN)
    return max(float(candidates[-1]), RADIUS_MIN)


def _leaders(squared: npt.NDArray[np.float64], radius: float) -> int:
    left, count = np.ones(len(squared), dtype=bool), 0
    while left.any():
        leader = int(left.argmax())
        left &= squared[leader] >= radius * radius
        left[leader] = False
        count += 1
    return count
