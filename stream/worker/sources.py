"""Input records that a journal names and that are no longer as they were: what is left of them, and what is lost."""

from __future__ import annotations

from dataclasses import dataclass

from models.events import TOPICS
from stream.codec import journal
from stream.codec.block import Block, block_of, digest, joined
from stream.worker.log import Log
from stream.worker.recovery import open_positions
from stream.worker.replica import Replica


@dataclass(frozen=True, slots=True)
class Lost:
    """Offsets [start, end) of a topic that are not what was applied."""

    topic: str
    partition: int
    start: int
    end: int
    expected: int  # records
    found: int

    @property
    def count(self) -> int:
        """Records that are missing at least."""
        return max(self.expected - self.found, 0)


async def surviving_inputs(log: Log, replica: Replica, entry: journal.Batch) -> tuple[dict[int, Block], list[Lost]]:
    """The records of a batch that can still be read, those of entries that are missing before it included."""
    inputs: dict[int, Block] = {}
    lost = []
    for position in entry.positions:
        embedded = [one for one in entry.embedded if one.kind == position.kind]
        records = block_of(embedded)
        if not embedded:
            begin = replica.positions.get(position.kind, position.start)
            records = await _readable(log, replica.partition, TOPICS[position.kind], begin, position.end)
            if begin != position.start or len(records) != position.count or digest(records) != position.digest:
                topic = TOPICS[position.kind]
                lost.append(Lost(topic, replica.partition, begin, position.end, position.count, len(records)))
        if len(records):
            inputs[position.kind] = records
    return inputs, lost


async def _readable(log: Log, partition: int, topic: str, start: int, end: int) -> Block:
    first, last = await log.bounds(topic, partition, committed=True)
    start, end = max(start, first), min(end, last)
    return joined([part async for part in log.blocks(topic, partition, start, end)] if start < end else [])


async def mended_positions(log: Log, replica: Replica, *, mend: bool) -> tuple[dict[int, int], list[Lost]]:
    """Where each input is read on. With `mend` an input whose next record is gone is read from the first that is kept.

    Raises
    ------
    SegstreamError : a record is gone, and that was not accepted.
    """
    if not mend:
        await open_positions(log, replica)
        return replica.positions, []
    positions, lost = dict(replica.positions), []
    for kind, position in replica.positions.items():
        first, end = await log.bounds(TOPICS[kind], replica.partition, committed=True)
        if not first <= position <= end:
            positions[kind] = first
            lost.append(Lost(TOPICS[kind], replica.partition, position, first, max(first - position, 0), 0))
    return positions, lost
