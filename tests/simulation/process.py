"""One worker process of a simulation: it dies and freezes where a real one would, between two steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from typing import TYPE_CHECKING, Any

from stream.worker.log import LogUnavailableError

if TYPE_CHECKING:
    from tests.simulation.faults import StepFault
    from tests.simulation.world import World

ACK_TIMEOUT_SECONDS = 2.0  # a tenth of the shipped one, as all times here

_running: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """What a kernel does with a process: runs its tasks, stops them, ends them."""

    def __init__(self, world: World, struck: Callable[[Process, StepFault], None]) -> None:
        self.world = world
        self.alive = True
        self.running = asyncio.Event()
        self.running.set()
        self.tasks: list[asyncio.Task[Any]] = []
        self.reading = 0  # ranges open at once
        self._struck = struck

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a task as part of the process, and so all tasks that it starts."""
        context = copy_context()
        context.run(_running.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def point(self, step: str) -> None:
        """A gap between two steps: time passes, the process may be struck here."""
        fault = self.world.passes(step)
        if fault is not None:
            self._struck(self, fault)
        await asyncio.sleep(self.world.delay())
        if not self.running.is_set():
            await self.running.wait()
        if not self.alive:
            await asyncio.Event().wait()  # nothing it asks for ever happens again

    async def reach(self, step: str, topic: str = "") -> None:
        """A gap before a message leaves: a broker that refuses is waited for, until the acknowledgement timeout."""
        await self.point(step)
        down_s = max(self.world.down_until_s, self.world.leader_until_s.get(topic, 0.0)) - self.world.now_s()
        if down_s > 0:
            await asyncio.sleep(min(down_s, ACK_TIMEOUT_SECONDS))
            if down_s > ACK_TIMEOUT_SECONDS:
                raise LogUnavailableError("the simulated broker refuses")

    async def told(self, step: str) -> None:
        """A gap after a message took effect: the answer may be slow, or never come."""
        world = self.world
        if world.now_s() < world.lost_until_s:
            await asyncio.sleep(ACK_TIMEOUT_SECONDS)
            raise LogUnavailableError("the simulated answer was lost")
        if world.now_s() < world.slow_until_s:
            await asyncio.sleep(world.chance.random())
        await self.point(step)

    def freeze(self) -> None:
        """SIGSTOP."""
        self.running.clear()

    def thaw(self) -> None:
        """SIGCONT."""
        self.running.set()

    def kill(self) -> None:
        """SIGKILL: nothing of it has an effect any more, but for what is on the wire."""
        self.alive = False
        for task in self.tasks:
            work: Any = task.get_coro()
            begun = task.done() or not hasattr(work, "cr_running")  # a generator that is being closed is no coroutine
            if not begun and getcoroutinestate(work) == CORO_CREATED and "work" in work.cr_frame.f_locals:
                work.cr_frame.f_locals["work"].close()  # what a guard was to await: Python would complain of it
            task.cancel()


def register(loop: asyncio.AbstractEventLoop, work: Any, **keywords: Any) -> asyncio.Task[Any]:
    """Task factory: a task belongs to the process whose task started it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **keywords)
    context = keywords.get("context")
    process = _running.get() if context is None else context.get(_running)
    if process is not None:
        process.tasks.append(task)
    return task
