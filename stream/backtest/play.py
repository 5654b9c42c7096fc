"""The loop: records in time order to their partitions, and every interval the trainer's turn.

Partitions meet where a model is due: everything before has been applied and sampled, the model is made and adopted by
all at that time. Between, they go on by themselves. So the outcome does not hang on how many processes there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.clusters.pulse import DAY_MS, Pulse
from models.clusters.settings import TrainerSettings
from models.clusters.snapshot import Snapshot
from models.clusters.trainer import Trainer
from models.clusters.training import warm
from models.features.catalogue import CLUSTER_FEATURES
from stream.backtest.crew import Crew
from stream.backtest.fitted import Fitted
from stream.backtest.fitting import Fitter
from stream.backtest.partition_run import Customers, Sample
from stream.backtest.route import Route
from stream.codec.vectors import SLOT_BITS


class Source(Protocol):
    """Something with records: a file, or a range of topics."""

    done: int
    total: int

    @property
    def name(self) -> str:
        """For people."""
        ...

    def records(self, fitter: Fitter) -> Iterator[Fitted]:
        """Records in the source's own order."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """The trainer's times, and how many customers it looks at; all in stream time."""

    sample_interval_ms: int
    sample_rotation: int
    snapshot_interval_ms: int
    vectors_per_interval: int  # of all partitions together


Asked = tuple[int, Sequence[Future[Sample]], Sequence[Future[Pulse]]]  # at_ms, samples and pulses of all partitions


@dataclass(slots=True)
class Learning:
    """The trainer inline: samples in, a snapshot when one is due."""

    trainer: Trainer
    schedule: Schedule
    snapshots: list[Snapshot] = field(default_factory=list)
    published_ms: int = 0
    _waiting: deque[Asked] = field(default_factory=deque)  # as many as a snapshot interval has
    _day: int = -1  # of the newest pulses

    def add(self, at_ms: int, samples: Sequence[Future[Sample]], pulses: Sequence[Future[Pulse]] = ()) -> None:
        """Take samples, and pulses, of all partitions; those that are there already are learned."""
        self._waiting.append((at_ms, samples, pulses))
        while self._waiting and all(one.done() for some in self._waiting[0][1:] for one in some):
            self._learn(*self._waiting.popleft())

    def is_new_day(self, at_ms: int) -> bool:
        """Whether the day's pulses have not been asked for yet."""
        before, self._day = self._day, at_ms // DAY_MS
        return before < self._day

    def due(self, at_ms: int) -> bool:
        """Whether a snapshot is due; the first comes sooner."""
        if not self.published_ms:
            self.published_ms = at_ms - self.schedule.snapshot_interval_ms // 2
        return at_ms - self.published_ms >= self.schedule.snapshot_interval_ms

    def snapshot(self, at_ms: int) -> Snapshot | None:
        """Learn what was sampled and give the next snapshot, None while there is too little."""
        while self._waiting:
            self._learn(*self._waiting.popleft())
        made = self.trainer.snapshot(at_ms)
        if made is not None:
            self.published_ms = at_ms
            self.snapshots.append(made)
            if made.held:  # nobody is there to approve it: what would have been, had it been
                self.trainer.adopt(made)
        return made

    def _learn(self, at_ms: int, samples: Sequence[Future[Sample]], pulses: Sequence[Future[Pulse]]) -> None:
        for partition, pulse in enumerate(pulses):
            self.trainer.pulse(at_ms, partition, pulse.result())
        for partition, sample in enumerate(samples):
            found, base = sample.result(), partition << SLOT_BITS
            for slot in found.left.tolist():
                self.trainer.forget(base + slot)
            if len(found.vectors):
                recency_days, orders, spend = found.amounts.T
                self.trainer.learn(found.vectors, recency_days, orders, spend, at_ms, found.slots + base)
        while self.trainer.learn_slice(self.trainer.pending):
            pass


def learning(schedule: Schedule, settings: TrainerSettings) -> Learning:
    """A trainer that has seen nothing; what it computes with is compiled."""
    warm(settings)
    return Learning(Trainer(CLUSTER_FEATURES, settings), schedule)


@dataclass(slots=True)
class Played:
    """How far a run came."""

    events: int = 0
    last_ms: int = 0
    complete: bool = True
    at: list[tuple[int, Customers]] = field(default_factory=list)


def play(
    blocks: Iterator[Fitted],
    crew: Crew,
    route: Route,
    learner: Learning | None,
    schedule: Schedule,
    *,
    moments: Sequence[int] = (),
    until_ms: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Played:
    """Apply all records. `moments` are times (epoch ms, ascending) at which everybody is written down.

    `until_ms` ends the run there; `stopped` is asked between two blocks; `on_progress` is told the events so far.
    """
    played = Played()
    asked = deque(moments)
    interval_ms = schedule.sample_interval_ms
    for block in blocks:
        ts_ms = block["ts_ms"]
        if until_ms is not None and ts_ms[-1] > until_ms:
            block = block[: int(np.searchsorted(ts_ms, until_ms, side="right"))]  # noqa: PLW2901 - the rest is not ours
            ts_ms = block["ts_ms"]
        for start, end in _cuts(ts_ms, interval_ms, asked):
            first_ms = int(ts_ms[start])
            border_ms = first_ms // interval_ms * interval_ms
            if 0 < played.last_ms < border_ms:
                _write_down(crew, asked, border_ms - 1, played)
                _boundary(crew, learner, schedule, border_ms)
            _write_down(crew, asked, first_ms - 1, played)
            for partition, records, slots, ids in route.split(block[start:end]):
                crew.tell(partition, "apply", records, slots, ids)
            played.events += end - start
            played.last_ms = int(ts_ms[end - 1])
        on_progress(played.events)
        if stopped():
            played.complete = False
            break
        if until_ms is not None and len(ts_ms) and ts_ms[-1] >= until_ms:
            break
    if played.complete and asked:
        _write_down(crew, asked, asked[-1], played)
    return played


def _cuts(ts_ms: NDArray[np.int64], interval_ms: int, moments: deque[int]) -> Iterator[tuple[int, int]]:
    """Ranges of a block between which an interval begins or a moment lies."""
    if not len(ts_ms):
        return
    interval = ts_ms // interval_ms
    borders = np.flatnonzero(interval[1:] != interval[:-1]) + 1
    places = [int(np.searchsorted(ts_ms, moment, side="right")) for moment in moments]
    inner = sorted({*borders.tolist(), *(place for place in places if 0 < place < len(ts_ms))})
    yield from zip([0, *inner], [*inner, len(ts_ms)], strict=True)


def _boundary(crew: Crew, learner: Learning | None, schedule: Schedule, at_ms: int) -> None:
    """A new interval begins: time passes up to it, and the trainer has its turn."""
    for partition in range(crew.partitions):
        crew.tell(partition, "pass_time", at_ms)
        crew.tell(partition, "look", at_ms)
    if learner is None:
        return
    most = -(-schedule.vectors_per_interval // crew.partitions)
    interval = at_ms // schedule.sample_interval_ms
    samples = crew.ask("sample", interval, at_ms, schedule.sample_rotation, most)
    learner.add(at_ms, samples, crew.ask("pulse", at_ms) if learner.is_new_day(at_ms) else ())
    if learner.due(at_ms) and (snapshot := learner.snapshot(at_ms)) is not None:
        for partition in range(crew.partitions):
            crew.tell(partition, "adopt", snapshot, at_ms)


def _write_down(crew: Crew, asked: deque[int], until_ms: int, played: Played) -> None:
    """Write down everybody at the moments that lie before the next event."""
    while asked and asked[0] <= until_ms:
        at_ms = asked.popleft()
        parts = [answer.result() for answer in crew.ask("customers", at_ms)]
        played.at.append((at_ms, joined(parts)))


def joined(parts: Sequence[Customers]) -> Customers:
    """Customers of several partitions as one table, partition by partition."""

    def column(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(part, name) for part in parts])

    def by_variant(name: str) -> list[NDArray[np.int64]]:
        return [np.concatenate(arrays) for arrays in zip(*(getattr(part, name) for part in parts), strict=True)]

    return Customers(
        ids=[one for part in parts for one in part.ids],
        partition=column("partition"),
        first_ms=column("first_ms"),
        newest_ms=column("newest_ms"),
        first_order_ms=column("first_order_ms"),
        last_order_ms=column("last_order_ms"),
        orders=column("orders"),
        spend_minor=column("spend_minor"),
        emails_sent=column("emails_sent"),
        engaged=column("engaged"),
        unsubscribes=column("unsubscribes"),
        hits=column("hits"),
        segments=by_variant("segments"),
        since_ms=by_variant("since_ms"),
        valid_until_ms=by_variant("valid_until_ms"),
    )
