"""River's incremental KMeans with a careful start, and with its step compiled.

River draws its first centers from a normal distribution, so some never win a vector. Here the first vectors
are collected and seed the centers; from then on they move as River moves them, one vector after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from river import cluster

from models.clusters.learner import HASTE, Center
from models.clusters.seeding import start_centers
from models.clusters.warming import WarmingClusterer, in_order
from models.compiled import kernel

Floats = npt.NDArray[np.float64]

STEP = 0.01  # River's "halflife": a center goes 1 % of the way to each vector it wins, so some 100 count
WEIGHT_STEP = 0.001  # weights remember the last thousand vectors: a 1 % cluster stands out from noise


@kernel
def _follow(z: Any, hasty: int, centers: Any, weights: Any) -> None:
    """River's learn_predict_one for every vector in turn, the sums in its order; the first `hasty` count more."""
    for i in range(len(z)):
        step = STEP * HASTE if i < hasty else STEP
        winner, least = 0, np.inf
        for k in range(len(centers)):
            squared = 0.0
            for j in range(z.shape[1]):
                squared += (centers[k, j] - z[i, j]) * (centers[k, j] - z[i, j])
            if squared < least:
                winner, least = k, squared
        for j in range(z.shape[1]):
            centers[winner, j] += step * (z[i, j] - centers[winner, j])
        for k in range(len(weights)):
            weights[k] *= 1.0 - WEIGHT_STEP
        weights[winner] += WEIGHT_STEP


class _KMeans(cluster.KMeans):
    """River's, with the same steps for many vectors at once: a hundredth of the time, of which it took most."""

    def __init__(self, centers: Floats, seed: int) -> None:
        super().__init__(n_clusters=len(centers), halflife=STEP, seed=seed)
        self.weights = np.full(len(centers), 1.0 / len(centers))
        self._put(centers)

    def learn_many(self, z: Floats, hasty: int) -> None:
        """Learn scaled vectors [n, F] one after the other, the first `hasty` of them in haste."""
        centers = np.array([[center[j] for j in range(z.shape[1])] for _, center in sorted(self.centers.items())])
        _follow(z, hasty, centers, self.weights)
        self._put(centers)

    def _put(self, centers: Floats) -> None:
        for label, center in enumerate(centers.tolist()):
            self.centers[label].update(enumerate(center))  # public; once set, nothing is drawn


class KMeansClusterer(WarmingClusterer[_KMeans]):
    """Finds `clusters_max` compact groups and follows them as they move. Cheap, the default. `settings.prior` centers
    are kept and completed to `clusters_max` at the end of warm-up.
    """

    name = "kmeans"

    def centers(self) -> list[Center]:
        """Return the centers in River's order; [] before the learner is warm."""
        if self._model is None:
            return []
        return in_order(self._model.centers, self._model.weights.tolist(), self._settings.feature_count)

    def _start(self, vectors: list[list[float]]) -> None:
        z = np.array(vectors)
        self._model = _KMeans(start_centers(z, self._settings.prior, self.clusters_max, self.seed), self.seed)
        self._steps(self._model, z)

    def _step(self, model: _KMeans, vector: list[float]) -> None:
        self._steps(model, np.array([vector]))

    def _steps(self, model: _KMeans, z: Floats) -> None:
        model.learn_many(z, min(self._hasty, len(z)))
        self._hasty -= min(self._hasty, len(z))
