"""River's STREAMKMeans: chunks are clustered first, then their centers; steadier than KMeans, slower to follow.

River starts the learner of each chunk at centers drawn from a normal distribution; those that win no vector are then
learned as if they were customers. Here it starts at the present centers, and only centers that won count.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np
from river import cluster

from models.clusters.learner import HASTE, Center, LearnerSettings, finite_vector
from models.clusters.seeding import extend_centers, seed_centers

CHUNK_VECTORS = 50  # a cluster of 2 % still wins one vector of most chunks
CHUNK_STEP = 0.1  # of a chunk's own learner: ten vectors move a center most of the way
STEP = 0.1  # of the center of centers: some ten chunks, 500 vectors, count
WEIGHT_STEP = 0.05  # of a chunk's shares: weights remember some twenty chunks, as KMeans' the last thousand


class _Chunked(cluster.STREAMKMeans):
    """River's, with the chunk's learner started where the clusters are."""

    def __init__(self, centers: list[list[float]], seed: int) -> None:
        super().__init__(chunk_size=CHUNK_VECTORS, n_clusters=len(centers), halflife=STEP, seed=seed)  # type: ignore[no-untyped-call] # River
        self._chunk: list[dict[Any, float]] = []
        self.weights = [1.0 / len(centers)] * len(centers)
        for label, center in enumerate(centers):
            self._kmeans.centers[label].update(enumerate(center))
        self.centers = self._kmeans.centers

    def pace(self, times: float) -> None:
        """How many times faster than usual the centers follow."""
        self._kmeans.halflife = STEP * times

    def learn_one(self, x: dict[Any, float], w: float | None = None) -> None:  # noqa: ARG002 - River's signature
        self._chunk.append(x)
        if len(self._chunk) < self.chunk_size:
            return
        own = cluster.KMeans(n_clusters=self.n_clusters, halflife=CHUNK_STEP)
        for label, center in self._kmeans.centers.items():
            own.centers[label].update(center)
        won = [0] * self.n_clusters
        for vector in self._chunk:
            won[own.learn_predict_one(vector)] += 1  # type: ignore[no-untyped-call] # River
        for label, center in own.centers.items():
            self.weights[label] += WEIGHT_STEP * (won[label] / self.chunk_size - self.weights[label])
            if won[label]:
                self._kmeans.learn_one(dict(center))  # type: ignore[no-untyped-call] # River
        self._chunk = []


class ChunkedClusterer:
    """Finds `clusters_max` compact groups, moved once a chunk."""

    name = "streamkmeans"

    def __init__(self, settings: LearnerSettings) -> None:
        """Start cold; `settings.prior` centers are kept and completed to `clusters_max` after warm-up."""
        self.seed = settings.seed
        self.clusters_max = settings.clusters_max
        self._settings = settings
        self._warmup: list[list[float]] = []
        self._model: _Chunked | None = None
        self._hasty = 0  # vectors to learn in haste

    @property
    def warm(self) -> bool:
        """Whether the warm-up vectors are in and the centers seeded."""
        return self._model is not None

    def learn(self, z: Iterable[float]) -> None:
        """Learn one scaled vector. Raises ValueError, unchanged, if it is not finite or misshapen."""
        vector = finite_vector(z, self._settings.feature_count)
        if self._model is not None:
            self._model.pace(HASTE if self._hasty > 0 else 1.0)
            self._hasty = max(self._hasty - 1, 0)
            self._model.learn_one(dict(enumerate(vector)))
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
            Center(tuple(float(center[j]) for j in features), self._model.weights[label])
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
        self._model = _Chunked(centers.tolist(), self.seed)
        for vector in z.tolist():
            self._model.learn_one(dict(enumerate(vector)))
