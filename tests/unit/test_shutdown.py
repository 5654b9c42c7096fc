"""The end of a worker: bounded at every moment, honest about what is left, and harmless. Time is virtual."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from stream.clock import monotonic_s
from stream.codec import journal
from stream.worker.ending import EXIT_UNFINISHED, Ending
from stream.worker.markers import newest_marker
from stream.worker.partition import Partition
from tests.simulation.campaign import quiet
from tests.simulation.check import check
from tests.simulation.faults import scenario_of
from tests.simulation.group import Group
from tests.simulation.memory_log import MemoryLog
from tests.simulation.process import Process, register
from tests.simulation.scale import scaled_down
from tests.simulation.scenario import Run, settle
from tests.simulation.traffic import send_everything
from tests.simulation.virtual_time import VirtualLoop, run_virtually
from tests.simulation.world import World

SHUTDOWN_SECONDS = 8.0  # virtual
LIFE_SECONDS_MAX = 4.0  # virtual: a run applies everything in about three
SEEDS = 30


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_end_is_bounded_honest_and_harmless_at_every_moment(seed: int) -> None:
    """Starting, recovering, applying, amid a checkpoint, with a broker that froze: SIGTERM, and SIGTERM again.

    It ends in time; code 0 says that the last checkpoint stands at the journal's end; a successor goes on, and what is
    published is what one uninterrupted execution gives.
    """
    loop = VirtualLoop()
    loop.set_task_factory(register)
    runs: list[Run] = []

    async def work() -> None:
        run = Run(replace(scenario_of(seed), partitions=1, clock="events", at_steps=(), timed=(), workers=1))
        runs.append(run)
        run.group = Group(run, Partition)
        run.sent = send_everything(run.world, run.scenario, loop.call_at)
        for _ in range(2):
            await begin_and_end(run)
        run.group.start()
        await settle(run)
        await everything_is_checkpointed(run.world)

    with scaled_down(), quiet():
        run_virtually(loop, work())
        check(runs[0])


async def begin_and_end(run: Run) -> None:
    """One worker, from its start to SIGTERM at some moment; whatever it leaves, it is killed then."""
    chance, loop = run.world.chance, asyncio.get_running_loop()
    run.group.start()
    worker = run.group.workers[-1]
    await asyncio.sleep(chance.uniform(0.0, LIFE_SECONDS_MAX))
    if chance.random() < 0.4:
        worker.process.freeze()  # as if the broker did
    asked_s = loop.time()
    first = worker.process.spawn(worker.host.stop(SHUTDOWN_SECONDS))
    await asyncio.sleep(chance.choice((0.0, 0.01, 0.5)))
    await asyncio.gather(first, worker.process.spawn(worker.host.stop(SHUTDOWN_SECONDS)))
    assert loop.time() - asked_s <= SHUTDOWN_SECONDS + 0.6
    if worker.host.exit_code == 0 and worker.host.wanted:
        await everything_is_checkpointed(run.world)
    worker.process.kill()
    run.group.workers.remove(worker)
    run.group.leave(worker)


async def everything_is_checkpointed(world: World) -> None:
    """After the newest marker there are claims at most: nothing is left to execute again."""
    log: Any = MemoryLog(Process(world, lambda *_: None), lambda _: True)
    marked = await newest_marker(log, 0)
    assert marked is not None
    start = marked.marker.journal_next
    entries = [record for record in world.shelves["segment-journal", 0].records if record.offset >= start]
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
