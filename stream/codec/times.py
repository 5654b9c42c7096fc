"""Times as ISO 8601 text, quickly: every change has three or four."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from models.customers.row import DAY_MS

MINUTE_MS = 60_000
DAY_SECONDS = 86_400
_MINUTES = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02d}.{ms:03d}Z" for second in range(60) for ms in range(1000))  # 4 MB, and half the time


def iso(ms: int) -> str:
    """A time in ISO 8601, UTC, to the millisecond."""
    day, rest = divmod(ms, DAY_MS)
    minutes, rest = divmod(rest, MINUTE_MS)
    return _day(day) + _MINUTES[minutes] + _SECONDS[rest]


@lru_cache(maxsize=4096)  # eleven years of days: the calendar costs four times the rest of a time
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_SECONDS, UTC).strftime("%Y-%m-%dT")
