"""From sampled customer vectors to snapshots: learns online, publishes with stable ids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.clusters.guard import consolidate
from models.clusters.learner import Center, Clusterer, LearnerSettings
from models.clusters.quantiles import cut_points
from models.clusters.registry import make_learner
from models.clusters.scaling import Scaling, fit, translate
from models.clusters.settings import TrainerSettings
from models.clusters.shape import FEATURES_MAX, Snapshot, check
from models.clusters.succession import scaling_of, succeed, with_labels
from models.clusters.window import Window

Floats = npt.NDArray[np.float64]


class Trainer:
    """Learns clusters from sampled customers and gives snapshots.

    `learn` only takes vectors in, which is cheap; `learn_slice` does the work in slices the caller can
    spread. The same vectors in the same order give the same snapshots, however the slices are cut, as long as
    everything is learned before a snapshot and nothing was dropped. Not for several threads at once.
    """

    def __init__(self, features: tuple[str, ...], settings: TrainerSettings, previous: Snapshot | None = None) -> None:
        """Start, or continue from the `previous` snapshot's prototypes, scaling and ids.

        What the learner forgets then: its weights and, for dbstream, its micro-clusters. A previous snapshot
        of other features only keeps its ids and version. Raises ValueError for features, settings or a
        snapshot out of bounds.
        """
        if not 1 <= len(features) <= FEATURES_MAX or len(set(features)) != len(features):
            msg = f"trainer: needs 1 to {FEATURES_MAX} different features, found {features}"
            raise ValueError(msg)
        self.features = features
        self.settings = settings
        self.previous = previous
        self.as_of_ms = 0  # newest time a batch was given for
        self._count_before = previous.vector_count if previous else 0
        self._window = Window(settings.window, len(features))
        self._scaling: Scaling | None = None
        self._learner: Clusterer | None = None
        self._make(())  # an unknown learner fails here and not after the warm-up
        if previous is not None and check(previous).features == features:
            self._scaling = scaling_of(previous)
            self._learner = self._make(tuple(Center(c.prototype, c.share) for c in previous.clusters))

    @property
    def warm(self) -> bool:
        """Whether a snapshot can be had."""
        return self._learner is not None and self._learner.warm

    @property
    def pending(self) -> int:
        """Vectors taken in and not learned yet; at most the window."""
        return self._window.pending

    @property
    def dropped(self) -> int:
        """Vectors that were overwritten before they were learned, because slices came too rarely."""
        return self._window.dropped

    @property
    def vector_count(self) -> int:
        """Vectors learned, with those of the previous snapshot."""
        return self._count_before + self._window.learned - self._window.dropped

    def learn(self, vectors: Floats, recency_days: Floats, orders: Floats, spend: Floats, as_of_ms: int) -> None:
        """Take in sampled customers, oldest first; everything is copied.

        `vectors` [n, features] are raw features; the others [n] are days since the last order, orders, and
        spend. Raises ValueError, with nothing taken in, for wrong shapes or numbers that are not finite
        (recency_days counts only for customers with orders).
        """
        table = np.array(vectors, dtype=np.float64)
        columns = [np.array(column, dtype=np.float64) for column in (recency_days, orders, spend)]
        if table.ndim != 2 or table.shape[1] != len(self.features):  # noqa: PLR2004 - a table has two dimensions
            msg = f"trainer: expected vectors of {len(self.features)} features, found shape {table.shape}"
            raise ValueError(msg)
        if any(column.shape != (len(table),) for column in columns):
            msg = f"trainer: expected {len(table)} values of recency_days, orders and spend"
            raise ValueError(msg)
        columns[0] = np.where(columns[1] > 0.0, columns[0], 0.0)
        if not all(np.isfinite(part).all() for part in (table, *columns)):
            msg = "trainer: a number is not finite"
            raise ValueError(msg)
        self._window.add(table, *columns)
        self.as_of_ms = max(self.as_of_ms, as_of_ms)

    def learn_slice(self, max_vectors: int) -> int:
        """Learn up to `max_vectors` of those taken in, one after the other; return how many it were.

        Returns 0 with vectors pending while there are too few to fix the scaling. The slice that completes
        the warm-up costs about 40 ms more, once.
        """
        if self._learner is None or self._scaling is None:
            warmup = self.settings.warmup_vectors
            if self._window.pending < warmup:
                return 0
            self._scaling = fit(self._window.vectors(self._window.learned + warmup, warmup), self.settings.clip)
            self._learner = self._make(())
        raw = self._window.take(max_vectors)
        for z in self._scaling.apply(raw).tolist():
            self._learner.learn(z)
        return len(raw)

    def snapshot(self, as_of_ms: int) -> Snapshot | None:
        """Return the next snapshot, or None before warm-up or while the learner sees only noise.

        The snapshot counts as published: the next one has a version above it and its ids. If the features'
        medians or scales have moved, the learner goes on in the new scaled space from its own centers.
        """
        if not self.warm:
            return None
        raw = self._window.vectors()
        scaling, centers = self._rescaled(raw)
        z = scaling.apply(raw)
        settings = self.settings
        prototypes = consolidate(centers, z, settings.min_share, settings.closeness_min)
        if not len(prototypes):
            return None
        self.previous = self._compose(prototypes, raw, z, scaling, max(as_of_ms, self.as_of_ms))
        return self.previous

    def _compose(self, prototypes: Floats, raw: Floats, z: Floats, scaling: Scaling, as_of_ms: int) -> Snapshot:
        previous = self.previous
        heirs = succeed(
            prototypes,
            raw,
            scaling,
            features=self.features,
            previous=previous,
            distance_limit=self.settings.distance_limit,
        )
        snapshot = Snapshot(
            version=previous.version + 1 if previous else 1,
            features=self.features,
            center=scaling.center,
            scale=scaling.scale,
            clip=scaling.clip,
            clusters=heirs.clusters,
            cuts=cut_points(*self._window.purchases()),
            as_of_ms=as_of_ms,
            vector_count=self.vector_count,
            lineage=heirs.lineage,
            seed=self.settings.seed,
            learner=self.settings.learner,
            next_id=heirs.next_id,
        )
        return check(with_labels(snapshot, z, self.settings.words))

    def _rescaled(self, raw: Floats) -> tuple[Scaling, list[Center]]:
        """Follow the window's medians and scales if they moved; return the scaling and centers in force."""
        if self._learner is None or self._scaling is None:
            msg = "trainer: not warm"
            raise RuntimeError(msg)
        current = fit(raw, self.settings.clip)
        if self._scaling.moved(current):
            centers = self._learner.centers()
            places = translate(_table(centers, len(self.features)), self._scaling, current)
            prior = [Center(tuple(place), c.weight) for place, c in zip(places.tolist(), centers, strict=True)]
            learner = self._make(tuple(prior))
            for z in current.apply(raw[-self.settings.warmup_vectors :]).tolist():
                learner.learn(z)  # warm at once; these few are learned twice
            self._learner, self._scaling = learner, current
        return self._scaling, self._learner.centers()

    def _make(self, prior: tuple[Center, ...]) -> Clusterer:
        settings = self.settings
        born = LearnerSettings(len(self.features), settings.clusters, settings.seed, settings.warmup_vectors, prior)
        return make_learner(settings.learner, born)


def _table(centers: list[Center], feature_count: int) -> Floats:
    return np.array([center.prototype for center in centers], dtype=np.float64).reshape(-1, feature_count)
