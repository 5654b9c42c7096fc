"""Old checkpoints and journal are deleted after their day; a log that refuses costs room, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from models.customers.row import ROW_VERSION
from stream.metrics.registry import Metrics
from stream.simulate import events
from stream.worker import checkpoint, markers
from stream.worker.log import LogUnavailableError
from stream.worker.observer import Observer
from stream.worker.partition import Partition
from tests.golden.recording import settings_of
from tests.still import StillClock, StillLog, claimed, send, work

NOW_MS = 1_800_000_000_000  # after every simulated event
SENT = [(one.topic, one.payload) for one in events(5, 12, 60)]


class Refusing(StillLog):
    """Deletes nothing as long as it refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses, self.asked = True, 0

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See Log.delete_before."""
        self.asked += 1
        if self.refuses:
            raise LogUnavailableError("segment-journal [0] was not deleted: TopicAuthorizationFailedError")
        await super().delete_before(topic, partition, offset)


async def _checkpoints(log: Refusing, partition: Partition, clock: StillClock, count: int) -> None:
    """Let so many happen, each after its own records and more than a day after the one before."""
    for _ in range(count):
        clock.now_ms += 2 * markers.KEPT_MS
        send(log, [(topic, {**payload, "event_id": f"{clock.now_ms} {i}"}) for i, (topic, payload) in enumerate(SENT)])
        before = partition._cycle.part
        await work(log, partition, lambda before=before: partition._cycle.part != before)


def test_a_log_that_deletes_nothing_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checkpoint is committed and tries anew, what is kept stays bounded, and it is deleted when the log can."""
    monkeypatch.setattr(markers, "KEPT_MAX", 5)
    monkeypatch.setattr(checkpoint, "SLICES", 100)
    log, clock, metrics = Refusing(), StillClock(NOW_MS), Metrics()
    settings = replace(settings_of(ROW_VERSION), checkpoint_events=100)

    async def lives() -> None:
        send(log, [], settings.definitions)
        partition = await claimed(log, settings, clock)

        async def nowhere(*_: Any) -> None:
            await asyncio.sleep(0)

        partition._observer = Observer(metrics, clock, nowhere, lambda _: None)
        await _checkpoints(log, partition, clock, 9)
        assert metrics.checkpoints._value.get() >= 9
        assert metrics.deletion_failures._value.get() == log.asked > 5
        assert log.shelf("segment-journal").start == 0
        assert len(partition._cycle.kept) <= 5
        log.refuses = False
        await _checkpoints(log, partition, clock, 1)
        assert log.shelf("segment-journal").start > 0
        assert markers.outlived(partition._cycle.kept, clock.now_ms) == 0
        await partition.release()

    asyncio.run(lives())
