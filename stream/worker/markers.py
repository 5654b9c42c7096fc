"""Markers of checkpoints: the newest, those that are kept for verification, and what lies behind them all.

Each marker names the kept ones before it. So whoever takes a partition over knows from one record what may be verified,
and what may be deleted: it does not hang on how long anybody owned the partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from stream.codec import state
from stream.codec.state import MARKER_KEY, Kept, Marker
from stream.errors import SegstreamError
from stream.worker.log import Log

KEPT_MS = 86_400_000  # checkpoints and journal are kept a day, so that ranges can be verified
KEPT_MAX = 96  # markers named by one: a quarter of an hour apart over a day, and 3 KB in each marker
TAIL_RECORDS = 64  # looked at from the end for the last marker, then twice as many, and so on
TOPIC = "segment-state"


class Marked(NamedTuple):
    """A marker, and where it lies in segment-state."""

    offset: int
    marker: Marker

    def kept(self) -> list[Kept]:
        """The markers that can be gone back to, this one last."""
        own = Kept(self.offset, self.marker.needed_from, self.marker.journal_next, self.marker.wall_ms)
        return [*self.marker.kept, own]


async def newest_marker(log: Log, partition: int) -> Marked | None:
    """The newest committed marker, or None before the first checkpoint."""
    first, end = await log.bounds(TOPIC, partition, committed=True)
    reach = TAIL_RECORDS
    while True:
        start = max(first, end - reach)
        found = None
        async for records in log.read(TOPIC, partition, start, end, committed=True):
            for record in records:
                if record.key == MARKER_KEY:
                    found = record
        if found is not None:
            return _marked(found, partition)
        if start <= first:
            return None
        reach *= 2


async def marker_at(log: Log, partition: int, offset: int) -> Marked:
    """The marker at an offset; raises SegstreamError when there is none."""
    async for records in log.read(TOPIC, partition, offset, offset + 1, committed=True):
        for record in records:
            if record.key == MARKER_KEY:
                return _marked(record, partition)
    raise SegstreamError(
        f"there is no marker at offset {offset} of segment-state, partition {partition}",
        "`segstream verify --list` shows those that are kept",
    )


def _marked(record: Any, partition: int) -> Marked:
    try:
        return Marked(record.offset, state.decode_marker(record.value))
    except ValueError as error:
        raise SegstreamError(
            f"the marker at offset {record.offset} of segment-state, partition {partition}, cannot be read: {error}",
            "see docs/operations.md, 'a checkpoint cannot be read'",
        ) from None


async def all_markers(log: Log, partition: int) -> list[Marked]:
    """Every marker that can be read, oldest first: all of the topic is looked through, when its end is unreadable."""
    first, end = await log.bounds(TOPIC, partition, committed=True)
    found = []
    async for records in log.read(TOPIC, partition, first, end, committed=True):
        for record in records:
            if record.key == MARKER_KEY:
                with suppress(SegstreamError):
                    found.append(_marked(record, partition))
    return found


async def kept_markers(log: Log, partition: int) -> list[Kept]:
    """The markers from which the journal can be executed, oldest first."""
    newest = await newest_marker(log, partition)
    if newest is None:
        return []
    state_first, _ = await log.bounds(TOPIC, partition, committed=True)
    journal_first, _ = await log.bounds("segment-journal", partition, committed=False)
    return [
        one
        for one in newest.kept()
        if one.offset >= state_first
        and (one.needed_from >= state_first or state_first == 0)
        and one.journal_next >= journal_first
    ]


def thinned(kept: Sequence[Kept]) -> list[Kept]:
    """At most KEPT_MAX of them: those go whose neighbours are nearest to each other in time, never an end."""
    left = list(kept)
    while len(left) > KEPT_MAX:
        gaps = [left[i + 1].wall_ms - left[i - 1].wall_ms for i in range(1, len(left) - 1)]
        del left[gaps.index(min(gaps)) + 1]
    return left


def outlived(kept: Sequence[Kept], now_ms: int) -> int:
    """How many of the oldest nobody needs any more: the last that is older than a day begins the kept day."""
    return max(sum(now_ms - one.wall_ms > KEPT_MS for one in kept) - 1, 0)
