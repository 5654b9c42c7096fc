"""Times and spans as people write them on a command line."""

from __future__ import annotations

import datetime as dt
import re

from stream.errors import SegstreamError

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPAN = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhdw])")


def epoch_ms(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 time, in UTC where it names no zone; raises SegstreamError for another."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SegstreamError(f"{text!r} is no time", "write it like 2025-01-31 or 2025-01-31T12:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)


def span_ms(text: str) -> int:
    """Milliseconds of a span such as 30d; raises SegstreamError for another."""
    match = _SPAN.fullmatch(text)
    if match is None or not int(match["number"]):
        raise SegstreamError(f"{text!r} is no span of time", "write it like 30d, 39w or 12h")
    return int(match["number"]) * UNITS_MS[match["unit"]]
