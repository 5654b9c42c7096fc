"""Robust feature scaling, fitted on a bounded window of vectors and frozen in a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

IQR_OF_NORMAL = 1.349  # interquartile range of a normal distribution with deviation 1
TAIL = 0.02  # the middle 96 % of a feature decides its scale; outliers beyond it may be clipped
SCALE_MIN = 0.02  # in a log feature 2 % more, in a rate 2 points: finer differences are noise, not behaviour
CLIP = 4.0  # deviations; one customer in 16,000 of a normal feature is further out and gets this value
CENTER_TOLERANCE = 0.25  # of a deviation; a smaller move would only reshuffle borderline customers
WITHIN_MIN = 0.1  # of a deviation; narrower within clusters counts as this, or one feature would decide alone
WEIGHT_MIN = 0.2  # so that no feature is lost
SCALE_TOLERANCE = 1.5  # ratio; likewise


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a raw vector becomes a scaled one: z = clip((x - center) / scale, -clip, +clip)."""

    center: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float

    def apply(self, vectors: Floats) -> Floats:
        """Return the scaled copy of raw vectors [n, features]."""
        z = (vectors - np.asarray(self.center)) / np.asarray(self.scale)
        return np.asarray(np.clip(z, -self.clip, self.clip), dtype=np.float64)

    def invert(self, z: Floats) -> Floats:
        """Return raw vectors for scaled ones; what was clipped stays clipped."""
        return np.asarray(z * np.asarray(self.scale) + np.asarray(self.center), dtype=np.float64)

    def moved(self, other: Scaling) -> bool:
        """Tell whether `other` differs enough to be worth rescaling the learner for."""
        shift = np.abs(np.asarray(other.center) - np.asarray(self.center)) / np.asarray(self.scale)
        ratio = np.asarray(other.scale) / np.asarray(self.scale)
        return bool(
            other.clip != self.clip
            or (shift > CENTER_TOLERANCE).any()
            or (ratio > SCALE_TOLERANCE).any()
            or (ratio < 1.0 / SCALE_TOLERANCE).any()
        )


def fit(vectors: Floats, clip: float = CLIP) -> Scaling:
    """Return the scaling of raw vectors [n, features]: median, and a deviation that outliers cannot move.

    The scale is the interquartile range as a deviation. A feature that is zero for most customers has none,
    so the scale is at least what keeps the middle 96 % inside the clip, and never under SCALE_MIN. Raises
    ValueError without vectors or with numbers that are not finite.
    """
    if vectors.ndim != 2 or not len(vectors):  # noqa: PLR2004 - a table has two dimensions
        msg = f"scaling needs a table of vectors, found shape {vectors.shape}"
        raise ValueError(msg)
    if not np.isfinite(vectors).all():
        msg = "scaling: a vector holds a number that is not finite"
        raise ValueError(msg)
    low, quarter, median, three_quarters, high = np.quantile(vectors, [TAIL, 0.25, 0.5, 0.75, 1.0 - TAIL], axis=0)
    reach = np.maximum(high - median, median - low) / clip
    scale = np.maximum(np.maximum((three_quarters - quarter) / IQR_OF_NORMAL, reach), SCALE_MIN)
    return Scaling(center=tuple(median.tolist()), scale=tuple(scale.tolist()), clip=clip)


def sharpen(scaling: Scaling, vectors: Floats, labels: npt.NDArray[np.int64], count: int) -> Scaling:
    """Return the scaling with features weighted by how tightly clusters hold them (`labels` of raw vectors, `count`).

    A feature that varies within every cluster tells none apart; one that is narrow within and wide between does. The
    weight is the inverse of the deviation within clusters, the narrowest feature's is 1, and none is under
    WEIGHT_MIN. Reference: Huang et al. (2005), Automated Variable Weighting in k-Means Type Clustering.
    """
    z = scaling.apply(vectors)
    members = np.maximum(np.bincount(labels, minlength=count), 1)
    total = np.zeros((count, z.shape[1]))
    np.add.at(total, labels, z)
    within = np.sqrt(((z - (total / members[:, None])[labels]) ** 2).mean(axis=0))
    spread = np.maximum(within, WITHIN_MIN)
    weight = np.maximum(spread.min() / spread, WEIGHT_MIN)
    return Scaling(scaling.center, tuple((np.asarray(scaling.scale) / weight).tolist()), scaling.clip)


def translate(prototypes: Floats, old: Scaling, new: Scaling) -> Floats:
    """Return prototypes of the old scaled space in the new one."""
    if old == new:
        return prototypes
    return new.apply(old.invert(prototypes))
