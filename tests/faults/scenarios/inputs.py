"""Producers that do what producers do: another partitioner, transactions, compaction, rubbish."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from stream.codec import plain_json
from stream.kafka import client
from stream.kafka.bulk import BulkProducer
from stream.kafka.partitioner import partition_of
from tests.faults.scenarios.broker import configure
from tests.faults.scenarios.scenario import Scenario
from tests.faults.stage import RATE, Stage
from tests.kafka.worker import Sent, ends_of, read_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import AIOKafkaProducer

CHUNK = 100  # events of a transaction, or between two pauses
POISON_RATE = 1_000  # records a second
POISON_SECONDS = 6
ROLL_MS = 500  # a segment older than this is closed by the next record, and only closed ones are compacted
COMPACTING = {"segment.ms": str(ROLL_MS), "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "1"}
NOT_COMPACTING = {**COMPACTING, "min.compaction.lag.ms": str(86_400_000)}
PROFILES_EACH = 6  # profiles of a customer, of which compaction leaves one or two
POISON: tuple[tuple[str, bytes], ...] = (
    ("malformed", b"{rubbish"),
    ("malformed", b"\xff\xfe\x00"),
    ("missing_field", b'{"event_id": "p"}'),
    ("wrong_type", b'["p"]'),
)


async def other_partitioner(stage: Stage) -> None:
    """Half of the events come by CRC-32 of the key, as librdkafka sends by default: strangers are dead letters."""
    stage.start()
    await stage.live()
    sent = stage.story()
    half = len(sent) // 2
    count = stage.settings.partitions
    for topic, payload in sent[:half]:
        home, there = partition_of(payload["customer_id"], count), _by_crc(payload["customer_id"], count)
        if home == there:
            stage.sent.append((topic, payload))
        else:
            stage.letters["wrong_partition"] += 1
    sending = stage.beside(_send_by_crc(stage, sent[:half]))
    await stage.progress(0.5)
    await _kill_one(stage)
    await sending
    stage.feed(sent[half:])


def _by_crc(customer_id: str, count: int) -> int:
    return zlib.crc32(customer_id.encode()) % count


async def _send_by_crc(stage: Stage, sent: Sequence[Sent]) -> None:
    producer = client.producer(stage.settings)
    async with _started(producer):
        for chunk in _chunks(sent):
            await _send(stage, producer, chunk, crc=True)
            await producer.flush()
            await asyncio.sleep(CHUNK / RATE)


async def transactions(stage: Stage) -> None:
    """Events come in transactions, between aborted ones; one stays open while plain events wait behind it."""
    stage.start()
    await stage.live()
    sent = stage.story()
    cut = len(sent) * 2 // 3
    stage.sent += sent
    sending = stage.beside(_send_in_transactions(stage, sent[:cut], sent[cut:]))
    await stage.progress(stage.chance.uniform(0.2, 0.5))
    await _kill_one(stage)
    await sending


async def _send_in_transactions(stage: Stage, sent: Sequence[Sent], behind: Sequence[Sent]) -> None:
    producer = client.transactional_producer(stage.settings, "upstream")
    plain = client.producer(stage.settings, client_id="plain")
    async with _started(producer), _started(plain):
        for chunk in _chunks(sent):
            if stage.chance.random() < 0.4:
                await producer.begin_transaction()
                await _send(stage, producer, _forged(chunk))
                await producer.flush()
                await producer.abort_transaction()
            await producer.begin_transaction()
            await _send(stage, producer, chunk)
            await producer.commit_transaction()
            await asyncio.sleep(CHUNK / RATE)
        await producer.begin_transaction()
        await _send(stage, producer, _forged(sent[:CHUNK]))
        await producer.flush()
        await _send(stage, plain, behind)
        await plain.flush()
        await asyncio.sleep(stage.chance.uniform(0.5, 2.0))  # how long it stays open is the fault
        await producer.abort_transaction()  # nothing comes behind it: the topics end with a control record


def _forged(chunk: Sequence[Sent]) -> list[Sent]:
    """Events that would be counted, were they not aborted."""
    return [(topic, {**payload, "event_id": f"aborted-{i}"}) for i, (topic, payload) in enumerate(chunk)]


async def compacted(stage: Stage) -> None:
    """Profiles are compacted before a worker reads them, and once more after they were applied; then it is killed."""
    sent = stage.story(days=60)
    half = len(sent) // 2
    await configure(stage, "profiles", COMPACTING)
    await stage.feed(_with_profiles(sent[:half]), rate=None)
    left = await _compact(stage)
    others = [(topic, payload) for topic, payload in stage.sent if topic != "profiles"]
    stage.sent = others + [("profiles", json.loads(record.value or b"")) for record in left]
    worker = stage.start()
    await stage.live()
    await stage.feed(_with_profiles(sent[half:]), rate=None)
    await stage.progress(1.0)
    await configure(stage, "profiles", COMPACTING)
    assert len(await _compact(stage)) < sum(topic == "profiles" for topic, _ in stage.sent)
    await stage.progress(1.0)
    stage.hit()
    worker.kill()
    await stage.recovered()


def _with_profiles(sent: Sequence[Sent]) -> list[Sent]:
    """The events, and more profiles of everybody in them."""
    last_ms = int(sent[-1][1]["ts"])
    names = sorted({payload["customer_id"] for _, payload in sent})
    return [
        *sent,
        *(("profiles", {"customer_id": name, "ts": last_ms + i, "attributes": {"visit": i}})
          for i in range(PROFILES_EACH) for name in names),
    ]  # fmt: skip


async def _compact(stage: Stage) -> list[Any]:
    """Wait until the cleaner has been through the profiles, forbid it more, and return what is left."""
    names = sorted({payload["customer_id"] for topic, payload in stage.sent if topic == "profiles"})
    before = len(await read_all(stage.settings, "profiles"))
    rolls = 0

    async def is_smaller() -> bool:
        nonlocal rolls
        last_ms = max(int(payload["ts"]) for _, payload in stage.sent)
        await stage.feed([("profiles", {"customer_id": name, "ts": last_ms, "attributes": {}}) for name in names], None)
        rolls += len(names)
        return len(await read_all(stage.settings, "profiles")) < before

    await stage.until(is_smaller, "compaction")
    await configure(stage, "profiles", NOT_COMPACTING)
    found: list[Any] = []

    async def is_still() -> bool:
        nonlocal found
        last, found = found, await read_all(stage.settings, "profiles")
        await asyncio.sleep(2 * ROLL_MS / 1000)  # longer than the cleaner's pause: what ran has ended
        return bool(last) and len(last) == len(found)

    await stage.until(is_still, "end of compaction")
    ends = await ends_of(stage.settings, "profiles")
    assert len(found) < sum(ends.values()), "no gaps"
    return found


async def poison(stage: Stage) -> None:
    """A thousand records a second that are no events, beside the good ones; a worker is killed among them."""
    stage.start()
    await stage.live()
    bad = [stage.chance.choice(POISON) for _ in range(POISON_RATE * POISON_SECONDS)]
    for reason, _ in bad:
        stage.letters[reason] += 1
    records = (("clicks", str(i).encode(), value) for i, (_, value) in enumerate(bad))
    good = stage.feed(stage.story())
    stage.beside(_both(good, _send_poison(stage, records)))
    await stage.progress(stage.chance.uniform(0.2, 0.8))
    await _kill_one(stage)


async def _send_poison(stage: Stage, records: Iterator[tuple[str, bytes, bytes]]) -> None:
    async with BulkProducer(stage.settings) as producer:
        await producer.run(records, rate=POISON_RATE)


async def _both(one: asyncio.Task[None], other: Any) -> None:
    await asyncio.gather(one, other)


async def _kill_one(stage: Stage) -> None:
    await stage.log.read()
    stage.hit()
    stage.chance.choice(stage.workers).kill()
    await stage.recovered()


@asynccontextmanager
async def _started(producer: AIOKafkaProducer) -> AsyncIterator[None]:
    await producer.start()
    try:
        yield
    finally:
        await producer.stop()


def _chunks(sent: Sequence[Sent]) -> Iterator[Sequence[Sent]]:
    return (sent[i : i + CHUNK] for i in range(0, len(sent), CHUNK))


async def _send(stage: Stage, producer: AIOKafkaProducer, sent: Sequence[Sent], *, crc: bool = False) -> None:
    count = stage.settings.partitions
    for topic, payload in sent:
        name = payload["customer_id"]
        partition = _by_crc(name, count) if crc else partition_of(name, count)
        await producer.send(stage.settings.prefix + topic, plain_json.encode(payload), name.encode(), partition)


SCENARIOS = (
    Scenario("another partitioner", "half of the events come by CRC-32 of the key; SIGKILL", other_partitioner),
    Scenario("transactions upstream", "committed and aborted transactions, one that stays open; SIGKILL", transactions),
    Scenario(
        "compacted input",
        "profiles are compacted before they are read and after they were applied; SIGKILL",
        compacted,
        settings={"checkpoint_seconds": 3600.0},
    ),
    Scenario("poison", f"{POISON_RATE:,} records a second that are no events; SIGKILL", poison),
)
