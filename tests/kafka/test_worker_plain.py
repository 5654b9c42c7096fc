"""The real worker on the real broker, undisturbed: what it published, wrote and keeps is right, byte for byte."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stream.cli import main
from stream.kafka.bulk import BulkProducer
from stream.settings import Settings
from stream.worker.verification import verify
from tests.kafka.agreement import changes_agree, memberships_of_rows, memberships_of_topic, rows_agree
from tests.kafka.worker import crew, feed, final_times, read_all, remains, settle, story, told, until

pytestmark = pytest.mark.kafka

CUSTOMERS = 100
RATE = 10_000  # events a second: some seconds, in which checkpoints happen and models come


def test_what_is_published_is_what_the_journal_gives_and_what_the_oracle_says(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changes equal an uninterrupted execution; rows and memberships the oracle's; a restart executes nothing again."""
    settings, sent = told(settings), story(seed=11, customers=CUSTOMERS)

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            await feed(settings, sent, rate=RATE)
            await until(lambda: log.has_adopted(2 * settings.partitions), "adopted model", worker)
            await settle(log, final_times(settings, sent), worker)
            assert await worker.metric("segstream_checkpoints_total") >= settings.partitions
            assert await worker.stop() < settings.shutdown_seconds
            await log.read()
            assert log.records == len(sent)
            left = await remains(settings)
            for one in left:  # SIGTERM left no debt
                assert one.marker.positions == log.positions_of(one.replica.partition)
            assert rows_agree(settings, sent, left) == CUSTOMERS
            memberships = memberships_of_rows(left)
            _, copies = changes_agree(await read_all(settings, "segment-changes"), memberships)
            assert await memberships_of_topic(settings) == memberships
            await worker.start()
            assert await worker.metric("segstream_recovered_events_total") == 0
            await worker.stop()
            reports = await verify(settings, range(settings.partitions), settled=True)
            assert [report.difference for report in reports] == [None] * settings.partitions
            published = len(await read_all(settings, "segment-changes"))  # the restart may have adopted one more model
            assert (published, copies) == (sum(report.changes for report in reports), 0)

    asyncio.run(run())
    for name in ("brokers", "prefix", "sample_rotation"):
        monkeypatch.setenv(f"SEGSTREAM_{name.upper()}", str(getattr(settings, name)))
    capsys.readouterr()
    assert main(["verify", "--settled", "--json"]) == 0
    assert sum(one["events"] for one in json.loads(capsys.readouterr().out)["partitions"]) > 0
    forged = asyncio.run(_forge(settings))
    assert main(["verify", "--partition", str(forged)]) == 1
    assert "not equal to its first copy" in capsys.readouterr().out


async def _forge(settings: Settings) -> int:
    """Publish a second, other copy of a change; returns its partition."""
    last = (await read_all(settings, "segment-changes"))[-1]
    change = {**json.loads(last.value or b""), "segment": "forged"}
    async with BulkProducer(settings) as producer:
        await producer.run([("segment-changes", last.key or b"", json.dumps(change).encode())])
    return last.partition
