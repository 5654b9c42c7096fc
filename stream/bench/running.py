"""A broker, topics, a load and workers under measurement: what the benches on Kafka share."""

from __future__ import annotations

import asyncio
import dataclasses
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from models.clusters.snapshot import Snapshot, digest
from stream.bench.child import Child
from stream.clock import monotonic_s
from stream.codec import journal, plain_json
from stream.codec.definitions import encode_snapshot
from stream.errors import SegstreamError
from stream.kafka.broker import free_port
from stream.kafka.bulk import BulkProducer, BulkRecord
from stream.kafka.follow import Follower
from stream.kafka.log import KafkaLog
from stream.kafka.topic_admin import create
from stream.settings import Settings

Tell = Callable[[str], None]  # told what happens now, for people

POLL_MS = 200  # between two looks at the journal: cheap, and a run lasts seconds
WORKER_SECONDS = 240.0  # from its start until it has applied something: the first start compiles the kernel, a minute
STILL_SECONDS = 30.0  # without another event applied: something is wrong
READ_SECONDS = 5.0  # for the answer of the metrics page


@dataclass(frozen=True, slots=True)
class Applied:
    """One batch entry of the journal."""

    wall_ms: int  # when it was about to be executed
    events: int


def settings_of(brokers: str, group: str, **more: object) -> Settings:
    """Settings of a bench: nothing but defaults and what is given."""
    return dataclasses.replace(Settings(brokers=brokers, group=group), **more)  # type: ignore[arg-type]  # checked by Settings


async def prepare(settings: Settings, snapshot: Snapshot | None) -> None:
    """Create the topics and publish a model, so that all dimensions work from the first event."""
    await create(settings)
    if snapshot is None:
        return
    log = KafkaLog(settings)
    await log.start()
    try:
        record = digest(snapshot).encode(), encode_snapshot(snapshot)
        await (await log.publish("segment-models", 0, [record]))
    finally:
        await log.stop()


async def send(settings: Settings, records: Iterable[BulkRecord], *, at_once: bool = False) -> int:
    """Send everything as fast as the broker takes it; `at_once`: nobody sees any of it before all is there."""
    async with BulkProducer(settings, at_once=at_once) as producer:
        return await producer.run(records)


def worker(settings: Settings) -> tuple[Child, str]:
    """A worker process, not started, and the address of its metrics."""
    port = free_port()
    given = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
    given.update(metrics_port=port, log_level="warning")
    child = Child("stream.bench.worker_process", [plain_json.encode(given).decode()])
    return child, f"http://{settings.metrics_host}:{port}/metrics"


async def applied(settings: Settings, child: Child, events: int) -> list[Applied]:
    """Follow the journal until so many events were applied; its batches in the order of time."""
    found: list[Applied] = []
    count, deadline_s = 0, monotonic_s() + WORKER_SECONDS
    async with following(settings, "segment-journal") as follower:
        follower.seek(await follower.first_offsets())
        while count < events:
            for record in await follower.records(POLL_MS):
                entry = journal.decode(record.value or b"")
                if isinstance(entry, journal.Batch):
                    found.append(Applied(entry.wall_ms, sum(position.count for position in entry.positions)))
                    count += found[-1].events
                    deadline_s = monotonic_s() + STILL_SECONDS
            child.check()
            if monotonic_s() > deadline_s:
                raise SegstreamError(
                    f"the worker applied {count} of {events} events and then no more",
                    "run `segstream worker` on a broker of your own and read its log",
                )
    return sorted(found, key=lambda one: one.wall_ms)


@asynccontextmanager
async def following(settings: Settings, topic: str) -> AsyncIterator[Follower]:
    """A started follower of a topic."""
    follower = Follower(settings, topic, "read_uncommitted")
    await follower.start()
    try:
        yield follower
    finally:
        await follower.stop()


async def entries(settings: Settings) -> list[tuple[int, journal.Entry]]:
    """Every journal entry with its partition, in order within each."""
    found = []
    async with following(settings, "segment-journal") as follower:
        follower.seek(await follower.first_offsets())
        ends = await follower.end_offsets()
        while await _behind(follower, ends):
            records = await follower.records(POLL_MS)
            found += [(record.partition, journal.decode(record.value or b"")) for record in records]
    return found


async def count_since(settings: Settings, topic: str, since_ms: int) -> int:
    """How many records of a topic were written at or after a wall-clock time."""
    count = 0
    async with following(settings, topic) as follower:
        follower.seek(await follower.first_offsets())
        ends = await follower.end_offsets()
        while await _behind(follower, ends):
            records = await follower.records(POLL_MS)
            count += sum(record.timestamp_ms >= since_ms for record in records)
    return count


async def metrics(address: str) -> dict[str, float]:
    """The worker's figures, each summed over its labels."""
    return await asyncio.to_thread(_metrics, address)


def _metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address, timeout=READ_SECONDS) as answer:  # noqa: S310 - our own address
        lines = answer.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        name, _, value = line.rpartition(" ")
        if not line.startswith("#"):
            name = name.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


async def _behind(follower: Follower, ends: dict[int, int]) -> bool:
    positions = await follower.positions()
    return any(positions[partition] < end for partition, end in ends.items())
