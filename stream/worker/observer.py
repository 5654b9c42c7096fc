"""What a worker tells of itself: every figure of the catalogue, once a batch and never once an event."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.changes import TRIGGERS
from models.events import MINOR_PER_MAJOR, TOPICS
from models.workspace import COUNTERS, DEPARTURES, DUPLICATES, HELD, LATE_EVENTS, SUPPRESSED
from stream.worker.census import NOTHING, Census

if TYPE_CHECKING:
    from models.engine import Judge
    from stream.metrics.registry import Metrics
    from stream.worker.inputs import Taken
    from stream.worker.partition import Partition, Publication
    from stream.worker.replica import Mark, Outcome, Replica

logger = logging.getLogger(__name__)

NOTHING_COUNTED = np.zeros(COUNTERS, np.int64)  # by the kernel, before the first entry
CommitPositions = Callable[["Partition"], None]
SendVectors = Callable[[int, int, int, "Outcome"], Awaitable[None]]


class Observer:
    """Told by partitions what happened."""

    def __init__(
        self, metrics: Metrics, clock: Any, send_vectors: SendVectors, commit_positions: CommitPositions
    ) -> None:
        self._commit_positions = commit_positions
        self.metrics = metrics
        self._clock = clock
        self._send_vectors = send_vectors
        self._applied = [metrics.events_applied.labels(topic) for topic in TOPICS]
        self._kernel_counters = {
            DUPLICATES: metrics.duplicate_events,
            LATE_EVENTS: metrics.late_events,
            DEPARTURES: metrics.departed_customers,
            SUPPRESSED: metrics.suppressed_flips.labels("dwell"),
            HELD: metrics.suppressed_flips.labels("hysteresis"),
        }
        self._censuses: dict[int, Census] = {}
        self._lags: dict[int, tuple[Partition, Any, Any]] = {}  # gauges of each partition
        self._counted: dict[int, Any] = {}  # the engine's counters as told so far, by partition

    async def sampled(self, partition: int, offset: int, as_of_ms: int, outcome: Outcome) -> None:
        """Vectors of some customers, for the trainer, and who left."""
        await self._send_vectors(partition, offset, as_of_ms, outcome)

    def executed(self, partition: Partition, outcome: Outcome, taken: Taken | None) -> None:
        """One entry was executed and its changes are on their way."""
        metrics = self.metrics
        if taken is not None:
            metrics.batches.inc()
            metrics.batch_records.observe(taken.count)
            for applied, count in zip(self._applied, outcome.applied_by_kind, strict=True):
                if count:
                    applied.inc(count)
        self._count(partition)
        for reason in outcome.reasons:
            metrics.dead_letters.labels(reason).inc()
        engine = partition.replica.engine
        if engine is None or not outcome.marks:
            return
        for mark, count in Counter(outcome.marks).items():
            judge = engine.judge if mark.recent else engine.older
            dimensions = judge.definitions.dimensions
            name = dimensions[mark.dimension].name if mark.dimension < len(dimensions) else "retired"
            metrics.changes.labels(name, TRIGGERS[mark.trigger]).inc(count)
            if mark.dimension < len(dimensions):
                self._moved(judge, mark, count)

    def _moved(self, judge: Judge, mark: Mark, count: int) -> None:
        dimension = judge.definitions.dimensions[mark.dimension].name
        moves = (self.metrics.segment_exits, mark.previous), (self.metrics.segment_entries, mark.segment)
        for counted, code in moves:
            name = judge.segment_name(mark.dimension, code)
            if name is not None:
                counted.labels(dimension, name).inc(count)

    def _count(self, partition: Partition) -> None:
        """What the kernel counted since the last entry."""
        engine = partition.replica.engine
        if engine is None:
            return
        before = self._counted.get(partition.number, NOTHING_COUNTED)
        now = self._counted[partition.number] = engine.counters.copy()
        for place in np.flatnonzero(now != before).tolist():
            if place in self._kernel_counters:
                self._kernel_counters[place].inc(int(now[place] - before[place]))

    def timed(self, kernel_seconds: float, ack_seconds: float) -> None:
        """An entry was executed and its journal record acknowledged, both measured from the append."""
        self.metrics.kernel_seconds.observe(kernel_seconds)
        self.metrics.journal_ack_seconds.observe(ack_seconds)

    def decoded(self, seconds: float) -> None:
        """What one fetch brought was decoded."""
        self.metrics.decode_seconds.observe(seconds)

    def published(self, publication: Publication) -> None:
        """The changes of one entry were acknowledged."""
        self.metrics.publish_seconds.observe(self._clock.monotonic_s() - publication.sent_s)
        if publication.oldest_timestamp_ms and publication.outcome.changes:
            latency_ms = self._clock.wall_ms() - publication.oldest_timestamp_ms
            self.metrics.change_latency_seconds.observe(max(latency_ms, 0) / 1000)

    def ticked(self, partition: Partition, due: int, stream_ms: int) -> None:
        """The due column was looked at."""
        number = str(partition.number)
        self.metrics.due_customers.labels(number).set(due)
        self.metrics.stream_time_timestamp_seconds.labels(number).set(stream_ms / 1000)
        self._tell_size(number, partition.replica)

    def _tell_size(self, number: str, replica: Replica) -> None:
        self.metrics.customers.labels(number).set(replica.customers)
        self.metrics.table_used_ratio.labels(number).set(replica.customers / replica.rule.customers_max)

    def adopted(self, partition: Partition, document: str) -> None:
        """A document came into force."""
        self.metrics.adoptions.labels("model" if document == "model" else "definition").inc()
        engine = partition.replica.engine
        if engine is not None and engine.judge.snapshot is not None:
            self.metrics.model_version.labels(str(partition.number)).set(engine.judge.snapshot.version)

    def checkpointed(self, partition: Partition, rows: int, seconds: float, marker: Any) -> None:
        """A checkpoint was committed."""
        self.metrics.checkpoints.inc()
        self.metrics.checkpoint_rows.inc(rows)
        self.metrics.checkpoint_seconds.observe(seconds)
        number = str(partition.number)
        self.metrics.checkpoint_timestamp_seconds.labels(number).set(marker.wall_ms / 1000)
        self._commit_positions(partition)

    def kept_too_much(self, number: int, error: Exception) -> None:
        """What no checkpoint needs could not be deleted."""
        logger.warning("partition %d: old checkpoints and journal stay for now: %s", number, error)
        self.metrics.deletion_failures.inc()

    def claiming(self) -> None:
        """A partition is being claimed."""
        self.metrics.claims.inc()

    def recovered(self, partition: Partition, seconds: float, found: Any) -> None:
        """A claimed partition went live: what it had counted before is another worker's to tell."""
        engine = partition.replica.engine
        self._counted[partition.number] = engine.counters.copy() if engine else NOTHING_COUNTED
        self.metrics.recovery_seconds.observe(seconds)
        self.metrics.recovered_events.inc(found.events)
        self._tell_size(str(partition.number), partition.replica)

    def waiting(self, partition: Partition) -> None:
        """After a poll: records that wait to be applied, and how old the newest applied one is meanwhile."""
        known = self._lags.get(partition.number)
        if known is None or known[0] is not partition:  # a label costs five times what setting it does
            number = str(partition.number)
            records, seconds = self.metrics.lag_records.labels(number), self.metrics.lag_seconds.labels(number)
            known = self._lags[partition.number] = partition, records, seconds
        progress = partition.progress
        behind = progress.lag and progress.newest_timestamp_ms
        known[1].set(progress.lag)
        known[2].set((self._clock.wall_ms() - progress.newest_timestamp_ms) / 1000 if behind else 0)

    def looked(self, partitions: list[Partition]) -> None:
        """Once a second or so: figures that are counted over all rows."""
        live = {partition.number for partition in partitions}
        self._censuses = {number: census for number, census in self._censuses.items() if number in live}
        sizes: dict[tuple[str, str], NDArray[np.int64]] = {}
        for partition in partitions:
            engine = partition.replica.engine
            if engine is None:
                continue
            number = str(partition.number)
            self.metrics.dirty_rows.labels(number).set(engine.table.dirty_rows)
            pending = partition.replica.slots - partition.replica.cursor
            self.metrics.adoption_pending_rows.labels(number).set(max(pending, 0))
            warming = sum(until > partition.replica.stream_ms for until in engine.warming.values())
            self.metrics.warming_categories.labels(number).set(warming)
            census = self._censuses.setdefault(partition.number, Census())
            census.advance(engine)
            for key, counts in census.sizes.items():
                sizes[key] = sizes.get(key, NOTHING) + counts
        metrics = self.metrics
        gauges = (
            metrics.segment_customers,
            metrics.segment_spend,
            metrics.segment_emails_sent,
            metrics.segment_emails_engaged,
        )
        scales = (1, MINOR_PER_MAJOR, 1, 1)
        for gauge, scale, place in zip(gauges, scales, range(len(gauges)), strict=True):
            gauge.clear()
            for (dimension, segment), counts in sizes.items():
                gauge.labels(dimension, segment).set(int(counts[place]) / scale)
