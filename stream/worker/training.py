"""The trainer's shell: runs in the worker that owns the one partition of segment-vectors.

A successor takes its transactional identity, so a superseded trainer cannot publish. Learning itself happens in a
process of its own (`trainer_process`), started with the first sample: events never wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from models.clusters.snapshot import Snapshot, digest
from stream.codec import model_events, training
from stream.codec.definitions import decode_snapshot, encode_snapshot
from stream.codec.vectors import BrokenVectorsError, decode, decode_forget, decode_pulse
from stream.kafka.feed import Feed
from stream.worker.documents import MODELS_TOPIC, Documents
from stream.worker.log import LogUnavailableError

if TYPE_CHECKING:
    from stream.metrics.registry import Metrics
    from stream.settings import Settings
    from stream.worker.log import Transactions

logger = logging.getLogger(__name__)

TOPIC = "segment-vectors"
PLACE = (TOPIC, 0)  # it has one partition
EVENTS_TOPIC = "segment-model-events"
POLL_MS = 200  # how long to wait for vectors


def version_of(snapshot: Snapshot | None) -> int:
    """Its version, below all when there is none."""
    return snapshot.version if snapshot else -1


class Child(Protocol):
    """Who learns: asked in turn."""

    async def ask(self, message: training.Message) -> training.Answer:
        """Send a message and wait for its answer; raises LogUnavailableError when there will be none."""
        ...

    async def stop(self) -> None:
        """End it; what it had learned since the last snapshot is learned again from segment-vectors."""
        ...


# From the settings, the snapshot in force and the newest.
StartChild = Callable[["Settings", Snapshot | None, Snapshot | None], Awaitable[Child]]


class TrainerChild:
    """The trainer's process: asked in turn, ended with its input."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, settings: Settings, previous: Snapshot | None, newest: Snapshot | None) -> TrainerChild:
        """Start it from the snapshots in force and newest."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "stream.worker.trainer_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        child = cls(process)
        documents = [encode_snapshot(one) if one else None for one in (previous, newest)]
        child._write(
            training.Begin(
                settings.learner,
                settings.clusters,
                settings.seed,
                settings.moved_max,
                settings.trainer_core_share,
                *documents,
            )
        )
        return child

    async def ask(self, message: training.Message) -> training.Answer:
        """Send a message and wait for its answer; raises LogUnavailableError when the process is gone."""
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe; for the type checker
        try:
            self._write(message)
            head = await self._process.stdout.readexactly(training.LENGTH_BYTES)
            return training.answer_of(await self._process.stdout.readexactly(training.length_of(head)))
        except (asyncio.IncompleteReadError, OSError):
            raise LogUnavailableError("the trainer's process has ended; its last lines say why") from None

    async def stop(self) -> None:
        """End it; what it had learned since the last snapshot is learned again from segment-vectors."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _write(self, message: training.Message) -> None:
        assert self._process.stdin is not None  # noqa: S101 - as above
        self._process.stdin.write(training.framed(message))


class TrainerService:
    """Has segment-vectors learned and publishes snapshots, lineage and drifts until cancelled."""

    def __init__(
        self,
        settings: Settings,
        documents: Documents,
        metrics: Metrics,
        transactions: Transactions,
        start_child: StartChild = TrainerChild.start,
    ) -> None:
        self._settings, self._documents, self._metrics = settings, documents, metrics
        self._transactions, self._start_child = transactions, start_child
        self._seen: dict[tuple[int, int], int] = {}  # (partition, part) -> newest journal offset; bounded by both
        self._sampled: dict[int, int] = {}  # partition -> newest journal offset of a sample; bounded by the partitions
        self._told: dict[int, int] = {}  # likewise of a pulse
        self._child: Child | None = None
        self._in_force: Snapshot | None = None  # as far as the child knows
        self._published_ms = 0

    async def run(self, start: int) -> None:
        """Learn from offset `start` of the vectors on."""
        newest = self._documents.newest
        self._published_ms = newest.as_of_ms if newest else 0
        feed = Feed(self._settings, client_id="trainer")
        await feed.start()
        try:
            feed.assign({PLACE: start})
            while True:
                for block in (await feed.poll(POLL_MS)).values():
                    await self._take_all(list(block.records()), feed.remaining(PLACE) or 0)
        finally:
            if self._child is not None:
                await self._child.stop()
            await feed.stop()

    async def _take_all(self, records: list[Any], more: int) -> None:
        """Take what one fetch brought; `more` records lie behind it."""
        for taken, record in enumerate(records):
            self._metrics.trainer_lag_records.set(len(records) - taken + more)
            await self._take(record)
        self._metrics.trainer_lag_records.set(more)

    async def _take(self, record: Any) -> None:
        value = record.value or b""
        forget = decode_forget(value)
        if forget is not None:
            if forget.offset > self._sampled.get(forget.partition, -1):  # else a recovery sent it again
                await self._ask(training.Forget(forget.key))
            return
        told = decode_pulse(value)
        if told is not None:
            if self._told.get(told.partition, -1) < told.offset:  # else a recovery sent it again
                self._told[told.partition] = told.offset
                await self._ask(training.Beat(value))
            return
        try:
            packed = decode(value)
        except BrokenVectorsError as error:
            logger.warning("%s offset %d is no sample: %s", TOPIC, record.offset, error)
            return
        key = (packed.partition, packed.part)
        if self._seen.get(key, -1) >= packed.offset:
            return  # a recovery sent it again
        self._seen[key] = packed.offset
        self._sampled[packed.partition] = packed.offset
        await self._ask(training.Learn(value))
        if not self._published_ms:
            self._published_ms = packed.as_of_ms - self._settings.snapshot_interval_ms // 2  # the first comes sooner
        if packed.as_of_ms - self._published_ms >= self._settings.snapshot_interval_ms:
            await self._publish(packed.as_of_ms)

    async def _ask(self, message: training.Message) -> training.Answer:
        """Ask the child, started when first needed; tell it of a held snapshot that was approved meanwhile."""
        snapshot = self._documents.snapshot
        if self._child is None:
            self._child = await self._start_child(self._settings, snapshot, self._documents.newest)
            self._in_force = snapshot
        # Documents come a moment after they are published: until then they hold an older snapshot than the child has.
        if snapshot is not None and snapshot.held and snapshot.version > version_of(self._in_force):
            self._in_force = snapshot
            await self._child.ask(training.Adopted(encode_snapshot(snapshot)))
        answer = await self._child.ask(message)
        self._metrics.vectors_learned.inc(answer.learned)
        self._metrics.trainer_cpu_seconds.inc(answer.cpu_s)
        for alarm in answer.alarms:
            await self._warn(alarm)
        return answer

    async def _warn(self, alarm: training.Alarm) -> None:
        model = digest(self._in_force) if self._in_force else None
        await self._transactions.write([(EVENTS_TOPIC, [(b"drift", model_events.of_drift(alarm, model))])])
        self._metrics.drifts.inc()
        logger.warning("drift: %s moved", ", ".join(series for series, *_ in alarm.moved))

    async def _publish(self, as_of_ms: int) -> None:
        document = (await self._ask(training.Publish(as_of_ms))).document
        if document is None:
            return
        self._published_ms = as_of_ms
        snapshot = decode_snapshot(document)
        name = digest(snapshot).encode()
        events = [(name, value) for value in model_events.of_snapshot(snapshot)]
        await self._transactions.write([(MODELS_TOPIC, [(name, document)]), (EVENTS_TOPIC, events)])
        self._metrics.snapshots.inc()
        if snapshot.held:
            self._metrics.snapshots_held.inc()
            logger.warning("model %s would move too many: held until `segstream personas --approve`", name.decode())
            return
        self._in_force = snapshot
        logger.info("model version %d published: %d clusters", snapshot.version, len(snapshot.clusters))
