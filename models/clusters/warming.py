"""What every learner here shares: it collects its warm-up, starts, and for a while after a drift learns in haste."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from models.clusters.learner import HASTE, Center, LearnerSettings, finite_vector

Floats = npt.NDArray[np.float64]
M = TypeVar("M")  # River's learner behind it

PRIOR_VECTORS = 500.0  # weight a prior has after a restart: as much as the last few hundred vectors


class WarmingClusterer(ABC, Generic[M]):
    """The part of a Clusterer that does not hang on how it clusters."""

    def __init__(self, settings: LearnerSettings) -> None:
        self.seed = settings.seed
        self.clusters_max = settings.clusters_max
        self._settings = settings
        self._warmup: list[list[float]] = []
        self._model: M | None = None
        self._hasty = 0  # vectors to learn in haste

    @property
    def warm(self) -> bool:
        """Whether the warm-up vectors are in and the learner started."""
        return self._model is not None

    def learn(self, z: Iterable[float]) -> None:
        """Learn one scaled vector. Raises ValueError, unchanged, if it is not finite or misshapen."""
        vector = finite_vector(z, self._settings.feature_count)
        if self._model is not None:
            self._step(self._model, vector)
            return
        self._warmup.append(vector)
        if len(self._warmup) == self._settings.warmup_vectors:
            vectors, self._warmup = self._warmup, []
            self._start(vectors)

    def learn_many(self, z: Floats) -> None:
        """Learn scaled vectors [n, F], one after the other. Raises ValueError, unchanged, as `learn` does."""
        count = self._settings.feature_count
        for row in z[~np.isfinite(z).all(axis=1)] if z.shape[1] == count else z:
            finite_vector(row, count)
        start = 0
        while self._model is None and start < len(z):
            self.learn(z[start])
            start += 1
        if self._model is not None and start < len(z):
            self._steps(self._model, z[start:])

    def hasten(self, vectors: int) -> None:
        """Forget HASTE times faster for the next `vectors`."""
        self._hasty = vectors

    def _pace(self) -> float:
        """How many times faster than usual the next vector is learned; it counts as learned."""
        times = HASTE if self._hasty > 0 else 1.0
        self._hasty = max(self._hasty - 1, 0)
        return times

    @abstractmethod
    def _start(self, vectors: list[list[float]]) -> None:
        """Set `_model` and learn the warm-up vectors."""

    def _steps(self, model: M, z: Floats) -> None:
        """Learn vectors one after the other."""
        for vector in z.tolist():
            self._step(model, vector)

    @abstractmethod
    def _step(self, model: M, vector: list[float]) -> None:
        """Learn one more vector."""


def in_order(centers: Mapping[int, Mapping[int, float]], weights: Sequence[float], feature_count: int) -> list[Center]:
    """River's centers in the order of their labels, each with its weight."""
    return [
        Center(tuple(float(center[j]) for j in range(feature_count)), weights[label])
        for label, center in sorted(centers.items())
    ]


def prior_vectors(prior: Sequence[Center]) -> Iterator[list[float]]:
    """Centers to continue from as vectors to learn: PRIOR_VECTORS in all, each as often as it weighs."""
    total = sum(center.weight for center in prior) or 1.0
    for center in prior:
        for _ in range(math.ceil(PRIOR_VECTORS * center.weight / total)):
            yield list(center.prototype)
