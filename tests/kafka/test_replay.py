"""What a worker did, done again: by replay with its journal byte for byte, by backtest with a journal of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from aiokafka import TopicPartition

from models.clusters.snapshot import Snapshot, digest
from stream.backtest.replay import HEADER
from stream.cli import main
from stream.codec import journal, plain_json
from stream.codec.definitions import encode_snapshot
from stream.kafka import client, topic_admin
from stream.settings import Settings, env_name
from tests.kafka.agreement import memberships_of_rows
from tests.kafka.worker import Remains, crew, feed, final_times, read_all, remains, settle, story, told, until

pytestmark = pytest.mark.kafka

RATE = 10_000  # events a second: some seconds, in which models come
OF_MODELS = {"rfm", "value", "behaviour"}  # they read the model's cut points or clusters
OF_MODELS_BEFORE = {"behaviour"}  # a cluster's margin and dwell hold who was in it under an earlier model
RUN = "r1"


def test_replay_gives_the_same_bytes_and_backtest_the_same_members(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only answers that hang on when a model was adopted may differ between live and a backtest; with the model that
    live had at the end, only those that hang on the models before.
    """
    settings, sent = told(settings), story(seed=23, customers=60)
    there = dataclasses.replace(settings, prefix=f"{settings.prefix}again.")

    async def live() -> tuple[dict[int, list[tuple[bytes | None, bytes | None]]], dict[str, Any]]:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            await feed(settings, sent, rate=RATE)
            await until(lambda: log.has_adopted(2 * settings.partitions), "adopted model", worker)
            await settle(log, final_times(settings, sent), worker)
            await worker.stop()
        left, end_ms = await remains(settings), max(payload["ts"] for _, payload in sent)
        for one in left:  # a backtest lets time pass to the last event of all partitions
            one.replica.execute(2**40, journal.Tick(one.replica.epoch, end_ms, 10**6, 0), {})
        await topic_admin.create(there)
        (tmp_path / "model.json").write_bytes(encode_snapshot(in_force(left)))
        return by_partition(await read_all(settings, "segment-changes")), memberships_of_rows(left)

    published, memberships = asyncio.run(live())
    for name in ("brokers", "prefix", "sample_rotation"):
        monkeypatch.setenv(env_name(name), str(getattr(settings, name)))
    file = tmp_path / "again.parquet"
    assert main(["replay", "--into-file", str(file), "--speed", "1e12", "--run-id", RUN]) == 0
    assert main(["replay", "--into-prefix", there.prefix, "--run-id", RUN]) == 0
    rows = [row for row in pq.read_table(file).to_pylist() if row["topic"] == "segment-changes"]
    assert {row["replay_run_id"] for row in rows} == {RUN}
    for partition, changes in published.items():
        assert [(row["key"], row["value"]) for row in rows if row["partition"] == partition] == changes
    assert by_partition(asyncio.run(read_all(there, "segment-changes"))) == published
    assert asyncio.run(headers(there)) == {(HEADER, RUN.encode())}
    assert main(["replay", "--into-prefix", settings.prefix]) == 2

    events = tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join(plain_json.encode({"topic": topic, **payload}) for topic, payload in sent))
    capsys.readouterr()
    with_model = [str(events), "--model", str(tmp_path / "model.json")]
    for source, hanging in ((["--from-topic"], OF_MODELS), ([str(events)], OF_MODELS), (with_model, OF_MODELS_BEFORE)):
        members = tmp_path / "members.parquet"
        assert main(["backtest", *source, "--members", str(members), "--json"]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert figures["events"] == len(sent)
        differ = Counter(
            dimension
            for row in pq.read_table(members).to_pylist()
            for dimension, segment in memberships[row["customer_id"]].items()
            if row[dimension] != segment
        )
        assert set(differ) <= hanging


def in_force(left: Sequence[Remains]) -> Snapshot:
    """The model that every partition had at the end."""
    judges = [one.replica.engine.judge for one in left if one.replica.engine is not None]
    snapshot = judges[0].snapshot
    assert snapshot is not None
    assert {judge.model for judge in judges} == {digest(snapshot)}
    return snapshot


def by_partition(records: list[Any]) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """Keys and values of the records of each partition, in order."""
    found: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
    for record in records:
        found.setdefault(record.partition, []).append((record.key, record.value))
    return found


async def headers(settings: Settings) -> set[tuple[str, bytes]]:
    """The headers of some changes."""
    consumer = client.reader(settings, "read_uncommitted")
    await consumer.start()
    try:
        places = [TopicPartition(f"{settings.prefix}segment-changes", 0)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        records = (await consumer.getmany(timeout_ms=5_000))[places[0]]
        return {header for record in records for header in record.headers}
    finally:
        await consumer.stop()
