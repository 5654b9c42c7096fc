"""River's STREAMKMeans: chunks are clustered first, then their centers; steadier than KMeans, slower to follow.

River starts the learner of each chunk at centers drawn from a normal distribution; those that win no vector are then
learned as if they were customers. Here it starts at the present centers, and only centers that won count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from river import cluster

from models.clusters.learner import Center
from models.clusters.seeding import start_centers
from models.clusters.warming import WarmingClusterer, in_order

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


class ChunkedClusterer(WarmingClusterer[_Chunked]):
    """Finds `clusters_max` compact groups, moved once a chunk. `settings.prior` is kept and completed as KMeans' is."""

    name = "streamkmeans"

    def centers(self) -> list[Center]:
        """Return the centers in River's order; [] before the learner is warm."""
        if self._model is None:
            return []
        return in_order(self._model.centers, self._model.weights, self._settings.feature_count)

    def _start(self, vectors: list[list[float]]) -> None:
        centers = start_centers(np.array(vectors), self._settings.prior, self.clusters_max, self.seed)
        self._model = _Chunked(centers.tolist(), self.seed)
        for vector in vectors:
            self._model.learn_one(dict(enumerate(vector)))

    def _step(self, model: _Chunked, vector: list[float]) -> None:
        model.pace(self._pace())
        model.learn_one(dict(enumerate(vector)))
