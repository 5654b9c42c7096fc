"""Drift: did the customers change, or only the days? River's detectors on the same customers, then and now.

Levels of a shop are never stationary: customers age, their number of orders grows. What is watched is how much the
same customers changed, each day's mean against what such days usually bring. The panel tells of a rotation: per
feature, in the distance to the nearest prototype, and in each cluster's share. The pulse tells of a day: per feature,
of everybody. Page-Hinkley finds a sudden change within days, ADWIN one that lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clusters.pulse import DAY_MS, Pulse, Pulses
from models.clusters.series import Beat, Series

Floats = npt.NDArray[np.float64]

PAIRS_MIN = 20  # customers met again on a day; fewer say nothing of a mean
QUIET_DAYS = 21  # after an alarm: a change shows for two rotations, and is one event
MOVED_MIN = 3.0  # deviations of a series that is named in the event
MOVED_MAX = 5  # series named


@dataclass(frozen=True, slots=True)
class Moved:
    """One series that moved: its name, the day's mean change of a customer, the usual one, and their distance in
    deviations.
    """

    series: str
    change: float
    usual: float
    deviations: float


@dataclass(frozen=True, slots=True)
class Drift:
    """An alarm: the day, and what moved, furthest first."""

    as_of_ms: int
    moved: tuple[Moved, ...]


class DriftWatch:
    """Watches the same customers from day to day. Feed it what a panel met, and pulses; a day is closed when the next
    begins, or when as many batches have come as the day before.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self._features = tuple(features)
        self._series: dict[str, Series] = {}
        self._pulses = Pulses()
        self._beats = [Beat() for _ in self._features]
        self._rows: list[Floats] = []
        self._names: tuple[str, ...] = ()
        self._day, self._batches, self._batches_before = -1, 0, 0
        self._quiet_until_ms = 0
        self._as_of_ms = 0

    def watch(
        self, as_of_ms: int, before: Floats, after: Floats, places: tuple[Floats, Floats] | None, ids: Sequence[int]
    ) -> Drift | None:
        """Take in customers met again: vectors [n, features] before and after.

        `places`: squared distances [n, k] to the prototypes of `ids`, before and after; None without a snapshot.
        Returns an alarm when this completes a day on which one is due.
        """
        day = as_of_ms // DAY_MS
        alarm = self._close() if day > self._day and self._rows else None
        if day > self._day:
            self._batches_before, self._batches = self._batches, 0
            self._day = day
        names, columns = _columns(self._features, before, after, places, ids)
        if names != self._names:
            self._rows, self._names = [], names
        self._rows.append(columns)
        self._as_of_ms = max(self._as_of_ms, as_of_ms)
        self._batches += 1
        if self._batches == self._batches_before:
            alarm = self._close() or alarm
        return alarm

    def pulse(self, as_of_ms: int, partition: int, pulse: Pulse) -> Drift | None:
        """Take in a partition's pulse; return an alarm when this completes a day on which one is due."""
        alarm = None
        for customers, change in self._pulses.take(partition, pulse):
            if customers < PAIRS_MIN:
                continue
            fired = [beat.update(value) for beat, value in zip(self._beats, change.tolist(), strict=True)]
            if any(fired):
                named = [(f"{name} of a day", beat) for name, beat in zip(self._features, self._beats, strict=True)]
                alarm = self._alarm(as_of_ms, named) or alarm
        return alarm

    def _close(self) -> Drift | None:
        table, self._rows = np.concatenate(self._rows), []
        if len(table) < PAIRS_MIN:
            return None
        means, errors = table.mean(axis=0), table.std(axis=0) / np.sqrt(len(table))
        for gone in [name for name in self._series if name not in self._names]:
            del self._series[gone]
        fired = False
        for name, mean, error in zip(self._names, means.tolist(), errors.tolist(), strict=True):
            fired |= self._series.setdefault(name, Series()).update(mean, error)
        return self._alarm(self._as_of_ms, list(self._series.items())) if fired else None

    def _alarm(self, as_of_ms: int, series: Sequence[tuple[str, Series | Beat]]) -> Drift | None:
        """The alarm, unless the last one was just now; with what moved, furthest first."""
        if as_of_ms < self._quiet_until_ms:
            return None
        self._quiet_until_ms = as_of_ms + QUIET_DAYS * DAY_MS
        ranked = sorted(series, key=lambda item: (-abs(item[1].deviations), item[0]))
        named = [item for item in ranked if abs(item[1].deviations) >= MOVED_MIN] or ranked[:1]
        return Drift(
            as_of_ms, tuple(Moved(name, one.value, one.usual, one.deviations) for name, one in named[:MOVED_MAX])
        )


def _columns(
    features: tuple[str, ...],
    before: Floats,
    after: Floats,
    places: tuple[Floats, Floats] | None,
    ids: Sequence[int],
) -> tuple[tuple[str, ...], Floats]:
    """Names of the series, and each customer's change in them [n, series]."""
    change = after - before
    if places is None or not len(ids):
        return features, change
    was, now = places
    distance = np.sqrt(now.min(axis=1)) - np.sqrt(was.min(axis=1))
    each = np.arange(len(ids))
    moved = (now.argmin(axis=1)[:, None] == each).astype(np.float64) - (was.argmin(axis=1)[:, None] == each)
    names = (*features, "distance", *(f"share of cluster-{i}" for i in ids))
    return names, np.column_stack([change, distance, moved])
