"""Drift: a change is told within days and named; calm is calm, also while everybody ages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.clusters.drift import DAY_MS, Drift, DriftWatch
from models.clusters.panel import Panel

Floats = npt.NDArray[np.float64]

DAYS, CHANGE_DAY, CUSTOMERS, WEEK = 120, 80, 700, 7


def alarms(seed: int, change: float) -> list[Drift]:
    """A shop whose customers' orders grow every day; from CHANGE_DAY on their clicks change by `change` a day."""
    rng = np.random.default_rng(seed)
    state = rng.normal(0.0, 1.0, (CUSTOMERS, 2))
    panel, watch, found = Panel(2), DriftWatch(("clicks", "orders")), []
    for day in range(DAYS):
        state[:, 0] += rng.normal(0.0, 0.1, CUSTOMERS) + (change if day >= CHANGE_DAY else 0.0)
        state[:, 1] += rng.gamma(1.0, 0.05, CUSTOMERS)  # ageing: the level never stands still
        keys = np.arange(day % WEEK, CUSTOMERS, WEEK)
        met = panel.meet(keys, state[keys], day * DAY_MS)
        if len(met.age_ms):
            alarm = watch.watch(day * DAY_MS, met.before, met.after, None, ())
            found += [alarm] if alarm else []
    return found


def test_nothing_is_told_of_customers_who_only_age() -> None:
    """Four months of growth that goes on as before: no alarm, for several seeds."""
    assert [alarms(seed, 0.0) for seed in range(5)] == [[]] * 5


def test_a_change_is_told_within_three_days_and_named() -> None:
    """The series that moved stands first with its direction; while it goes on, once more after the quiet weeks."""
    for seed in range(3):
        alarm, *later = alarms(seed, -0.08)
        assert len(later) <= 1
        assert CHANGE_DAY <= alarm.as_of_ms // DAY_MS <= CHANGE_DAY + 3
        assert alarm.moved[0].series == "clicks"
        assert alarm.moved[0].change < alarm.moved[0].usual
        assert alarm.moved[0].deviations < -3.0


def test_a_panel_is_bounded_and_meets_the_same_customers() -> None:
    """Of many a stable part is kept; who is in it is met with what was seen last."""
    panel, keys = Panel(1, capacity=100), np.arange(5_000)
    places = keys[:, None].astype(np.float64)
    panel.meet(keys, places, 0)
    met = panel.meet(keys, places + np.float64(0.5), DAY_MS)
    assert 40 <= len(met.age_ms) <= 100
    assert (met.after - met.before == 0.5).all()
    assert (met.age_ms == DAY_MS).all()
    one = int(met.before[0, 0])
    panel.forget(one)
    assert one not in panel
