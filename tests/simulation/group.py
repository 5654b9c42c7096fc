"""The consumer group and the supervisor of a simulation: who owns what, who is started again, and what strikes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.documents import SECOND
from tests.simulation.faults import StepFault, TimedFault
from tests.simulation.worker import Worker, settings_of

if TYPE_CHECKING:
    from stream.worker.partition import Partition
    from tests.simulation.scenario import Run

EVICTION_SECONDS = (0.1, 0.5)  # after which the group gives a silent member's partitions to others
WORKERS_MAX = 3
LIVES_MAX = 9  # of a run; then only a lonely group gets another worker


class Group:
    """See the module."""

    def __init__(self, run: Run, make: type[Partition]) -> None:
        self._run, self._make, self._world = run, make, run.world
        self._loop = asyncio.get_running_loop()
        self.workers: list[Worker] = []  # processes that exist
        self.members: list[Worker] = []
        self.owners: dict[int, Worker] = {}
        self.lives = 0
        self.closing = False  # the run ends: nobody is started, nothing moves

    # -- processes ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Another worker."""
        scenario = self._run.scenario
        definitions = SECOND if self._world.now_s() >= scenario.rollout_at_s else ""
        settings = settings_of(scenario.partitions, scenario.clock, definitions)
        self.lives += 1
        self.workers.append(Worker(self._run, self.lives, settings, self._make))

    def died(self, worker: Worker) -> None:
        """A process is gone: the group finds out, the supervisor starts another."""
        if worker not in self.workers:
            return
        self.workers.remove(worker)
        self._loop.call_later(self._world.chance.uniform(*EVICTION_SECONDS), self.leave, worker)
        self._loop.call_later(self._world.chance.random() * 0.6, self._supervise)

    def _supervise(self) -> None:
        if self.closing:
            return
        if not self.workers or (self.lives < LIVES_MAX and len(self.workers) < self._run.scenario.workers):
            self.start()

    async def stop(self) -> bool:
        """Stop everybody; whether all that they had was checkpointed. If not, others take over."""
        self.closing, stopping = True, list(self.workers)
        await asyncio.gather(*(worker.process.spawn(worker.stop()) for worker in stopping), return_exceptions=True)
        self.closing = False
        if any(worker.host.exit_code for worker in stopping):
            self._supervise()
            return False
        return True

    # -- membership --------------------------------------------------------------------------------------------------

    def join(self, worker: Worker) -> None:
        """A worker comes, or a frozen one comes back."""
        if worker in self.workers and worker not in self.members:
            self.members.append(worker)
            self.rebalance()

    def leave(self, worker: Worker) -> None:
        """A worker has gone, or is taken for gone."""
        if not worker.process.alive and worker in self.workers:
            self.workers.remove(worker)
            self._supervise()
        if worker in self.members:
            self.members.remove(worker)
            self.rebalance()

    def rebalance(self, avoid: Worker | None = None) -> None:
        """Give each partition to a member, mostly the one that has it."""
        if self.closing:
            return
        able = [member for member in self.members if member is not avoid]
        self.owners = {number: self._owner(number, able) for number in range(self._run.scenario.partitions) if able}
        for member in self.members:
            member.assign(frozenset(number for number, owner in self.owners.items() if owner is member))

    def _owner(self, number: int, able: list[Worker]) -> Worker:
        present = self.owners.get(number)
        return present if present in able and self._world.chance.random() < 0.7 else self._world.chance.choice(able)

    # -- faults ------------------------------------------------------------------------------------------------------

    def strike(self, worker: Worker, fault: StepFault | TimedFault) -> None:
        """What a fault does to a worker."""
        if fault.kind == "kill":
            worker.process.kill()
            self.died(worker)
        elif fault.kind == "freeze":
            self._freeze(worker, fault.seconds)
        elif fault.kind == "take":
            self.rebalance(avoid=worker)
            self._loop.call_later(fault.seconds, self.rebalance)

    def _freeze(self, worker: Worker, seconds: float) -> None:
        worker.process.freeze()
        self._loop.call_later(self._world.chance.uniform(*EVICTION_SECONDS), self._miss, worker)
        self._loop.call_later(seconds, self._wake, worker)

    def _miss(self, worker: Worker) -> None:
        """A frozen member is taken for gone, while its process still exists."""
        if not worker.process.running.is_set():
            worker.assigned = frozenset()
            self.leave(worker)

    def _wake(self, worker: Worker) -> None:
        """A zombie: it says its last words before the group has told it anything."""
        worker.process.thaw()
        self._loop.call_later(self._world.chance.random() * 0.5, self.join, worker)

    def happen(self, fault: TimedFault) -> None:
        """A fault whose time has come."""
        world, until_s = self._world, self._world.now_s() + fault.seconds
        if fault.kind == "outage":
            world.down_until_s = until_s
        elif fault.kind == "leader":
            world.leader_until_s[fault.topic] = until_s
        elif fault.kind == "slow acks":
            world.slow_until_s = until_s
        elif fault.kind == "lost acks":
            world.lost_until_s = world.now_s() + 0.05
        elif fault.kind == "join" and len(self.workers) < WORKERS_MAX:
            self.start()
        elif fault.kind == "rebalance":
            self.rebalance()
        elif self.workers:
            worker = world.chance.choice(self.workers)
            if fault.kind == "clock":
                worker.clock.set_by_s += fault.jump_s
            elif fault.kind == "leave":
                worker.process.spawn(worker.stop())
            else:
                self.strike(worker, fault)
