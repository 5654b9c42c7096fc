"""The only reader of the time. Everything else takes a time, or one of these functions, as an argument."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Return the wall clock: epoch milliseconds UTC. It may jump; never subtract two of them to measure."""
    return time.time_ns() // 1_000_000  # ns in a ms


def monotonic_s() -> float:
    """Return seconds since an arbitrary start, never going back: for deadlines and durations."""
    return time.monotonic()


def cpu_s() -> float:
    """Return the processor time this process has used, in seconds: for shares of a core."""
    return time.process_time()
