"""Inputs that end in control records or aborted ones, and that nothing comes to for longer than they are kept."""

from __future__ import annotations

import asyncio

import pytest

from models.customers.row import ROW_VERSION
from models.events import CLICK, EMAIL, TOPICS
from stream.codec import journal
from stream.simulate import events
from stream.worker import partition as partitions
from stream.worker.partition import Partition
from tests.golden.recording import settings_of
from tests.still import StillClock, StillLog, claimed, executed, send, work

NOW_MS = 1_800_000_000_000  # after every simulated event
SENT = [(one.topic, one.payload) for one in events(5, 4, 40)]
SETTINGS = settings_of(ROW_VERSION)


def end_in_a_transaction(log: StillLog, partition: Partition) -> None:
    """Two records of an aborted transaction and its end come to the clicks, the end of another to the e-mails."""
    for kind, offsets in ((CLICK, 3), (EMAIL, 1)):
        shelf = log.shelf(TOPICS[kind])
        shelf.end += offsets
        partition.inputs.by_kind[kind].reach(shelf.end)


def outlive(log: StillLog) -> None:
    """No record of an input is younger than its retention."""
    for topic in TOPICS:
        shelf = log.shelf(topic)
        shelf.forget_before(shelf.end)


def batches_without_records(log: StillLog) -> list[journal.Batch]:
    """Entries that only say how far was read."""
    entries = [journal.decode(record.value or b"") for record in log.shelf("segment-journal").records]
    return [one for one in entries if isinstance(one, journal.Batch) and not any(p.count for p in one.positions)]


def test_a_stopped_worker_is_started_again_after_the_retention() -> None:
    """Nothing that was lost is missing: every record had been applied, what came behind the last is no record."""
    log = StillLog()

    async def lives() -> None:
        send(log, SENT, SETTINGS.definitions)
        partition = await claimed(log, SETTINGS, StillClock(NOW_MS))
        await work(log, partition)
        end_in_a_transaction(log, partition)
        await partition.release()
        outlive(log)
        again = await claimed(log, SETTINGS, StillClock(NOW_MS))
        assert {kind: entry.position for kind, entry in again.inputs.by_kind.items()} == {
            kind: log.shelf(topic).end for kind, topic in enumerate(TOPICS)
        }
        await again.release()

    asyncio.run(lives())
    assert [len(one.positions) for one in batches_without_records(log)] == [2]


def test_a_killed_worker_is_followed_after_the_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live worker says now and then how far it has read, once: what a successor executes again needs no record."""
    log = StillLog()

    async def lives() -> None:
        send(log, SENT, SETTINGS.definitions)
        partition = await claimed(log, SETTINGS, StillClock(NOW_MS))
        await work(log, partition)
        await partition.release()
        partition = await claimed(log, SETTINGS, StillClock(NOW_MS))
        end_in_a_transaction(log, partition)
        await work(log, partition)
        assert batches_without_records(log) == []  # the hour is not over
        monkeypatch.setattr(partitions, "PASS_SECONDS", 0.0)
        await work(log, partition, lambda: batches_without_records(log))
        await work(log, partition)
        outlive(log)
        successor = await claimed(log, SETTINGS, StillClock(NOW_MS))
        assert successor.replica.positions == partition.replica.positions
        assert successor.replica.positions[CLICK] == log.shelf("clicks").end

    asyncio.run(lives())
    assert len(batches_without_records(log)) == 1


def test_passing_by_changes_nothing_else() -> None:
    """Rows and changes are those of the same inputs without the transactions."""
    found = []
    for transactions in (False, True):
        log = StillLog()

        async def lives(log: StillLog = log, *, transactions: bool = transactions) -> None:
            send(log, SENT, SETTINGS.definitions)
            partition = await claimed(log, SETTINGS, StillClock(NOW_MS))
            await work(log, partition)
            if transactions:
                end_in_a_transaction(log, partition)
            await partition.release()

        asyncio.run(lives())
        replica, changes = asyncio.run(executed(log, SETTINGS))
        assert replica.engine is not None
        table = replica.engine.table
        found.append((table.rows[: len(table)].tobytes(), replica.stream_ms, changes))
    assert found[0] == found[1]
