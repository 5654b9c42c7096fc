"""The pulse: how everybody stands at the end of a day, against how the same customers stood a day before.

The panel meets a customer once a rotation, so a change shows in it a seventh on the first day. Means of everybody say
within a day what changed. Only means leave a partition: of all who were there when the day ended, and of those of them
who were there a day earlier, so that newcomers are no change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAY_MS = 86_400_000
PULSE_CUSTOMERS = 32_768  # of a partition at most: 5 ms a day; their mean is as good as everybody's


@dataclass(frozen=True, slots=True)
class Pulse:
    """Mean features [F] of a partition's customers when `day` began, one in `stride` of them.

    `known`, `means`: all who had come before; `older`, `older_means`: those who had come a day before that.
    """

    day: int
    stride: int
    known: int
    means: Floats
    older: int
    older_means: Floats


def pulse_slots(end: int) -> tuple[Ints, int]:
    """Return slots below `end` to look at, and the stride: a power of two, so that it rarely changes."""
    stride = 1
    while end > stride * PULSE_CUSTOMERS:
        stride *= 2
    return np.arange(0, end, stride), stride


def pulse_of(vectors: Floats, first_ms: Ints, day: int, stride: int) -> Pulse:
    """Return the pulse of customers by their raw vectors [n, F] and the times [n] of their first events."""
    known, older = first_ms < day * DAY_MS, first_ms < (day - 1) * DAY_MS
    return Pulse(day, stride, int(known.sum()), _mean(vectors, known), int(older.sum()), _mean(vectors, older))


def _mean(vectors: Floats, of: npt.NDArray[np.bool_]) -> Floats:
    return vectors[of].mean(axis=0) if of.any() else np.zeros(vectors.shape[1])


class Pulses:
    """Pulses of all partitions, from day to day. A day is over when the next begins, or when as many partitions have
    told of it as of the day before.
    """

    def __init__(self) -> None:
        self._last: dict[int, Pulse] = {}  # by partition, of two days at most
        self._changes: list[tuple[int, Floats]] = []  # (customers, their mean change) of the day
        self._day, self._told, self._told_before = -1, 0, 0

    def take(self, partition: int, pulse: Pulse) -> list[tuple[int, Floats]]:
        """Take in a pulse; return (customers, their mean change [F]) of each day that is over with it."""
        over = []
        if pulse.day > self._day:
            over += self._close()
            self._told_before, self._told, self._day = self._told, 0, pulse.day
            self._last = {number: one for number, one in self._last.items() if one.day >= pulse.day - 1}
        self._told += 1
        before = self._last.get(partition)
        self._last[partition] = pulse
        if before and (before.day, before.stride) == (pulse.day - 1, pulse.stride) and before.known and pulse.older:
            self._changes.append((pulse.older * pulse.stride, pulse.older_means - before.means))
        return over + self._close() if self._told == self._told_before else over

    def _close(self) -> list[tuple[int, Floats]]:
        changes, self._changes = self._changes, []
        customers = sum(count for count, _ in changes)
        return [(customers, np.asarray(sum(n * change for n, change in changes) / customers))] if customers else []
