"""River's incremental KMeans with a careful start.

River draws its first centers from a normal distribution, so some never win a vector. Here the first vectors
are collected and seed the centers; from then on River moves them, one vector at a time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
from river import cluster

from models.clusters.learner import HASTE, Center, LearnerSettings, finite_vector
from models.clusters.seeding import extend_centers, seed_centers

STEP = 0.01  # River's "halflife": a center goes 1 % of the way to each vector it wins, so some 100 count
WEIGHT_STEP = 0.001  # weights remember the last thousand vectors: a 1 % cluster stands out from noise


class KMeansClusterer:
    """Finds `clusters_max` compact groups and follows them as they move. Cheap, the default."""

    name = "kmeans"

    def __init__(self, settings: LearnerSettings) -> None:
        """Start cold; `settings.prior` centers are kept and completed to `clusters_max` at the end of
        warm-up.
        """
        self.seed = settings.seed
        self.clusters_max = settings.clusters_max
        self._settings = settings
        self._warmup: list[list[float]] = []
        self._model: cluster.KMeans | None = None
        self._weights: list[float] = []
        self._hasty = 0  # vectors to learn in haste

    @property
    def warm(self) -> bool:
        """Whether the warm-up vectors are in and the centers seeded."""
        return self._model is not None

    def learn(self, z: Iterable[float]) -> None:
        """Learn one scaled vector. Raises ValueError, unchanged, if it is not finite or misshapen."""
        vector = finite_vector(z, self._settings.feature_count)
        if self._model is not None:
            self._step(self._model, vector)
            return
        self._warmup.append(vector)
        if len(self._warmup) == self._settings.warmup_vectors:
            self._start()

    def hasten(self, vectors: int) -> None:
        """Forget HASTE times faster for the next `vectors`."""
        self._hasty = vectors

    def centers(self) -> list[Center]:
        """Return the centers in River's order; [] before the learner is warm."""
        if self._model is None:
            return []
        features = range(self._settings.feature_count)
        return [
            Center(prototype=tuple(float(center[j]) for j in features), weight=self._weights[label])
            for label, center in sorted(self._model.centers.items())
        ]

    def _start(self) -> None:
        z, prior = np.array(self._warmup), self._settings.prior
        self._warmup = []
        if prior:
            heaviest = sorted(prior, key=lambda center: -center.weight)[: self.clusters_max]
            rng = random.Random(self.seed)  # noqa: S311 - reproducible choice, not a secret
            centers = extend_centers(z, np.array([c.prototype for c in heaviest]), self.clusters_max, rng)
        else:
            centers = seed_centers(z, self.clusters_max, self.seed)
        model = cluster.KMeans(n_clusters=len(centers), halflife=STEP, seed=self.seed)
        for label, center in enumerate(centers.tolist()):
            model.centers[label].update(enumerate(center))  # public; once set, nothing is drawn
        self._weights = [1.0 / len(centers)] * len(centers)
        self._model = model
        for vector in z.tolist():
            self._step(model, vector)

    def _step(self, model: cluster.KMeans, vector: list[float]) -> None:
        model.halflife = STEP * HASTE if self._hasty > 0 else STEP
        self._hasty = max(self._hasty - 1, 0)
        # Integer keys in order: no hash order in play.
        winner = model.learn_predict_one(dict(enumerate(vector)))  # type: ignore[no-untyped-call] # River
        keep = 1.0 - WEIGHT_STEP
        self._weights = [weight * keep for weight in self._weights]
        self._weights[winner] += WEIGHT_STEP
