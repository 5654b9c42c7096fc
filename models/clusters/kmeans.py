"""River's incremental KMeans with a careful start.

River draws its first centers from a normal distribution, so some never win a vector. Here the first vectors
are collected and seed the centers; from then on River moves them, one vector at a time.
"""

from __future__ import annotations

import numpy as np
from river import cluster

from models.clusters.learner import Center, LearnerSettings
from models.clusters.seeding import start_centers
from models.clusters.warming import WarmingClusterer, in_order

STEP = 0.01  # River's "halflife": a center goes 1 % of the way to each vector it wins, so some 100 count
WEIGHT_STEP = 0.001  # weights remember the last thousand vectors: a 1 % cluster stands out from noise


class KMeansClusterer(WarmingClusterer[cluster.KMeans]):
    """Finds `clusters_max` compact groups and follows them as they move. Cheap, the default."""

    name = "kmeans"

    def __init__(self, settings: LearnerSettings) -> None:
        """Start cold; `settings.prior` centers are kept and completed to `clusters_max` at the end of
        warm-up.
        """
        super().__init__(settings)
        self._weights: list[float] = []

    def centers(self) -> list[Center]:
        """Return the centers in River's order; [] before the learner is warm."""
        if self._model is None:
            return []
        return in_order(self._model.centers, self._weights, self._settings.feature_count)

    def _start(self, vectors: list[list[float]]) -> None:
        centers = start_centers(np.array(vectors), self._settings.prior, self.clusters_max, self.seed)
        model = cluster.KMeans(n_clusters=len(centers), halflife=STEP, seed=self.seed)
        for label, center in enumerate(centers.tolist()):
            model.centers[label].update(enumerate(center))  # public; once set, nothing is drawn
        self._weights = [1.0 / len(centers)] * len(centers)
        self._model = model
        for vector in vectors:
            self._step(model, vector)

    def _step(self, model: cluster.KMeans, vector: list[float]) -> None:
        model.halflife = STEP * self._pace()
        # Integer keys in order: no hash order in play.
        winner = model.learn_predict_one(dict(enumerate(vector)))  # type: ignore[no-untyped-call] # River
        keep = 1.0 - WEIGHT_STEP
        self._weights = [weight * keep for weight in self._weights]
        self._weights[winner] += WEIGHT_STEP
