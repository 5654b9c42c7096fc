"""Series: one figure a day, held against the usual days before it by River's detectors.

References: Page (1954), Continuous Inspection Schemes; Bifet and Gavalda (2007), Learning from Time-Changing Data with
Adaptive Windowing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from river import drift

WARM_DAYS = 28  # four weeks tell what a usual day is
USUAL_DAYS = 42  # six weeks are the usual days: their median, and their median deviation from it
MAD_OF_NORMAL = 0.6745  # median absolute deviation of a normal distribution with deviation 1
DEVIATIONS_MAX = 5.0  # one day is never enough for an alarm
SPREAD_MIN = 1e-9  # a series that never moved has no spread
USUAL = 1.5  # deviations: days within are calm, whatever their order
PAGE_HINKLEY_SUM = 7.0  # deviations beyond the usual, added up over few days
PAGE_HINKLEY_KEEP = 0.9  # of the sum from day to day: ten days count
ADWIN_DELTA = 1e-4  # chance of a false alarm in a window of one of some twenty series
PULSE_LATEST = 21  # of the usual days: their median; a season's slope is smaller within three weeks
PULSE_WIDE, WIDE_OF_NORMAL = 0.9, 1.645  # nine days of ten deviate by less: weekends and mailings are usual
PULSE_DEVIATIONS_MAX = 2.5  # one day, or a holiday of two, is never enough for an alarm
PULSE_SLACK = 1.0  # deviations a day that are not added up
PULSE_SUM = 4.0  # deviations beyond the slack: three days of 2.4, or of more


@dataclass(slots=True)
class Series:
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
        self.deviations = (value - self.usual) / max(_spread(known), error, SPREAD_MIN)
        size = min(max(abs(self.deviations) - USUAL, 0.0), DEVIATIONS_MAX)
        unusual = size if self.deviations > 0.0 else -size
        self.page_hinkley.update(unusual)  # type: ignore[no-untyped-call] # River
        self.adwin.update(unusual)  # type: ignore[no-untyped-call] # River
        return bool(self.page_hinkley.drift_detected or self.adwin.drift_detected)


@dataclass(slots=True)
class Beat:
    """One figure of the pulse: a day's mean change of everybody, the usual days before it, and Page-Hinkley."""

    days: deque[float] = field(default_factory=lambda: deque(maxlen=USUAL_DAYS))
    usual: float = 0.0
    deviations: float = 0.0
    value: float = 0.0
    page_hinkley: drift.PageHinkley = field(
        default_factory=lambda: drift.PageHinkley(min_instances=1, delta=PULSE_SLACK, threshold=PULSE_SUM, alpha=1.0)
    )

    def update(self, value: float) -> bool:
        """Take in a day's mean; tell whether the detector fires."""
        known = list(self.days)
        self.days.append(value)
        self.value = value
        if len(known) < WARM_DAYS:
            return False
        self.usual = median(known[-PULSE_LATEST:])
        wide = float(np.quantile(_deviations(known), PULSE_WIDE)) / WIDE_OF_NORMAL
        self.deviations = (value - self.usual) / max(_spread(known), wide, SPREAD_MIN)
        unusual = min(max(self.deviations, -PULSE_DEVIATIONS_MAX), PULSE_DEVIATIONS_MAX)
        self.page_hinkley.update(unusual)  # type: ignore[no-untyped-call] # River
        return bool(self.page_hinkley.drift_detected)


def _deviations(known: list[float]) -> list[float]:
    middle = median(known)
    return [abs(day - middle) for day in known]


def _spread(known: list[float]) -> float:
    return median(_deviations(known)) / MAD_OF_NORMAL
