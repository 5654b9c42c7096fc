"""Real worker processes on the real broker: start, feed, kill, stop, and read what they left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import subprocess  # the worker under test is a process of its own
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from models.events import TOPICS
from stream.clock import monotonic_s
from stream.codec import journal, plain_json
from stream.kafka import topic_admin
from stream.kafka.bulk import BulkProducer
from stream.kafka.follow import Followed, Follower
from stream.kafka.log import KafkaLog
from stream.kafka.partitioner import partition_of
from stream.settings import Settings, env_name
from stream.simulate import events
from stream.worker.checkpoint import restore
from stream.worker.markers import newest_marker
from stream.worker.recovery import JournalReader
from stream.worker.replica import Replica, rule_of
from stream.worker.verification import documents_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stream.codec.state import Marker

WAIT_MS = 200
LOOK_SECONDS = 0.1  # between two looks at what a test waits for
PATIENCE_SECONDS = 240.0  # a loaded machine compiles the kernel and joins a group in half of it
CHUNK = 500  # records handed to the producer at a time

Sent = tuple[str, Mapping[str, Any]]  # topic, payload


def story(seed: int, customers: int, days: int = 260) -> list[Sent]:
    """A seeded mixed stream in time order: clicks, orders, refunds, e-mails, profiles, and copies of some."""
    return [(one.topic, one.payload) for one in events(seed, customers, days, duplicate_share=0.01)]


def told(settings: Settings, **changed: Any) -> Settings:
    """Settings of workers under test: only events move time; checkpoints, small batches and models come often."""
    wanted: dict[str, Any] = {
        "clock": "events",
        "checkpoint_seconds": 0.5,
        "batch_records": 300,
        "sample_rotation": 1,
        "session_timeout_seconds": 6.0,
        "metrics_port": 0,
    }
    return dataclasses.replace(settings, **{**wanted, **changed})


class Worker:
    """One worker process; its log is a file beside the test's other files."""

    def __init__(
        self, settings: Settings, folder: Path, name: str, command: Sequence[str] = ("stream.cli", "worker")
    ) -> None:
        self.command = command  # module and arguments
        self._settings = settings
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @property
    def log(self) -> str:
        """What the present process has written."""
        return self._log.read_text("utf-8")[self._log_from :] if self._log.exists() else ""

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The last process's id."""
        assert self._process is not None, "never started"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The last process's, None while it runs."""
        return self._process.poll() if self._process else None

    async def start(self) -> None:
        """Start a process and return when every partition that it was given is live."""
        self.launch()
        await until(self._is_ready, "a ready worker", self)

    def launch(self) -> None:
        """Start a process and do not wait."""
        self._log_from = len(self._log.read_text("utf-8")) if self._log.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SEGSTREAM_")}
        for one in dataclasses.fields(Settings):
            value = getattr(self._settings, one.name)
            if value != one.default:
                environment[env_name(one.name)] = str(value)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.command], env=environment, stdout=log, stderr=log
            )

    async def _is_ready(self) -> bool:
        assert self.running, f"the worker ended with {self.exit_code}\n{self.log[-3000:]}"
        return bool(await self.metric("segstream_rebalances_total")) and await self._get("/readyz") is not None

    async def _get(self, path: str) -> str | None:
        found = re.search(r"metrics on (\S+:\d+)", self.log)
        if found is None or not self.running:
            return None
        try:
            return await asyncio.to_thread(_fetch, f"http://{found[1]}{path}")
        except (URLError, OSError):
            return None

    async def metrics(self) -> dict[tuple[str, str], float]:
        """Every sample as (name, labels as Prometheus writes them); empty when it does not answer."""
        lines = (await self._get("/metrics") or "").splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        found = {}
        for key, _, value in samples:
            name, _, labels = key.partition("{")
            found[name, labels.removesuffix("}")] = float(value)
        return found

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(value for (other, _), value in (await self.metrics()).items() if other == name)

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, at once."""
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: no heartbeat, no answer, all connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, sign: signal.Signals) -> None:
        if self.running and self._process is not None:
            self._process.send_signal(sign)

    async def stop(self, *codes: int) -> float:
        """SIGTERM; returns the seconds until it had gone, with exit code 0 or one of `codes`."""
        started_s = monotonic_s()
        self._signal(signal.SIGTERM)
        await until(self._is_gone, "a worker that has stopped", self)
        assert self.exit_code in {0, *codes}, self.log[-3000:]
        return monotonic_s() - started_s

    async def _is_gone(self) -> bool:
        return not self.running


def _fetch(url: str) -> str:
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())


async def until(condition: Callable[[], Any], what: str, *workers: Worker, seconds: float = PATIENCE_SECONDS) -> None:
    """Look again and again until the condition holds; fails with the workers' logs when it never does."""
    deadline_s = monotonic_s() + seconds
    while not await condition():
        if monotonic_s() > deadline_s:
            raise AssertionError(f"no {what} within {seconds:g} s\n" + "\n".join(w.log[-3000:] for w in workers))
        await asyncio.sleep(LOOK_SECONDS)


class Journal:
    """What the workers have applied, as their journals say."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._follower = Follower(settings, "segment-journal", "read_uncommitted", client_id="journal")
        self._readers = {partition: JournalReader(partition, -1) for partition in range(settings.partitions)}
        self.positions: dict[tuple[int, int], int] = {}  # (kind, partition) -> offset of the next to apply
        self.records = 0
        self.claims = 0
        self.adoptions = 0

    async def start(self) -> None:
        """Connect."""
        await self._follower.start()
        self._follower.seek(await self._follower.first_offsets())

    async def stop(self) -> None:
        """Disconnect."""
        await self._follower.stop()

    async def read(self) -> None:
        """Take in what has been written by now; a busy worker never pauses, so until silence would be too long."""
        ends = await self._follower.end_offsets()
        while any(position < ends[place] for place, position in (await self._follower.positions()).items()):
            for record in await self._follower.records(WAIT_MS):
                entry = self._readers[record.partition].accept(record.offset, record.value or b"")
                self.claims += isinstance(entry, journal.Claim)
                self.adoptions += isinstance(entry, journal.Adopt)
                for position in entry.positions if isinstance(entry, journal.Batch) else ():
                    self.positions[position.kind, record.partition] = position.end
                    self.records += position.count

    def positions_of(self, partition: int) -> dict[int, int]:
        """The next offset by event kind."""
        return {kind: offset for (kind, other), offset in self.positions.items() if other == partition}

    async def has_applied(self, count: int) -> bool:
        """Whether so many records were applied."""
        await self.read()
        return self.records >= count

    async def has_adopted(self, count: int) -> bool:
        """Whether so many documents came into force, over all partitions."""
        await self.read()
        return self.adoptions >= count

    async def has_applied_all(self) -> bool:
        """Whether every record of every input was."""
        await self.read()
        for kind, topic in enumerate(TOPICS):
            for partition, end in (await ends_of(self._settings, topic)).items():
                if self.positions.get((kind, partition), 0) < end:
                    return False
        return True


async def ends_of(settings: Settings, topic: str) -> dict[int, int]:
    """The end of each partition of a topic."""
    follower = Follower(settings, topic, "read_committed")
    try:
        await follower.start()
        return await follower.end_offsets()
    finally:
        await follower.stop()


async def read_all(settings: Settings, topic: str) -> list[Followed]:
    """Every committed record of a topic, in order within each partition."""
    follower = Follower(settings, topic, "read_committed")
    try:
        await follower.start()
        follower.seek(await follower.first_offsets())
        ends = await follower.end_offsets()
        found: list[Followed] = []
        while any(position < ends[place] for place, position in (await follower.positions()).items()):
            found += await follower.records(WAIT_MS)
        return found
    finally:
        await follower.stop()


async def feed(settings: Settings, sent: Iterable[Sent], *, rate: float | None = None) -> None:
    """Send events with the customer as the key."""
    records = ((topic, payload["customer_id"].encode(), plain_json.encode(payload)) for topic, payload in sent)
    async with BulkProducer(settings) as producer:
        await producer.run(records, rate=rate)


def final_times(settings: Settings, sent: Iterable[Sent]) -> dict[int, int]:
    """The newest event time of each partition: where stream time must end when only events move it."""
    newest: dict[int, int] = {}
    for _, payload in sent:
        partition = partition_of(payload["customer_id"], settings.partitions)
        newest[partition] = max(newest.get(partition, 0), int(payload["ts"]))
    return newest


async def settle(log: Journal, final_ms: Mapping[int, int], *workers: Worker) -> None:
    """Wait until all is applied, stream time has come to its end, and nobody is due or to be judged anew."""

    async def settled() -> bool:
        seen = [await worker.metrics() for worker in workers if worker.running]
        return all(is_settled(seen, partition, time_ms) for partition, time_ms in final_ms.items())

    await until(log.has_applied_all, "end of the inputs", *workers)
    await until(settled, "end of stream time", *workers)


def is_settled(seen: list[dict[tuple[str, str], float]], partition: int, time_ms: int) -> bool:
    """Whether a partition's owner has let time pass up to then, and nobody is due or to be judged anew."""
    label = f'partition="{partition}"'
    owner = max(seen, key=lambda one: one.get(("segstream_stream_time_timestamp_seconds", label), 0.0))
    reached_ms = owner.get(("segstream_stream_time_timestamp_seconds", label), 0.0) * 1000
    waiting = owner.get(("segstream_due_customers", label), 1) + owner.get(
        ("segstream_adoption_pending_rows", label), 1
    )
    return round(reached_ms) >= time_ms and waiting == 0


@dataclasses.dataclass(slots=True)
class Remains:
    """What stopped workers left: rows of the last checkpoint, by partition, and where it stands."""

    replica: Replica
    marker: Marker


async def remains(settings: Settings) -> list[Remains]:
    """The last checkpoint of every partition, loaded as a recovery loads it."""
    log = KafkaLog(settings)
    found = []
    try:
        documents = await documents_of(log, settings)
        for partition in range(settings.partitions):
            replica = Replica(partition, rule_of(settings), documents.get, partition_of)
            marked = await newest_marker(log, partition)
            assert marked is not None, f"partition {partition} has no checkpoint"
            await restore(log, replica, marked, documents.get)
            found.append(Remains(replica, marked.marker))
    finally:
        await log.stop()
    return found


def parsed(records: Iterable[Followed]) -> list[dict[str, Any]]:
    """The JSON values of records."""
    return [json.loads(record.value or b"null") for record in records]


@asynccontextmanager
async def crew(settings: Settings, folder: Path, *names: str) -> AsyncIterator[tuple[Journal, list[Worker]]]:
    """Topics, a journal to look at and workers (not started); nothing runs afterwards."""
    await topic_admin.create(settings)
    log = Journal(settings)
    workers = [Worker(settings, folder, name) for name in names]
    await log.start()
    try:
        yield log, workers
    finally:
        for worker in workers:
            worker.kill()
        await log.stop()
