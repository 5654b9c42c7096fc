"""The panel: some of the customers, seen again each rotation, so that change is measured on the same people.

Comparing a sample with an earlier sample of others mixes up change and chance. The trainer samples every customer once
a rotation (a week), so a panel of them says how the same customers have moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CAPACITY = 8_192  # customers: a percent of them is told to within a tenth; at most 2 MB
MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio in 64 bits (Knuth): spreads neighbouring keys


@dataclass(frozen=True, slots=True)
class Meeting:
    """Customers met again: what they were [n, features], what they are, and the time between."""

    before: Floats
    after: Floats
    age_ms: Ints


class Panel:
    """Vectors of a bounded choice of customers, as they were last seen."""

    def __init__(self, feature_count: int, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._shift = np.uint64(0)  # one customer in 2 ** shift is in the panel
        self._seen: dict[int, tuple[Floats, int]] = {}
        self._nobody = np.zeros((0, feature_count))

    def meet(self, keys: Ints, raw: Floats, as_of_ms: int) -> Meeting:
        """Take in sampled customers by key and return those seen before; the oldest choice is halved when full."""
        before, after, age_ms = [], [], []
        for place in np.flatnonzero(self._chosen(keys)).tolist():
            key, vector = int(keys[place]), raw[place].copy()
            known = self._seen.get(key)
            if known is not None and as_of_ms > known[1]:
                before.append(known[0])
                after.append(vector)
                age_ms.append(as_of_ms - known[1])
            self._seen[key] = (vector, as_of_ms)
        while len(self._seen) > self._capacity:
            self._shift += np.uint64(1)
            every = np.fromiter(self._seen, np.int64, len(self._seen))
            for key in every[~self._chosen(every)].tolist():
                del self._seen[key]
        if not before:
            return Meeting(self._nobody, self._nobody, np.zeros(0, np.int64))
        return Meeting(np.array(before), np.array(after), np.array(age_ms, np.int64))

    def forget(self, key: int) -> None:
        """Drop a customer."""
        self._seen.pop(key, None)

    def __contains__(self, key: int) -> bool:
        """Whether a customer of the panel has been seen."""
        return key in self._seen

    def _chosen(self, keys: Ints) -> npt.NDArray[np.bool_]:
        mixed = (keys.astype(np.uint64) * MIX) >> np.uint64(32)
        return np.asarray((mixed & ((np.uint64(1) << self._shift) - np.uint64(1))) == 0)
