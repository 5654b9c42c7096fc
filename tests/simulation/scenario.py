"""One seeded run: events come, workers come, crash, freeze, wake and take over, and in the end all is checked."""

from __future__ import annotations

import asyncio
from typing import Any

from models.events import TOPICS
from stream.worker.documents import MODELS_TOPIC
from stream.worker.partition import Partition
from tests.simulation.bounds import Peaks
from tests.simulation.documents import SECOND, enact, model
from tests.simulation.faults import FAULTS_UNTIL_S, Scenario, scenario_of
from tests.simulation.group import Group
from tests.simulation.process import register
from tests.simulation.scale import scaled_down
from tests.simulation.traffic import Sent, send_everything
from tests.simulation.virtual_time import VirtualLoop, run_virtually
from tests.simulation.world import World

LOOK_SECONDS = 0.2
LOOKS_MAX = 200  # forty virtual seconds: four times what the slowest way back takes
LAST_WORDS_SECONDS = 0.6  # of zombies, after everything seems done


class Run:
    """What a run leaves behind to be checked."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.peaks = Peaks()
        self.errors: list[str] = []  # a worker stopped for what no fault explains
        self.ended = 0  # workers that stopped because the log was not available
        self.sent = Sent()
        self.final: dict[int, Partition] = {}
        self.group: Group


def simulate(seed: int, make: type[Partition] = Partition) -> Run:
    """Run one seed to its end."""
    loop = VirtualLoop()
    loop.set_task_factory(register)
    runs: list[Run] = []

    async def work() -> None:
        runs.append(Run(scenario_of(seed)))
        await _live_through(runs[0], make)

    with scaled_down():
        run_virtually(loop, work())
    return runs[0]


async def _live_through(run: Run, make: type[Partition]) -> None:
    scenario, world, loop = run.scenario, run.world, asyncio.get_running_loop()
    run.group = group = Group(run, make)
    run.sent = send_everything(world, scenario, loop.call_at)
    for version, at_s in enumerate(sorted(scenario.models_at_s), 1):
        loop.call_at(at_s, world.shelves[MODELS_TOPIC, 0].put, b"", model(version), 0)
    for turn, at_s in enumerate(scenario.edits_at_s):
        loop.call_at(at_s, enact, world, "" if turn % 2 else SECOND)
    for fault in scenario.timed:
        loop.call_at(fault.at_s, group.happen, fault)
    for _ in range(scenario.workers):
        group.start()
    await asyncio.sleep(FAULTS_UNTIL_S)
    world.calm()
    await settle(run)


async def settle(run: Run) -> None:
    """Everything comes right by itself: wait for it, let zombies say their last, and stop."""
    weeks = list(run.scenario.weeks)
    for _ in range(LOOKS_MAX):
        await asyncio.sleep(LOOK_SECONDS)
        if run.errors:  # it would be repeated for ever
            return
        if not _settled(run):
            continue
        await asyncio.sleep(LAST_WORDS_SECONDS)
        if not _settled(run):
            continue
        if weeks:
            if _saved(run):
                await asyncio.sleep(LAST_WORDS_SECONDS)  # to be passed by, what was fetched a moment ago
                if _settled(run) and _saved(run):
                    await _pass_a_week(run, weeks.pop(0))
            continue
        run.final = {number: owner.host.partitions[number] for number, owner in run.group.owners.items()}
        if await run.group.stop():
            return
    raise AssertionError("the work was never finished")


def _saved(run: Run) -> bool:
    """Whether all was fetched and nothing need be executed again: inputs are kept for longer than that takes."""
    for number, owner in run.group.owners.items():
        one = owner.host.partitions[number]
        debt = one.progress.debt.since_s is not None or one._committing is not None or one._draft is not None
        if debt or one.lock.locked():  # an entry may be on its way to a broker that is out
            return False
        for kind, entry in one.inputs.by_kind.items():
            if entry.read < run.world.shelves[TOPICS[kind], number].end:
                return False
    return True


async def _pass_a_week(run: Run, then: str) -> None:
    """Nothing comes for as long as inputs are kept: not one record of them is left, and nobody misses any."""
    for topic in TOPICS:
        for number in range(run.scenario.partitions):
            shelf = run.world.shelves[topic, number]
            shelf.start = shelf.end
    if then == "restart":
        if await run.group.stop():
            run.group.start()
        return
    run.group.rebalance(avoid=run.world.chance.choice(run.group.members))  # if there is another, he gets all
    await asyncio.sleep(LOOK_SECONDS)
    run.group.rebalance()


def _settled(run: Run) -> bool:
    owners = run.group.owners
    if len(owners) < run.scenario.partitions or set(run.group.workers) != set(run.group.members):
        return False  # somebody has died, is frozen, or starts
    return all(_done(run, owner.host.partitions.get(number)) for number, owner in owners.items())


def _done(run: Run, partition: Any) -> bool:
    """Whether an owner has applied all there is, adopted what is wanted, and looked at everybody who is due."""
    if partition is None or not partition.progress.live or partition.replica.adopting:
        return False
    engine = partition.replica.engine
    if engine is None or partition._documents.wanted(engine) is not None or not _all_applied(run, partition):
        return False
    return not len(engine.table.due_slots(partition.replica.stream_ms, 1))


def _all_applied(run: Run, partition: Any) -> bool:
    """Asked of the topics: an input that has been waiting for the broker does not know what has come."""
    for kind, entry in partition.inputs.by_kind.items():
        shelf = run.world.shelves[TOPICS[kind], partition.number]
        if shelf.between(entry.position, shelf.end, committed=True):
            return False
    return True
