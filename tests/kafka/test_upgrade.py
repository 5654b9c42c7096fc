"""An upgrade rehearsed on the real broker: a worker of this version after one of layout 1, drained or killed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from stream.cli import EXIT_BROKEN, EXIT_CLEAN, EXIT_FINDINGS, main
from stream.kafka.groups import members
from stream.kafka.log import KafkaLog
from stream.settings import Settings, env_name
from stream.worker.markers import kept_markers
from stream.worker.verification import Range, verify
from tests.golden.recording import CHANGES, IN_TRANSACTIONS, SETTINGS, STATE, Recording, recorded
from tests.kafka.agreement import agree, changes_agree, memberships_of_rows, memberships_of_topic
from tests.kafka.worker import Journal, Worker, crew, read_all, remains, told, until
from tests.still import Stored

pytestmark = pytest.mark.kafka
logger = logging.getLogger(__name__)

RULE_SETTINGS = ("partitions", "customers_max", "sample_interval_ms", "sample_rotation")  # outcomes hang on them


def as_recorded(settings: Settings) -> Settings:
    """Settings of a worker that may go on with the recording."""
    return told(settings, **{name: getattr(SETTINGS, name) for name in RULE_SETTINGS})


async def replay(settings: Settings, old: Recording) -> None:
    """Put a recording into the topics, every record at its offset: checkpoints as the transactions that they were."""
    log = KafkaLog(settings)
    await log.start()
    try:
        for topic, records in old.topics.items():
            if topic not in IN_TRANSACTIONS and records:
                assert [record.offset for record in records] == list(range(len(records)))
                await (await log.publish(topic, 0, [(record.key, record.value) for record in records]))
        transactions = await log.transactions("state-0", 0)
        checkpoints = zip(*(_transactions(old.topics[topic]) for topic in IN_TRANSACTIONS), strict=True)
        for parts in checkpoints:
            await transactions.write(list(zip(IN_TRANSACTIONS, parts, strict=True)))
        await transactions.close()
        assert [one.offset for one in await kept_markers(log, 0)] == [old.marked.offset]
    finally:
        await log.stop()


def _transactions(records: list[Stored]) -> list[list[tuple[bytes | None, bytes | None]]]:
    """Records by transaction: a control record, so a gap, follows each."""
    groups = groupby(enumerate(records), key=lambda one: one[1].offset - one[0])
    return [[(record.key, record.value) for _, record in group] for _, group in groups]


async def works_and_stops(settings: Settings, log: Journal, worker: Worker) -> list[dict[str, Any]]:
    """The worker resumes, applies every input and stops; changes, memberships and rows agree. Returns the changes."""
    await worker.start()
    await until(log.has_applied_all, "end of the inputs", worker)
    await worker.stop()
    [report] = await verify(settings, [0], chosen=Range("latest", settled=True))
    assert report.difference is None
    memberships = memberships_of_rows(await remains(settings))
    records = await read_all(settings, CHANGES)
    changes_agree(records, memberships)
    agree(await memberships_of_topic(settings), memberships)
    return [json.loads(record.value or b"") for record in records]


def recover(settings: Settings, monkeypatch: pytest.MonkeyPatch, *flags: str) -> int:
    """Run the command with the workers' settings; returns its exit code."""
    for name in (*RULE_SETTINGS, "brokers", "prefix", "group"):
        monkeypatch.setenv(env_name(name), str(getattr(settings, name)))
    return main(["recover", *flags])


def test_drained_a_new_version_resumes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was left after the old version's checkpoint: the new one converts the rows and goes on by itself."""
    settings, old = as_recorded(settings), recorded(1).drained()

    async def run() -> None:
        async with crew(settings, tmp_path, "new") as (log, [worker]):
            await replay(settings, old)
            changes = await works_and_stops(settings, log, worker)
            assert len(changes) > old.marker.changes_next + 50
            assert not [change for change in changes if change["supersedes"]]
            await worker.start()
            code = await asyncio.to_thread(recover, settings, monkeypatch, "--new-engine", "--yes")
            assert code == EXIT_BROKEN
            await worker.stop()

    asyncio.run(run())
    assert "workers are running" in capsys.readouterr().err


def test_killed_a_new_version_needs_a_decision(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A debt of the old version: refused; decided, it goes on, and corrects what the old one said otherwise."""
    settings, old, otherwise = as_recorded(settings), *said_otherwise(recorded(1))

    async def alone() -> bool:
        return await members(settings) == 0

    async def prepare() -> None:
        async with crew(settings, tmp_path, "early") as (_, [worker]):
            await replay(settings, old)
            with pytest.raises(AssertionError, match="segstream recover --new-engine"):
                await worker.start()
            await until(alone, "end of its session")

    async def resume() -> list[dict[str, Any]]:
        async with crew(settings, tmp_path, "late") as (log, [worker]):
            return await works_and_stops(settings, log, worker)

    asyncio.run(prepare())
    assert recover(settings, monkeypatch) == EXIT_FINDINGS
    assert recover(settings, monkeypatch, "--new-engine") == EXIT_FINDINGS
    assert "nothing was written" in capsys.readouterr().out
    assert recover(settings, monkeypatch, "--new-engine", "--yes", "--reason", "rehearsal") == EXIT_CLEAN
    assert "workers can start" in capsys.readouterr().out
    corrections = [change for change in asyncio.run(resume()) if change["supersedes"]]
    assert otherwise in {change["supersedes"] for change in corrections}
    assert recover(settings, monkeypatch) == EXIT_CLEAN


def said_otherwise(old: Recording) -> tuple[Recording, str]:
    """The same, but the old version said last of one customer what this one does not; with that change's id."""
    records = list(old.topics[CHANGES])
    last = json.loads(records[-1].value or b"")
    other = json.dumps({**last, "segment": "elsewhere", "valid_until": None}, separators=(",", ":")).encode()
    records[-1] = dataclasses.replace(records[-1], value=other)
    assert old.topics[STATE]
    return dataclasses.replace(old, topics=old.topics | {CHANGES: records}), last["event_id"]
