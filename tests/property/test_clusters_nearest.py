"""The compiled distances, nearest prototypes and means of clusters: numpy's own bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.clusters.nearest import distances_squared, nearest
from models.clusters.seeding import settle
from models.clusters.shape import FEATURES_MAX

SHAPES = st.tuples(st.integers(1, 300), st.integers(1, 9), st.integers(2, FEATURES_MAX), st.integers(0, 2**32 - 1))


@given(SHAPES, st.booleans())
def test_compiled_distances_and_means_are_bit_for_bit_those_of_numpy(
    shape: tuple[int, int, int, int],
    ties: bool,  # noqa: FBT001 - drawn
) -> None:
    """Distances, nearest prototypes and means equal the numpy expressions that they stand for, in every bit."""
    count, prototypes, width, seed = shape
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(2 * count, width))[::2] * 10.0 ** rng.integers(-3, 4)
    centers = rng.normal(size=(prototypes, width))
    if ties:  # whole numbers: equal distances, and sums of which some are zero
        z, centers = np.rint(z), np.rint(centers)
    expected = np.stack([((z - center) ** 2).sum(axis=1) for center in centers], axis=1)
    assert distances_squared(z, centers).tobytes() == expected.tobytes()
    labels, squared = nearest(z, centers)
    assert labels.tolist() == expected.argmin(axis=1).tolist()
    assert squared.tobytes() == expected.min(axis=1).tobytes()
    middle = [z[labels == k].mean(axis=0) if (labels == k).any() else centers[k] for k in range(prototypes)]
    assert (settle(z, centers, 1) == np.array(middle)).all()
