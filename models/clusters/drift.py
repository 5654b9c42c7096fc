"""Drift: did the customers change, or only the days? River's detectors on the same customers a rotation apart.

Levels of a shop are never stationary: customers age, their number of orders grows. What is watched is how much the
same customers changed since they were last seen, each day's mean against what such days usually bring: per feature,
in the distance to the nearest prototype, and in each cluster's share. Page-Hinkley finds a sudden change within days,
ADWIN one that lasts.

References: Page (1954), Continuous Inspection Schemes; Bifet and Gavalda (2007), Learning from Time-Changing Data with
Adaptive Windowing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import numpy.typing as npt
from river import drift

Floats = npt.NDArray[np.float64]

WARM_DAYS = 28  # four weeks tell what a usual day is
PAIRS_MIN = 20  # customers met again on a day; fewer say nothing of a mean
USUAL_DAYS = 42  # six weeks are the usual days: their median, and their median deviation from it
MAD_OF_NORMAL = 0.6745  # median absolute deviation of a normal distribution with deviation 1
DEVIATIONS_MAX = 5.0  # one day is never enough for an alarm
SPREAD_MIN = 1e-9  # a series that never moved has no spread
USUAL = 1.5  # deviations: days within are calm, whatever their order
PAGE_HINKLEY_SUM = 7.0  # deviations beyond the usual, added up over few days
PAGE_HINKLEY_KEEP = 0.9  # of the sum from day to day: ten days count
ADWIN_DELTA = 1e-4  # chance of a false alarm in a window of one of some twenty series
QUIET_DAYS = 21  # after an alarm: a change shows for two rotations, and is one event
MOVED_MIN = 3.0  # deviations of a series that is named in the event
MOVED_MAX = 5  # series named
DAY_MS = 86_400_000


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


@dataclass(slots=True)
class _Series:
    """One figure a day, the usual days before it, and the detectors on what is unusual."""

    days: deque[float] = field(default_factory=lambda: deque(maxlen=USUAL_DAYS))
    usual: float = 0.0
    deviations: float = 0.0
    value: float = 0.0
    page_hinkley: drift.PageHinkley = field(
        default_factory=lambda: drift.PageHinkley(
            min_instances=1, delta=0.0, threshold=PAGE_HINKLEY_SUM, alpha=PAGE_HINKLEY_KEEP
        )
    )
    adwin: drift.ADWIN = field(
        default_factory=lambda: drift.ADWIN(delta=ADWIN_DELTA, clock=1, min_window_length=5, grace_period=14)  # type: ignore[no-untyped-call] # River
    )

    def update(self, value: float, error: float) -> bool:
        """Take in a day's mean and its standard error; tell whether a detector fires."""
        known = list(self.days)
        self.days.append(value)
        self.value = value
        if len(known) < WARM_DAYS:
            return False
        self.usual = median(known)  # numpy's takes a hundred times as long for so few
        spread = median(abs(day - self.usual) for day in known) / MAD_OF_NORMAL
        self.deviations = (value - self.usual) / max(spread, error, SPREAD_MIN)
        size = min(max(abs(self.deviations) - USUAL, 0.0), DEVIATIONS_MAX)
        unusual = size if self.deviations > 0.0 else -size
        self.page_hinkley.update(unusual)  # type: ignore[no-untyped-call] # River
        self.adwin.update(unusual)  # type: ignore[no-untyped-call] # River
        return bool(self.page_hinkley.drift_detected or self.adwin.drift_detected)


class DriftWatch:
    """Watches the same customers from day to day. Feed it what a panel met; a day is closed when the next begins, or
    when as many batches have come as the day before.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self._features = tuple(features)
        self._series: dict[str, _Series] = {}
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

    def _close(self) -> Drift | None:
        table, self._rows = np.concatenate(self._rows), []
        if len(table) < PAIRS_MIN:
            return None
        means, errors = table.mean(axis=0), table.std(axis=0) / np.sqrt(len(table))
        for gone in [name for name in self._series if name not in self._names]:
            del self._series[gone]
        fired = False
        for name, mean, error in zip(self._names, means.tolist(), errors.tolist(), strict=True):
            fired |= self._series.setdefault(name, _Series()).update(mean, error)
        if not fired or self._as_of_ms < self._quiet_until_ms:
            return None
        self._quiet_until_ms = self._as_of_ms + QUIET_DAYS * DAY_MS
        return Drift(self._as_of_ms, self._moved())

    def _moved(self) -> tuple[Moved, ...]:
        ranked = sorted(self._series.items(), key=lambda item: (-abs(item[1].deviations), item[0]))
        named = [item for item in ranked if abs(item[1].deviations) >= MOVED_MIN] or ranked[:1]
        return tuple(Moved(name, one.value, one.usual, one.deviations) for name, one in named[:MOVED_MAX])


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
