"""River's DenStream, with its micro-clusters repaired: groups of any shape, and noise that stays noise.

In River 0.26.1 a micro-cluster's radius takes the norm of its squared sums for the sum of squares, which is 0 away from
the origin, so that everything merges; its weight does not fade while it is fed; and a new one is numbered by how many
there are, so that after a deletion it overwrites another. All three are mended here. River's own initial DBSCAN is
skipped (one vector), because the warm-up is learned like everything after it.

Reference: Cao, Ester, Qian and Zhou (2006), Density-Based Clustering over an Evolving Data Stream with Noise.
"""

from __future__ import annotations

import math

import numpy as np
from river import cluster
from river.cluster.denstream import DenStreamMicroCluster

from models.clusters.density import LEADERS_MAX, RADIUS_SAMPLE, covering_radius
from models.clusters.learner import Center
from models.clusters.nearest import distances_squared
from models.clusters.warming import WarmingClusterer, prior_vectors

FADING = 0.05  # a micro-cluster's weight halves in 20 time units
UNIT_VECTORS = 50  # in a time unit: so in 1,000 vectors, as DBSTREAM's
WEIGHT_MIN = 8.0  # "mu": vectors of a core micro-cluster
POTENTIAL = 0.5  # "beta": half of it makes one that may become a core
RADIUS_SHARE = 0.6  # of the covering radius: a root mean square lies that far inside the edge
REACH = 2.0  # radii between the centers of neighbours: they touch


class _MicroCluster(DenStreamMicroCluster):
    """River's, with weight and sums that fade together and a radius that is the deviation."""

    __slots__ = ()

    def insert(self, x: dict[int, float], timestamp: int) -> None:  # what River calls it
        keep = 2.0 ** (-self.decaying_factor * (timestamp - self.last_edit_time))
        self.N = self.N * keep + 1.0
        for key, value in x.items():
            self.linear_sum[key] = self.linear_sum[key] * keep + value
            self.squared_sum[key] = self.squared_sum[key] * keep + value * value
        self.last_edit_time = timestamp
        self._center = None

    def radius_with(self, x: dict[int, float]) -> float:
        n = self.N + 1.0
        total = 0.0
        for key, value in x.items():
            mean = (self.linear_sum[key] + value) / n
            total += max((self.squared_sum[key] + value * value) / n - mean * mean, 0.0)
        return math.sqrt(total)


class _DenStream(cluster.DenStream):
    """River's, with repaired micro-clusters under numbers of their own."""

    def __init__(self, radius: float) -> None:
        super().__init__(
            decaying_factor=FADING,
            beta=POTENTIAL,
            mu=WEIGHT_MIN,
            epsilon=radius,
            n_samples_init=1,
            stream_speed=UNIT_VECTORS,
        )
        self._number = 0

    def pace(self, times: float) -> None:
        """How many times faster than usual weights fade."""
        if self.decaying_factor == FADING * times:
            return
        self.decaying_factor = FADING * times
        for micro in (*self.p_micro_clusters.values(), *self.o_micro_clusters.values()):
            micro.decaying_factor = self.decaying_factor

    def _merge(self, point: dict[int, float]) -> None:
        for group in (self.p_micro_clusters, self.o_micro_clusters):
            key = self._get_closest_cluster_key(point, group)  # type: ignore[no-untyped-call] # River
            if key < 0 or group[key].radius_with(point) > self.epsilon:  # type: ignore[no-untyped-call] # River
                continue
            group[key].insert(point, self.timestamp)  # type: ignore[no-untyped-call] # River
            if group is self.o_micro_clusters and group[key].calc_weight(self.timestamp) > self.mu * self.beta:  # type: ignore[no-untyped-call] # River
                self.p_micro_clusters[key] = group.pop(key)
            return
        self._number += 1
        self.o_micro_clusters[self._number] = _MicroCluster(point, self.timestamp, self.decaying_factor)  # type: ignore[no-untyped-call] # River
        self._trim()

    def _trim(self) -> None:
        """Memory is bounded: of too many the lightest leave, noise first."""
        for group in (self.o_micro_clusters, self.p_micro_clusters):
            while len(group) > LEADERS_MAX:
                del group[min(group, key=lambda key: (group[key].calc_weight(self.timestamp), key))]  # type: ignore[no-untyped-call] # River


class DenStreamClusterer(WarmingClusterer[_DenStream]):
    """Finds dense groups that are apart; reports the heaviest `clusters_max`.

    At the end of warm-up the radius is chosen and `settings.prior` learned before the vectors. DenStream draws nothing:
    the seed is kept for the protocol.
    """

    name = "denstream"

    def centers(self) -> list[Center]:
        """Return the centers of connected micro-clusters, heaviest first; [] while cold or all is noise."""
        if self._model is None or not self._model.p_micro_clusters:
            return []
        model = self._model
        micro = [model.p_micro_clusters[key] for key in sorted(model.p_micro_clusters)]
        features = range(self._settings.feature_count)
        places = np.array([[one.center[j] for j in features] for one in micro])
        weights = np.array([one.calc_weight(model.timestamp) for one in micro])  # type: ignore[no-untyped-call] # River
        near = distances_squared(places, places) <= (REACH * model.epsilon) ** 2
        found = []
        for members in _connected(near):
            weight = float(weights[members].sum())
            mean = weights[members] @ places[members] / weight if weight > 0.0 else places[members].mean(axis=0)
            found.append(Center(tuple(mean.tolist()), weight))
        return sorted(found, key=lambda center: (-center.weight, center.prototype))[: self.clusters_max]

    def _start(self, vectors: list[list[float]]) -> None:
        model = _DenStream(RADIUS_SHARE * covering_radius(np.array(vectors[:RADIUS_SAMPLE])))
        self._model = model
        for vector in (*prior_vectors(self._settings.prior), *vectors):
            model.learn_one(dict(enumerate(vector)))  # type: ignore[no-untyped-call] # River

    def _step(self, model: _DenStream, vector: list[float]) -> None:
        model.pace(self._pace())
        model.learn_one(dict(enumerate(vector)))  # type: ignore[no-untyped-call] # River


def _connected(near: np.ndarray) -> list[list[int]]:
    """Groups of positions linked by `near` [n, n], in order of their first."""
    left, groups = set(range(len(near))), []
    while left:
        front, group = [min(left)], []
        left.discard(front[0])
        while front:
            i = front.pop()
            group.append(i)
            for j in [j for j in sorted(left) if near[i, j]]:
                left.discard(j)
                front.append(j)
        groups.append(sorted(group))
    return groups
