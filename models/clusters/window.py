"""The bounded window of the latest sampled customers: a ring of vectors with what RFM and value need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EXTRAS = 4  # recency_days, orders, spend and the key stand behind the features in each row
NO_KEY = -1  # of a customer who is not told apart from others


class Window:
    """The latest `capacity` sampled customers, in order of arrival, and how many of them wait to be learned.

    The window is also the learner's queue, so nothing is held twice. What is overwritten before it was learned is
    counted in `dropped`.
    """

    def __init__(self, capacity: int, feature_count: int) -> None:
        """Make an empty window; memory is `capacity` rows from the start."""
        self.capacity = capacity
        self.seen = 0  # rows in the ring since it was last packed
        self.learned = 0
        self.dropped = 0
        self.taken = 0  # vectors handed out to be learned, ever
        self._feature_count = feature_count
        self._rows = np.zeros((capacity, feature_count + EXTRAS))

    @property
    def pending(self) -> int:
        """How many vectors wait to be learned."""
        return self.seen - self.learned

    def add(self, vectors: Floats, recency_days: Floats, orders: Floats, spend: Floats, keys: Ints) -> None:
        """Append customers, oldest first; the caller has checked shapes and numbers. Keys are below 2**53."""
        rows = np.column_stack([vectors, recency_days, orders, spend, keys])
        start = self.seen + max(0, len(rows) - self.capacity)
        self.seen += len(rows)
        places = np.arange(start, self.seen) % self.capacity
        self._rows[places] = rows[len(rows) - len(places) :]
        lost = max(0, self.pending - self.capacity)
        self.learned += lost
        self.dropped += lost

    def take(self, count: int) -> Floats:
        """Return a copy of the next vectors to learn, at most `count`, and count them as learned."""
        stop = min(self.seen, self.learned + max(0, count))
        rows = self._rows[np.arange(self.learned, stop) % self.capacity, : self._feature_count]
        self.taken += stop - self.learned
        self.learned = stop
        return rows

    def vectors(self, stop: int | None = None, count: int | None = None) -> Floats:
        """Return a copy of the raw vectors before number `stop` (default: all), oldest first, at most `count`."""
        return self._between(stop, count)[:, : self._feature_count]

    def fresh(self) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        """Return each customer once, as last seen: raw vectors, and (recency_days, orders, spend), oldest first."""
        rows = self._between(None, None)
        keys = rows[:, -1]
        newest = len(rows) - 1 - np.unique(keys[::-1], return_index=True)[1]
        rows = rows[np.sort(np.union1d(newest[keys[newest] != NO_KEY], np.flatnonzero(keys == NO_KEY)))]
        extras = rows[:, self._feature_count :]
        return rows[:, : self._feature_count], (extras[:, 0], extras[:, 1], extras[:, 2])

    def forget(self, key: int) -> int:
        """Take a customer out, learned or waiting; return how many vectors it were."""
        if not (self._rows[:, -1] == key).any():
            return 0  # most who leave have left the window long before
        rows = self._between(None, None)
        kept = rows[:, -1] != key
        waiting = kept[len(rows) - self.pending :]
        gone = int((~kept).sum())
        if gone:
            self._rows[: len(rows) - gone] = rows[kept]
            self._rows[len(rows) - gone :] = 0.0  # nothing of the customer stays behind
            self.seen, self.learned = len(rows) - gone, len(rows) - gone - int(waiting.sum())
        return gone

    def _between(self, stop: int | None, count: int | None) -> Floats:
        end = self.seen if stop is None else stop
        start = max(0, self.seen - self.capacity, end - (self.capacity if count is None else count))
        return self._rows[np.arange(start, end) % self.capacity]
