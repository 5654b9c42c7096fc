"""Bulk sending, following and the commands on top of them, against a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stream.cli import main
from stream.clock import wall_ms
from stream.errors import SegstreamError
from stream.kafka import topic_admin
from stream.kafka.bulk import BulkProducer, BulkRecord
from stream.kafka.follow import Followed
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from tests.kafka.worker import read_all

pytestmark = pytest.mark.kafka


async def _send(settings: Settings, records: list[BulkRecord], rate: float | None = None) -> int:
    await topic_admin.create(settings)
    async with BulkProducer(settings) as producer:
        return await producer.run(records, rate=rate)


def test_every_record_arrives_once_in_order_at_its_customers_partition(settings: Settings) -> None:
    """More than one batch a partition, large and small values: nothing lost, doubled, moved or swapped."""
    records = [
        ("clicks", f"c{number % 37}".encode(), f"{number}:{'x' * (number % 900)}".encode()) for number in range(30_000)
    ]
    before_ms = wall_ms()

    async def run() -> list[Followed]:
        assert await _send(settings, records) == len(records)
        return await read_all(settings, "clicks")

    found = asyncio.run(run())
    assert len(found) == len(records)
    for key in {key for _, key, _ in records}:
        mine = [one for one in found if one.key == key]
        assert [one.value for one in mine] == [value for _, other, value in records if other == key]
        assert {one.partition for one in mine} == {partition_of(key.decode(), settings.partitions)}
    assert all(before_ms <= one.timestamp_ms <= wall_ms() for one in found)


def test_a_rate_is_kept(settings: Settings) -> None:
    """300 records at 1,000 a second take at least 0.29 s, by Kafka's own timestamps."""
    records = [("clicks", b"a", str(number).encode()) for number in range(300)]

    async def run() -> list[Followed]:
        await _send(settings, records, rate=1_000)
        return await read_all(settings, "clicks")

    times = [one.timestamp_ms for one in asyncio.run(run())]
    assert len(times) == len(records)
    assert max(times) - min(times) >= 290


def test_a_topic_that_does_not_exist_is_told(settings: Settings) -> None:
    """By the sender and by the reader, with the command that helps."""

    async def send() -> None:
        async with BulkProducer(settings) as producer:
            await producer.run([("clicks", b"a", b"{}")])

    with pytest.raises(SegstreamError, match="topics create"):
        asyncio.run(send())
    with pytest.raises(SegstreamError, match="topics create"):
        asyncio.run(read_all(settings, "clicks"))


def test_produce_sends_what_fits_and_tells_the_rest(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and the row of a misfit, the others in their topics; exit code 0 with only good rows."""
    asyncio.run(topic_admin.create(settings))
    flags = ["--brokers", settings.brokers, "--prefix", settings.prefix]
    out, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    simulate = [
        "simulate",
        "--customers",
        "20",
        "--days",
        "20",
        "--seed",
        "4",
        "--out",
        str(out),
        "--truth",
        str(truth),
    ]
    assert main(simulate) == 0
    events = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(truth.read_text(encoding="utf-8").splitlines()) == 20
    assert main(["produce", str(out), *flags]) == 0
    with out.open("ab") as file:
        file.write(b"nonsense\n")
    capsys.readouterr()
    assert main(["produce", str(out), "--json", *flags]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["misfits"], told["examples"]) == (
        len(events), {"not JSON": 1}, [{"row": len(events) + 1, "reason": "not JSON"}],
    )  # fmt: skip
    wanted = Counter(event["topic"] for event in events)
    for topic, count in wanted.items():
        assert len(asyncio.run(read_all(settings, topic))) == 2 * count


def test_simulate_produces_what_it_would_print(settings: Settings, tmp_path: Path) -> None:
    """The same seed through Kafka and through a file."""
    asyncio.run(topic_admin.create(settings))
    run = ["simulate", "--customers", "10", "--days", "10", "--seed", "4"]
    assert main([*run, "--out", str(tmp_path / "e.jsonl")]) == 0
    assert main([*run, "--produce", "--brokers", settings.brokers, "--prefix", settings.prefix]) == 0
    rows = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text(encoding="utf-8").splitlines()]
    for topic in ("clicks", "purchases", "emails", "profiles"):
        sent = [json.loads(one.value or b"") for one in asyncio.run(read_all(settings, topic))]
        printed = [
            {name: value for name, value in row.items() if name != "topic"} for row in rows if row["topic"] == topic
        ]
        assert sorted(sent, key=json.dumps) == sorted(printed, key=json.dumps)


def _change(seq: int, customer_id: str, segment: str, previous: str) -> dict[str, Any]:
    return {
        "seq": seq,
        "customer_id": customer_id,
        "dimension": "lifecycle",
        "previous_segment": previous,
        "segment": segment,
    }


def test_watch_follows_filters_and_ends(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """From the beginning, without copies, only what is asked for; limit and time end it, exit code 0."""
    changes = [
        _change(1, "a", "new", "prospect"),
        _change(2, "a", "active", "new"),
        _change(1, "a", "new", "prospect"),
        _change(3, "a", "cooling", "active"),
    ]
    records = [("segment-changes", b"a", json.dumps(change).encode()) for change in changes]
    asyncio.run(_send(settings, records))
    watch = ["watch", "--from-beginning", "--brokers", settings.brokers, "--prefix", settings.prefix]

    def lines(*flags: str) -> list[str]:
        capsys.readouterr()
        assert main([*watch, *flags]) == 0
        return capsys.readouterr().out.splitlines()

    assert lines("--limit", "3") == [
        "a lifecycle: prospect -> new", "a lifecycle: new -> active", "a lifecycle: active -> cooling",
    ]  # fmt: skip
    assert [json.loads(line)["seq"] for line in lines("--json", "--segment", "active", "--limit", "2")] == [
        2,
        3,
    ]
    assert lines("--customer", "b", "--seconds", "1") == []
    assert lines("--dimension", "value", "--seconds", "1") == []
    assert main(["watch", "--seconds", "0.5", "--brokers", settings.brokers, "--prefix", settings.prefix]) == 0
