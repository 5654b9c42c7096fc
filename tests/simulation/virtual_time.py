"""An event loop whose clock jumps to the next timer: hours pass in milliseconds, and runs repeat exactly."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

START_MS = 1_700_000_000_000  # the wall clock when a run begins


class _Selector(selectors.SelectSelector):
    """Waits for nobody: what would be waited for has happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass that would have been waited."""
        if timeout is None:
            raise RuntimeError("every task waits for another: a deadlock")
        if timeout > 0.0:
            self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now_s


class VirtualClock:
    """The clock of a simulated machine: stream.clock's two functions, in virtual time. The wall clock can be set."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.set_by_s = 0.0

    def wall_ms(self) -> int:
        """Epoch milliseconds."""
        return START_MS + int((self._loop.time() + self.set_by_s) * 1000)

    def monotonic_s(self) -> float:
        """Seconds."""
        return self._loop.time()


def run_virtually(loop: VirtualLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; what is left of other tasks is cancelled."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(work)
    finally:
        while rest := asyncio.all_tasks(loop):
            for task in rest:
                task.cancel()
            loop.run_until_complete(asyncio.wait(rest, timeout=1.0))
        asyncio.set_event_loop(None)
        loop.close()
