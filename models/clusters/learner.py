"""What every online clusterer must offer.

A learner only finds prototypes. Which customer belongs where is decided by the nearest prototype of a
snapshot, never by a learner: River's labels are unstable, and its `predict_one` may change the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HASTE = 5.0  # times faster, after a drift: a rotation's sample outweighs all before it


@dataclass(frozen=True, slots=True)
class Center:
    """A prototype in scaled space with the weight behind it (recent vectors, faded; comparable in one
    learner).
    """

    prototype: tuple[float, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """What a learner needs to know at birth.

    `clusters_max`: most centers it may report (KMeans: the number it looks for). `warmup_vectors`: vectors
    collected before it starts; more give a better start, later. `prior`: centers to continue from, after a
    restart or a rescaling; they stay near where they were.
    """

    feature_count: int
    clusters_max: int
    seed: int
    warmup_vectors: int
    prior: tuple[Center, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for settings no learner can work with."""
        if min(self.feature_count, self.clusters_max) < 1 or self.warmup_vectors < self.clusters_max:
            msg = f"learner: needs a feature, a cluster and as many warm-up vectors as clusters: {self}"
            raise ValueError(msg)
        for center in self.prior:
            finite_vector(center.prototype, self.feature_count)


class Clusterer(Protocol):
    """An online clusterer of scaled vectors: seeded, deterministic, of bounded memory and cost a vector."""

    @property
    def name(self) -> str:
        """The name it is chosen by, kept in snapshots."""
        ...

    @property
    def seed(self) -> int:
        """The seed of every choice it makes."""
        ...

    @property
    def clusters_max(self) -> int:
        """The most centers it ever reports."""
        ...

    @property
    def warm(self) -> bool:
        """Whether it has seen enough to have centers."""
        ...

    def learn(self, z: Iterable[float]) -> None:
        """Learn one scaled vector; it is copied. Raises ValueError, unchanged, if it is not finite or
        misshapen.
        """
        ...

    def learn_many(self, z: Floats) -> None:
        """Learn scaled vectors [n, F], the same as one after the other."""
        ...

    def hasten(self, vectors: int) -> None:
        """Forget several times faster for the next `vectors`: after a drift the past misleads."""
        ...

    def centers(self) -> list[Center]:
        """Return at most `clusters_max` centers in a stable order; [] before it is warm."""
        ...


def finite_vector(z: Iterable[float], feature_count: int) -> list[float]:
    """Return the vector as a fresh list of floats.

    Raises ValueError if it has the wrong length or a number that is not finite: one NaN in a running mean
    stays for ever.
    """
    vector = [float(value) for value in z]
    if len(vector) != feature_count:
        msg = f"learner: expected a vector of {feature_count} features, found {len(vector)}"
        raise ValueError(msg)
    if not all(map(math.isfinite, vector)):
        msg = f"learner: a feature is not finite: {vector}"
        raise ValueError(msg)
    return vector
