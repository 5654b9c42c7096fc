"""A simulated worker: the real Host, with the log, the feed, the clock and the end of the process in memory."""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from stream.worker.host import Host
from stream.worker.log import LogUnavailableError
from stream.worker.partition import Partition
from tests.simulation.bounds import CUSTOMERS_MAX
from tests.simulation.memory_feed import MemoryFeed
from tests.simulation.memory_log import MemoryLog
from tests.simulation.process import ACK_TIMEOUT_SECONDS, Process
from tests.simulation.virtual_time import VirtualClock

if TYPE_CHECKING:
    from tests.simulation.scenario import Run


STOP_SECONDS = 5.0  # longer than any fault lasts; what is not done then, recovery does


@cache
def settings_of(partitions: int, clock: str, definitions: str) -> Settings:
    """The settings of a worker: everything small and soon."""
    return Settings(
        partitions=partitions,
        clock=clock,
        definitions=definitions,
        checkpoint_seconds=0.3,
        checkpoint_events=20,
        batch_records=8,
        session_timeout_seconds=6.0,
        ack_timeout_seconds=ACK_TIMEOUT_SECONDS,
        customers_max=CUSTOMERS_MAX,
        profiles_compacted=True,
        metrics_port=-1,
    )


class Silent:
    """Metrics, and an observer, that are told everything and say nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_args: object) -> Any:
        """Whatever was asked for."""
        return self

    async def sampled(self, *_args: object) -> None:
        """Vectors go nowhere here."""


SILENT: Any = Silent()


class SimulatedHost(Host):
    """See the module."""

    def __init__(self, worker: Worker, settings: Settings, clock: VirtualClock, make: type[Partition]) -> None:
        process = worker.process
        super().__init__(
            settings, SILENT, clock, lambda _: MemoryLog(process, self._claiming), lambda *_, **__: MemoryFeed(process)
        )
        self.observer = SILENT
        self._of, self._make = worker, make
        self._worker = f"simulated-{worker.number}"

    def _claiming(self, number: int) -> bool:
        partition = self.partitions.get(number)
        return partition is not None and not partition.progress.live

    def _partition(self, number: int) -> Partition:
        clock, documents, observer = self._clock, self.documents, self.observer
        return self._make(number, self._settings, self._log, clock, documents, observer, self.rule, partition_of)

    def _note_ends(self) -> None:
        super()._note_ends()
        self._of.run.peaks.look(self._of.process, list(self.partitions.values()))

    def _die(self, name: Any, message: str) -> None:
        error = sys.exception()
        if not isinstance(error, LogUnavailableError):
            self._of.run.errors.append(f"worker {self._of.number}, {name}: {type(error).__name__}: {error} ({message})")
        self._of.run.ended += 1
        self._of.process.kill()
        self._of.run.group.died(self._of)


class Worker:
    """A process, its host, and what the group told it last."""

    def __init__(self, run: Run, number: int, settings: Settings, make: type[Partition]) -> None:
        self.run, self.number = run, number
        self.process = Process(run.world, lambda _, fault: run.group.strike(self, fault))
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.host = SimulatedHost(self, settings, self.clock, make)
        self.assigned: frozenset[int] = frozenset()
        self.told = asyncio.Event()
        self.process.spawn(self.host._guard("membership", self._live()))

    async def _live(self) -> None:
        await self.host.start()
        self.run.group.join(self)
        while True:
            await self.told.wait()
            self.told.clear()
            self.host.revoked()
            await self.process.point("group: told")
            await self.host.assigned(set(self.assigned), trainer=False)

    def assign(self, numbers: frozenset[int]) -> None:
        """The group gives these partitions; a frozen process hears of it when it wakes."""
        self.assigned = numbers
        self.told.set()

    async def stop(self) -> None:
        """SIGTERM: checkpoint, let go, leave, end."""
        await self.host.stop(STOP_SECONDS)
        self.process.alive = False
        self.run.group.leave(self)
        self.process.kill()
