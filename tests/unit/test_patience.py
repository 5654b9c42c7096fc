"""A checkpoint waits for other partitions of its worker to recover, but not for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from models.customers.row import ROW_VERSION
from stream.codec.state import MARKER_KEY
from stream.simulate import events
from stream.worker.partition import PATIENCE
from tests.golden.recording import settings_of
from tests.still import StillClock, StillLog, claimed, send, work

NOW_MS = 1_800_000_000_000  # after every simulated event
SENT = list(events(5, 12, 60))  # some hundred


@pytest.mark.parametrize(
    ("share", "recovers", "checkpoints"),
    [(0.9, False, True), (0.9, True, False), (0.9 / PATIENCE, True, True)],
)
def test_a_checkpoint_waits_for_recoveries_and_not_for_ever(share: float, recovers: bool, checkpoints: bool) -> None:  # noqa: FBT001 - of a table
    """With a debt that is due: at once, not while others recover, and all the same when it is much more than due."""
    log = StillLog()
    settings = replace(
        settings_of(ROW_VERSION),
        checkpoint_events=int(share * len(SENT)),
        checkpoint_rows=10**6,
        checkpoint_seconds=86_400.0,
    )

    async def lives() -> None:
        send(log, [(one.topic, one.payload) for one in SENT], settings.definitions)
        partition = await claimed(log, settings, StillClock(NOW_MS))
        partition.others_recover = lambda: recovers
        await work(log, partition)

    asyncio.run(lives())
    assert any(record.key == MARKER_KEY for record in log.shelf("segment-state").records) == checkpoints
