"""Plays the year into Kafka: all topics side by side, in slices of some hours, at a chosen speed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stream.clock import monotonic_s
from stream.demo.faults import Timed, doubled, faults, spread
from stream.kafka.bulk import BulkProducer, BulkRecord

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.simulate.retail import RetailYear

SLICE_MS = 8 * 3_600_000  # below the worker's lateness: topics that arrive one after the other are still in time
AHEAD_MAX = 4_000  # records sent before the worker is known to be done with them: half a second's, so that a busy
# machine plays more slowly instead of showing the latency of a queue
SLICE_SECONDS = 0.05  # between two slices: short beside the latency that is shown


class Player:
    """Sends a year in the order of its event times.

    Attributes
    ----------
    partitions : of the topics it sends to.
    sent : records by topic, faults and copies included.
    duplicate_count : how many of them were copies.
    refusals : the dead letters that must come back, by reason.
    played_ms : the year's time up to which everything has been sent (and acknowledged by Kafka).
    accounted : records the worker is known to be done with; whoever looks at it keeps it up to date.
    started_s, ended_s : when, on the monotonic clock; None before.
    """

    def __init__(self, settings: Settings, year: RetailYear, seconds: float) -> None:
        self._settings, self._year, self._seconds = settings, year, seconds
        self.partitions = settings.partitions
        self._faults = faults(settings.partitions)
        self.sent: Counter[str] = Counter()
        self.duplicate_count = 0
        self.accounted = 0
        self.refusals = Counter(fault.reason for fault in self._faults)
        self._count = sum(year.counts.values())
        self.start_ms, self.end_ms = year.start_ms, year.end_ms
        self.played_ms = year.start_ms
        self.started_s: float | None = None
        self.ended_s: float | None = None

    @property
    def share(self) -> float:
        """How much has been played, 0 to 1."""
        return min(self._share(self.played_ms), 1.0)

    async def run(self) -> None:
        """Play the whole year.

        Raises
        ------
        SegstreamError : Kafka does not take it.
        """
        source = self._records()
        following = next(source, None)
        async with BulkProducer(self._settings) as producer:
            self.started_s = monotonic_s()
            while following is not None:
                slice_s = monotonic_s()
                due = (slice_s - self.started_s) / self._seconds
                until_ms = following[0] + SLICE_MS
                records: list[BulkRecord] = []
                held = self.sent.total() - self.accounted > AHEAD_MAX
                while not held and following and following[0] <= until_ms and self._share(following[0]) <= due:
                    self.played_ms = following[0]
                    records.append(following[1:])
                    following = next(source, None)
                await producer.add(records)
                await producer.flush()
                await asyncio.sleep(max(slice_s + SLICE_SECONDS - monotonic_s(), 0.0))
            self.played_ms, self.ended_s = self.end_ms, monotonic_s()

    def _share(self, ts_ms: int) -> float:
        """How far an event is in the play, 0 to 1: by its date and by its number in equal parts.

        By the date alone the busy autumn would come twice as fast as January, by the number alone January would fly.
        """
        by_date = (ts_ms - self.start_ms) / (self.end_ms - self.start_ms)
        return (by_date + self.sent.total() / self._count) / 2

    def _records(self) -> Iterator[Timed]:
        broken = spread(self._faults, self.start_ms, self.end_ms)
        for record, copy in doubled(self._year.in_time_order()):
            while broken and broken[0][0] <= record[0]:
                self.sent[broken[0][1]] += 1
                yield broken.pop(0)
            self.sent[record[1]] += 1
            self.duplicate_count += copy
            yield record
