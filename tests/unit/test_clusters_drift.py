"""Drift: a change is told within days and named; calm is calm, also while everybody ages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.clusters.drift import Drift, DriftWatch
from models.clusters.panel import Panel
from models.clusters.pulse import DAY_MS, PULSE_CUSTOMERS, Pulse, Pulses, pulse_of, pulse_slots

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


def pulses(seed: int, *, partitions: int = 2, before: float = 0.0, change: float = 0.0) -> list[Drift]:
    """Everybody's days, in a shop whose customers age and come in greater numbers; from CHANGE_DAY on one more of their
    features changes by `change` a day, before it by `before`.
    """
    rng = np.random.default_rng(seed)
    state = rng.normal(0.0, 1.0, (partitions, CUSTOMERS, 2))
    watch, found = DriftWatch(("clicks", "orders")), []
    first_ms = np.linspace(0, DAYS * DAY_MS, CUSTOMERS).astype(np.int64)
    for day in range(1, DAYS):
        state[:, :, 0] += rng.normal(0.0, 0.1, (partitions, CUSTOMERS)) + (change if day >= CHANGE_DAY else before)
        state[:, :, 1] += rng.gamma(1.0, 0.05, (partitions, CUSTOMERS))
        here = first_ms < day * DAY_MS
        for partition in range(partitions):
            told = pulse_of(state[partition][here], first_ms[here], day, 1)
            alarm = watch.pulse(day * DAY_MS - 1, partition, told)
            found += [alarm] if alarm else []
    return found


def test_the_pulse_of_customers_who_only_age_and_come_is_no_alarm() -> None:
    """Newcomers, who are unlike the others, are no change; nor is what goes on every day. For several seeds."""
    assert [pulses(seed, before=0.05, change=0.05) for seed in range(5)] == [[]] * 5


def test_the_pulse_tells_a_change_within_three_days_and_names_it() -> None:
    """A change of a third of what a customer varies by from day to day: named with its direction, once."""
    for seed in range(3):
        (alarm,) = pulses(seed, change=-0.03)
        assert CHANGE_DAY <= alarm.as_of_ms // DAY_MS + 1 <= CHANGE_DAY + 3
        assert alarm.moved[0].series == "clicks of a day"
        assert alarm.moved[0].change < alarm.moved[0].usual


def test_a_day_is_over_with_its_last_partition_or_with_the_next_day() -> None:
    """Whichever comes first; a partition that told nothing the day before, or looked at others, counts for nothing."""

    def told(day: int, mean: float, stride: int = 1) -> Pulse:
        return Pulse(day, stride, 10, np.array([mean]), 10, np.array([mean]))

    days = Pulses()
    assert days.take(0, told(1, 0.0)) == days.take(1, told(1, 10.0)) == []
    assert days.take(0, told(2, 1.0)) == []
    assert days.take(1, told(2, 14.0)) == [(20, np.array([2.5]))]
    assert days.take(0, told(3, 4.0)) == []
    assert days.take(0, told(4, 5.0)) == [(10, np.array([3.0])), (10, np.array([1.0]))]  # 0 alone, days 3 and 4
    assert days.take(1, told(4, 99.0)) == []  # it told nothing on day 3
    assert days.take(0, told(5, 4.0, stride=2)) == days.take(0, told(6, 5.0)) == []  # others were looked at


def test_a_great_partition_is_looked_at_by_a_stride_that_rarely_changes() -> None:
    """At most so many customers, from all over the table; the stride is a power of two."""
    for end, expected in ((0, 1), (PULSE_CUSTOMERS, 1), (PULSE_CUSTOMERS + 1, 2), (1_000_000, 32)):
        slots, stride = pulse_slots(end)
        assert stride == expected
        assert len(slots) == -(-end // stride) <= PULSE_CUSTOMERS


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
