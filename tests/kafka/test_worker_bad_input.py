"""Bad input on the real broker: each record ends as the right dead letter or by a documented rule; no worker stops."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stream.codec.definitions import shipped_text
from stream.codec.events import REASONS
from stream.kafka import client
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from stream.worker.verification import verify
from tests.kafka.agreement import everything_agrees, numbers_of, numbers_wanted
from tests.kafka.worker import (
    Sent,
    crew,
    ends_of,
    feed,
    final_times,
    parsed,
    read_all,
    remains,
    settle,
    story,
    told,
    until,
)
from tests.oracle import judge

pytestmark = pytest.mark.kafka

CUSTOMERS = 40
GOOD = "c00001"  # a customer of the story
PAYLOAD_SHOWN = 4096  # bytes of a dead letter's payload


@dataclass(frozen=True)
class Bad:
    """One record, and the reason of its dead letter."""

    reason: str
    topic: str
    value: bytes | None
    key: bytes | None = GOOD.encode()
    partition: int | None = None  # another than the customer's


def _json(base: dict[str, Any], **changed: Any) -> bytes:
    return json.dumps({name: value for name, value in {**base, **changed}.items() if value is not ...}).encode()


def bad_records(settings: Settings, ts: int) -> list[Bad]:
    """One of each kind."""
    elsewhere = (partition_of(GOOD, settings.partitions) + 1) % settings.partitions
    order = {"event_id": "b", "customer_id": GOOD, "ts": ts, "order_id": "o", "amount": 5.0, "currency": "EUR"}
    click = {"event_id": "b", "customer_id": GOOD, "ts": ts, "action": "view"}
    profile = {"customer_id": GOOD, "ts": ts, "attributes": {"age": 30}}
    raw = _json(order)

    def orders(reason: str, **changed: Any) -> Bad:
        return Bad(reason, "purchases", _json(order, **changed))

    return [
        Bad("malformed", "purchases", raw[:-5]),
        Bad("malformed", "purchases", b"\xef\xbb\xbf" + raw),
        Bad("malformed", "purchases", raw.replace(b"5.0", b"NaN")),
        Bad("malformed", "purchases", raw.replace(b'"o"', b'"\xff\xfe"')),
        Bad("malformed", "purchases", raw[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        Bad("malformed", "clicks", b""),
        Bad("malformed", "clicks", None),
        Bad("malformed", "emails", b"not json"),
        Bad("malformed", "profiles", None, key=b"\xff\xfe"),
        Bad("wrong_type", "purchases", b"[1, 2]"),
        Bad("wrong_type", "purchases", raw.replace(b"5.0", b"1e999")),
        orders("wrong_type", amount="5"),
        orders("wrong_type", ts=1.5),
        orders("wrong_type", customer_id=None),
        orders("wrong_type", customer_id="x" * 200),
        orders("wrong_type", customer_id="_checkpoint"),
        Bad("wrong_type", "clicks", _json(click, action="teleport")),
        Bad("wrong_type", "profiles", _json(profile, attributes={"age": [1]})),
        Bad("wrong_type", "profiles", _json(profile, attributes={"age": 10**400})),
        Bad("wrong_type", "profiles", None, key=b"k" * 6_000),
        orders("missing_field", customer_id=...),
        orders("missing_field", amount=...),
        Bad("missing_field", "profiles", None, key=b""),
        orders("too_old", ts=0),
        orders("too_old", ts="1970-01-01T00:00:00Z"),
        orders("too_old", ts=ts // 1000),
        orders("future", ts="2100-01-01T00:00:00Z"),
        orders("bad_time", ts="yesterday"),
        orders("bad_time", ts="2024-01-01T00:00:00"),
        orders("bad_time", ts=2**63),
        orders("bad_time", ts=10**30),
        orders("zero_amount", amount=0),
        orders("zero_amount", amount=-0.001),
        orders("amount_out_of_range", amount=1e15),
        orders("amount_out_of_range", amount=10**40),
        Bad("too_large", "clicks", _json(click, page="x" * 1_000_000)),
        Bad("too_large", "profiles", _json(profile, attributes={"note": "x" * 3_000_000})),
        Bad("wrong_partition", "purchases", raw, partition=elsewhere),
        Bad("wrong_partition", "profiles", _json(profile), partition=elsewhere),
        Bad("wrong_partition", "profiles", None, partition=elsewhere),
    ]


async def send_bad(settings: Settings, records: list[Bad]) -> dict[tuple[str, int, int], Bad]:
    """Send them and return each by its address."""
    producer = client.producer(settings)
    await producer.start()
    found = {}
    try:
        for bad in records:
            home = partition_of(GOOD, settings.partitions)
            partition = home if bad.partition is None else bad.partition
            sent = await producer.send_and_wait(settings.prefix + bad.topic, bad.value, bad.key, partition)
            found[bad.topic, partition, sent.offset] = bad
    finally:
        await producer.stop()
    return found


def odd_but_legal(settings: Settings, ts: int) -> list[Sent]:
    """What looks bad and is not: refunds alone, ISO times, large profiles (more than one journal entry holds)."""
    mine = [name for name in (f"odd{i}" for i in range(40)) if partition_of(name, settings.partitions) == 0]
    large = {f"a{i}": "x" * 500 for i in range(60)}
    return [
        ("purchases", {"event_id": "r1", "customer_id": "refunded", "ts": ts, "order_id": "r", "amount": -7.25,
                       "currency": "EUR"}),
        *(("profiles", {"customer_id": f"{mine[0]}", "ts": ts + i, "attributes": large}) for i in range(200)),
        *(("profiles", {"customer_id": name, "ts": ts, "attributes": {"age": 10**15, "x": None}}) for name in mine),
    ]  # fmt: skip


def test_bad_records_are_dead_letters_and_good_ones_are_applied(settings: Settings, tmp_path: Path) -> None:
    """Every bad record has its dead letter, nothing else has; good ones around them count, also after a SIGKILL."""
    settings, sent = told(settings), story(seed=16, customers=CUSTOMERS, days=120)
    half = len(sent) // 2
    bad = bad_records(settings, int(sent[half][1]["ts"]))
    assert {one.reason for one in bad} == set(REASONS) - {"table_full"}

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            await feed(settings, sent[:half])
            addresses = await send_bad(settings, bad)
            legal = odd_but_legal(settings, int(sent[-1][1]["ts"]))
            await feed(settings, [*sent[half:], *legal])
            await until(lambda: log.has_applied(half), "progress", worker)
            worker.kill()
            await worker.start()
            everything = [*sent, *legal]
            await settle(log, final_times(settings, everything), worker)
            await worker.stop()
            letters = parsed(await read_all(settings, "segment-dead-letters"))
            found = {(one["topic"], one["partition"], one["offset"]): one for one in letters}
            assert {place: one["reason"] for place, one in found.items()} == {
                place: one.reason for place, one in addresses.items()
            }
            for place, one in found.items():
                assert base64.b64decode(one["payload"]) == (addresses[place].value or b"")[:PAYLOAD_SHOWN]
                assert one["detail"]
            ends = [await ends_of(settings, topic) for topic in ("clicks", "purchases", "emails", "profiles")]
            assert sum(sum(one.values()) for one in ends) == len(everything) + len(bad)
            await everything_agrees(settings, everything, log, refused=len(bad))

    asyncio.run(run())


def test_a_tombstone_forgets_and_a_missing_key_matters_not(settings: Settings, tmp_path: Path) -> None:
    """A null profile empties the attributes and moves no time; the customer is who the payload names, not the key."""
    path = tmp_path / "segments.yaml"
    path.write_text(shipped_text().replace("dimensions:", "attributes: {age: number}\n\ndimensions:", 1), "utf-8")
    settings, sent = told(settings, definitions=str(path)), story(seed=17, customers=5, days=20)
    known, ts = sent[0][1]["customer_id"], int(sent[-1][1]["ts"])
    home = partition_of(known, settings.partitions)
    aged = ("profiles", {"customer_id": known, "ts": ts, "attributes": {"age": 30}})
    click = {"event_id": "keyless", "customer_id": known, "ts": ts, "action": "view"}

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            await feed(settings, [*sent, aged])
            await send_bad(settings, [Bad("", "clicks", json.dumps(click).encode(), None, home)])
            await send_bad(settings, [Bad("", "profiles", None, known.encode(), home)])
            await settle(log, final_times(settings, [*sent, aged]), worker)
            await worker.stop()
            assert await read_all(settings, "segment-dead-letters") == []
            engine = (await remains(settings))[home].replica.engine
            assert engine is not None
            row = engine.table.rows[engine.table.find(known)]
            assert math.isnan(row.attribute[0])
            assert row.decided_ms == ts  # and not today, which the tombstone's timestamp says
            wanted = judge([*sent, aged, ("clicks", click)], ts, (1, 2, 3)).customers[known]
            assert numbers_of(row) == numbers_wanted(wanted)
            reports = await verify(settings, range(settings.partitions), settled=True)
            assert [report.difference for report in reports] == [None] * settings.partitions

    asyncio.run(run())
