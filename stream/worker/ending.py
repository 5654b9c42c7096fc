"""The end of a worker process, bounded from the moment it was asked for, whatever hangs."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

EXIT_INFRASTRUCTURE = 3  # a supervisor starts us again: recovery is the one way back
EXIT_UNFINISHED = 4  # asked to end, and not everything was checkpointed: the next owner executes it again
FAREWELL_SECONDS = 5.0  # at most, to leave the group when our own work is done: the others learn sooner
FAREWELL_SHARE = 0.25  # of the time that is given, at most


class Ending:
    """Ends the process when its time is up, from a thread, since the event loop may be what hangs.

    Parameters
    ----------
    seconds : from `begin` to the end, at most.
    exit_code : asked at the end.
    leave : ends the process; a test's own does not.
    """

    def __init__(self, seconds: float, exit_code: Callable[[], int], leave: Callable[[int], object] = os._exit) -> None:
        self._seconds, self._exit_code, self._leave = seconds, exit_code, leave
        self._begun = False

    @property
    def work_seconds(self) -> float:
        """Of the time that is given, what our own work may take; the rest is for leaving the group."""
        return self._seconds - self.farewell_seconds

    @property
    def farewell_seconds(self) -> float:
        """How long we wait for the group to let us go."""
        return min(FAREWELL_SECONDS, self._seconds * FAREWELL_SHARE)

    def begin(self) -> bool:
        """The process shall end; True the first time. Asked again, nothing changes: the time that runs is kept."""
        if self._begun:
            return False
        self._begun = True
        self._within(self._seconds, "what was left is for recovery")
        return True

    def farewell(self) -> None:
        """All of our own work is done: only the group is to be left."""
        self._within(self.farewell_seconds, "the group did not let us go: left without a word")

    def _within(self, seconds: float, why: str) -> None:
        timer = threading.Timer(seconds, self._end, [seconds, why])
        timer.daemon = True  # who is gone by then is not held up
        timer.start()

    def _end(self, seconds: float, why: str) -> None:
        logger.warning("not ended within %g s: %s", seconds, why)
        for handler in logging.getLogger().handlers:
            handler.flush()
        sys.stderr.flush()
        self._leave(self._exit_code())
