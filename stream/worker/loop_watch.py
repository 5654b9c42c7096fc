"""The event loop watched from a thread of its own: how late it turns, and where it hangs when it does not."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger(__name__)

ASK_SECONDS = 0.25  # between two questions: 40 us each, and a hitch of a tenth of a second is seen by one in three
SLOW_SECONDS = 5.0  # without an answer: the log then says where the loop is; half of the shortest session timeout
STACK_FRAMES = 8  # of it: the innermost say what hangs


class LoopWatch:
    """Asks the loop to turn and times the answer; use as a context manager in the thread that runs the loop.

    Parameters
    ----------
    loop : the event loop of this thread, running or about to.
    clock : stream.clock, or a test's.
    turned : told, in the loop, the delay in seconds of each answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Any, turned: Callable[[float], None]) -> None:
        self._loop, self._clock, self._turned = loop, clock, turned
        self._loop_thread = threading.get_ident()
        self._asked_s: float | None = None  # the question that is on its way
        self._told = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop-watch", daemon=True)

    def ask(self) -> None:
        """Ask, unless an answer is still awaited; log once where a slow loop hangs."""
        now_s = self._clock.monotonic_s()
        if self._asked_s is None:
            self._asked_s, self._told = now_s, False
            self._loop.call_soon_threadsafe(self._answer)
        elif now_s - self._asked_s > SLOW_SECONDS and not self._told:
            self._told = True
            logger.error("the event loop has stood still for %.1f s at\n%s", now_s - self._asked_s, self._stack())

    def _answer(self) -> None:
        if self._asked_s is not None:
            self._turned(self._clock.monotonic_s() - self._asked_s)
            self._asked_s = None

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way to see another thread
        return "".join(traceback.format_stack(frame)[-STACK_FRAMES:]) if frame else "(its thread has ended)"

    def _run(self) -> None:
        while not self._ended.wait(ASK_SECONDS):
            try:
                self.ask()
            except RuntimeError:  # the loop is closed: there is nothing left to watch
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
