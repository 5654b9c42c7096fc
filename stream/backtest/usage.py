"""What a process has used: processor seconds and its greatest memory."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

KIB = 1024


class Usage(NamedTuple):
    """User and system seconds of all threads, and the greatest resident memory so far."""

    cpu_s: float
    peak_rss_bytes: int


def usage() -> Usage:
    """Return those of this process. Linux counts memory since the program began, others since the fork."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak_bytes = used.ru_maxrss * KIB
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak_bytes = int(line.split()[1]) * KIB
    return Usage(used.ru_utime + used.ru_stime, peak_bytes)
