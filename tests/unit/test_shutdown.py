"""The end of a worker: bounded at every moment, honest about what is left, and harmless. Time is virtual."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from models.events import TOPICS
from stream.clock import monotonic_s
from stream.codec import journal
from stream.metrics.registry import Metrics
from stream.settings import Settings
from stream.worker.checkpoint import last_marker
from stream.worker.ending import EXIT_UNFINISHED, Ending
from stream.worker.host import Host
from tests.simulation.memory_log import MemoryLog, Process, World
from tests.simulation.scenario import RULE, send_everything, uninterrupted
from tests.simulation.virtual_time import VirtualClock, VirtualLoop, run_virtually

SETTINGS = Settings(
    partitions=1, clock="events", checkpoint_seconds=0.3, batch_records=16, metrics_port=-1, shutdown_seconds=8.0,
    customers_max=RULE.customers_max, sample_interval_ms=RULE.sample_interval_ms, sample_rotation=RULE.sample_rotation,
)  # fmt: skip
LIFE_SECONDS_MAX = 6.0  # virtual: a run applies everything in about four
RECORDS_MAX = 9  # of a topic in one poll
SEEDS = 30


class HostLog(MemoryLog):
    """The log in memory with a connection to open and close."""

    async def start(self) -> None:
        """Connect."""
        await self._process.point()

    async def stop(self) -> None:
        """Disconnect."""
        await self._process.point()


class MemoryFeed:
    """stream.kafka.feed.Feed over the topics in memory."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._positions: dict[tuple[str, int], int] = {}
        self.generation = 0

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""
        await self._process.point()

    def assign(self, positions: dict[tuple[str, int], int]) -> None:
        """Read from exactly these places."""
        self.generation += 1
        self._positions = dict(positions)

    async def poll(self, _wait_ms: int) -> dict[tuple[str, int], list[Any]]:
        """Some records of each place."""
        await asyncio.sleep(0.02)
        await self._process.point()
        found = {}
        for place, position in self._positions.items():
            shelf = self._process.world.shelves[place]
            records = [record for record in shelf.records if record.offset >= position][:RECORDS_MAX]
            if records:
                found[place] = records
                self._positions[place] = records[-1].offset + 1
        return found

    async def remaining(self, place: tuple[str, int]) -> int:
        """Records that are not read yet."""
        return self._process.world.shelves[place].end - self._positions[place]

    def pause(self, place: tuple[str, int], *, paused: bool) -> None:
        """Never needed among so few."""


def host_of(world: World, clock: VirtualClock) -> tuple[Host, Process]:
    """A worker's host on the topics in memory. Clearing `running` of its process freezes the broker."""
    process = Process(world)
    made: Any = Host(
        SETTINGS, Metrics(), clock,
        make_log=lambda _: HostLog(process), make_feed=lambda *_args, **_kwargs: MemoryFeed(process),
    )  # fmt: skip
    return made, process


async def begun(host: Host) -> None:
    """Start it and give it the partition, as Faust would."""
    await host.start()
    await host.assigned({0}, trainer=False)


async def caught_up(world: World, host: Host) -> None:
    """Return when every input is applied and nobody is due."""
    for _ in range(4000):
        await asyncio.sleep(0.05)
        partition = host.partitions.get(0)
        if partition is not None and partition.progress.live and not partition.replica.adopting:
            ends = {kind: world.shelves[topic, 0].end for kind, topic in enumerate(TOPICS)}
            if all(partition.replica.positions.get(kind, 0) == end for kind, end in ends.items()):
                await asyncio.sleep(1.0)
                return
    raise AssertionError("the work was never finished")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_end_is_bounded_honest_and_harmless_at_every_moment(seed: int) -> None:
    """Starting, recovering, applying, amid a checkpoint, with a broker that froze: SIGTERM, and SIGTERM again.

    It ends in time; code 0 says that the last checkpoint stands at the journal's end; a successor goes on, and what is
    published is what one uninterrupted execution gives.
    """
    loop, world = VirtualLoop(), World(seed)
    clock, chance = VirtualClock(loop), world.chance

    async def work() -> None:
        send_everything(world)
        for _ in range(2):
            host, process = host_of(world, clock)
            life = asyncio.ensure_future(begun(host))
            await asyncio.sleep(chance.uniform(0.0, LIFE_SECONDS_MAX))
            if chance.random() < 0.4:
                process.running.clear()  # the broker freezes
            asked_s = loop.time()
            first = asyncio.ensure_future(host.stop(SETTINGS.shutdown_seconds))
            await asyncio.sleep(chance.choice((0.0, 0.01, 0.5)))
            await asyncio.gather(first, host.stop(SETTINGS.shutdown_seconds))
            assert loop.time() - asked_s <= SETTINGS.shutdown_seconds + 0.6
            if host.exit_code == 0 and host.wanted:
                await everything_is_checkpointed(world)
            life.cancel()
            process.kill()
        host, _ = host_of(world, clock)
        await begun(host)
        await caught_up(world, host)
        await host.stop(SETTINGS.shutdown_seconds)
        assert host.exit_code == 0
        await everything_is_checkpointed(world)

    run_virtually(loop, work())
    replica, changes = uninterrupted(world)
    published: dict[int, bytes | None] = {}
    for record in world.shelves["segment-changes", 0].records:
        seq = int((record.value or b"").partition(b'"seq":')[2].partition(b",")[0])
        assert published.setdefault(seq, record.value) == record.value
    assert published == changes
    assert replica.customers


async def everything_is_checkpointed(world: World) -> None:
    """After the newest marker there are claims at most: nothing is left to execute again."""
    log: Any = MemoryLog(Process(world))
    marker = await last_marker(log, 0)
    assert marker is not None
    entries = [record for record in world.shelves["segment-journal", 0].records if record.offset >= marker.journal_next]
    assert [entry for entry in entries if not isinstance(journal.decode(entry.value or b""), journal.Claim)] == []


def test_a_worker_that_hangs_is_ended_by_a_thread() -> None:
    """Whatever the event loop does, the process ends when its time is up; asking again does not move that time."""
    left: list[int] = []
    gone = threading.Event()

    def leave(code: int) -> None:
        left.append(code)
        gone.set()

    ending = Ending(0.2, lambda: EXIT_UNFINISHED, leave)
    assert ending.work_seconds + ending.farewell_seconds == pytest.approx(0.2)
    begun_s = monotonic_s()
    assert ending.begin()
    assert not ending.begin()
    assert gone.wait(10)
    assert monotonic_s() - begun_s >= 0.2
    assert left == [EXIT_UNFINISHED]
