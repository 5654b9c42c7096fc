"""Is confidence worth its name? How often a customer was in the same cluster a rotation later, by confidence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.clusters.shape import Stay

Floats = npt.NDArray[np.float64]

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8)  # confidence from which a class begins: five are told apart by eye
FADE = 0.5  # of the counts after each snapshot: the last few months count


class Calibration:
    """Counts customers met again by the confidence they were assigned with, under one snapshot at both times."""

    def __init__(self) -> None:
        self._met = np.zeros(len(EDGES))
        self._stayed = np.zeros(len(EDGES))

    def add(self, before: Floats, after: Floats) -> None:
        """Take in squared distances [n, k] of the same customers to the prototypes, before and after."""
        if before.shape[1] < 2:  # noqa: PLR2004 - one cluster leaves nothing to be sure of
            return
        nearest, second = np.partition(before, 1, axis=1)[:, :2].T
        confidence = 1.0 - nearest / np.maximum(second, 1e-12)  # as the kernel's; equal distances are a border
        place = np.searchsorted(EDGES, confidence, side="right") - 1
        stayed = before.argmin(axis=1) == after.argmin(axis=1)
        self._met += np.bincount(place, minlength=len(EDGES))
        self._stayed += np.bincount(place, weights=stayed, minlength=len(EDGES))

    def stays(self) -> tuple[Stay, ...]:
        """The shares that stayed, by confidence, of classes that were met; the counts then fade."""
        found = tuple(
            Stay(edge, stayed / met, round(met))
            for edge, met, stayed in zip(EDGES, self._met.tolist(), self._stayed.tolist(), strict=True)
            if met >= 1.0
        )
        self._met *= FADE
        self._stayed *= FADE
        return found
