"""A worker under a supervisor: whatever ends it, it is started again, until it is told to leave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.altered import MODULE
from tests.kafka.worker import LOOK_SECONDS, Worker, until

if TYPE_CHECKING:
    from stream.settings import Settings

PLAIN = ("stream.cli", "worker")
RESTART_SECONDS = 0.5  # between an end and the next start, as supervisors do; a dead broker would else be hammered
# What a worker may never say, whatever is done to it: a wrong result, or a fault that nobody foresaw.
NEVER_SAID = ("disagree", "a fault of segstream", "others, are there", "an entry is missing")


class Supervised:
    """One place for a worker process. The first process may be an altered one, the next are the product's."""

    def __init__(self, settings: Settings, folder: Path, name: str, altered: Sequence[str] = ()) -> None:
        self.worker = Worker(settings, folder, name, (MODULE, *altered) if altered else PLAIN)
        self.name = name
        self.exits: list[int | None] = []
        self.restarts = 0
        self.leaving = False
        self.worker.launch()
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self._ended()
            self.exits.append(self.worker.exit_code)
            said = [words for words in NEVER_SAID if words in self.worker.log]
            assert not said, f"{self.name} said {said}:\n{self.worker.log[-4000:]}"
            if self.leaving:
                return
            self.worker.command = PLAIN
            await asyncio.sleep(RESTART_SECONDS)
            if self.leaving:  # told meanwhile
                return
            self.restarts += 1
            self.worker.launch()

    async def _ended(self) -> None:
        while self.worker.running:  # noqa: ASYNC110 - nobody tells us of a process but the process table
            await asyncio.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Raise what the keeper found."""
        if self._keeper.done() and not self._keeper.cancelled():
            self._keeper.result()

    @property
    def stopped(self) -> bool:
        """Whether the process stands still (SIGSTOP)."""
        return self.worker.running and state_of(self.worker.pid) == "T"

    @property
    def gone(self) -> bool:
        """Whether it ended and is not started again."""
        return self.leaving and not self.worker.running

    @property
    def answers(self) -> bool:
        """Whether there is a process that could."""
        return self.worker.running and not self.leaving and not self.stopped

    def kill(self) -> None:
        """SIGKILL."""
        self.worker.kill()

    def stop_in_its_tracks(self) -> None:
        """SIGSTOP."""
        self.worker.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.worker.resume()

    async def owned(self) -> int:
        """How many partitions are live in it."""
        return int(await self.worker.metric("segstream_partitions_owned")) if self.answers else 0

    async def leave(self) -> int | None:
        """SIGTERM; returns the exit code: 0 when it wrote its last checkpoint."""
        self.leaving = True
        if self.worker.running:
            await self.worker.stop(3, 4, -15)  # 4: something is left to a successor
        await until(self._is_kept_no_more, f"end of {self.name}", self.worker)
        self._keeper.result()
        return self.worker.exit_code

    async def _is_kept_no_more(self) -> bool:
        return self._keeper.done()

    def abandon(self) -> None:
        """SIGKILL, and never again."""
        self.leaving = True
        self._keeper.cancel()
        self.worker.kill()


def state_of(pid: int) -> str:
    """The state letter of a process as the kernel has it, empty for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM now."""
    return _memory_mb(pid, "VmRSS:")


def peak_mb(pid: int) -> float:
    """The most that it had in RAM at a time."""
    return _memory_mb(pid, "VmHWM:")


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} has no {name}")
