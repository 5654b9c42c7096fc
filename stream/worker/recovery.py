"""From a claim to the present: load the checkpoint, execute the journal again, compare, publish what is missing.

A recovery proves itself each time: what it computes again must equal, byte for byte (by a 128-bit digest), what was
published.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from models.events import TOPICS
from stream.codec import journal
from stream.codec.block import block_of, digest, joined
from stream.codec.columns import Columns
from stream.codec.digests import digest_of
from stream.codec.documents import seq_of
from stream.codec.events import decode
from stream.codec.state import Marker
from stream.errors import SegstreamError
from stream.worker.checkpoint import Cycle, restore
from stream.worker.log import FencedError, Keyed, Log
from stream.worker.markers import newest_marker
from stream.worker.replica import Outcome, Replica

SOURCE_HINT = "see docs/operations.md, 'source records are gone'"


@dataclass(slots=True)
class Recovered:
    """What a recovery found: where the journal goes on, and what was not published yet."""

    cycle: Cycle
    marker: Marker | None
    missing: list[Keyed] = field(default_factory=list)  # changes, in order
    dead_letters: list[Keyed] = field(default_factory=list)
    sampled: list[tuple[int, Outcome]] = field(default_factory=list)  # (journal offset, with vectors or who left)
    entries: int = 0  # executed again, claims not counted
    events: int = 0
    changes_next: int = 0
    unexplained: int = 0  # seq of a published change that no entry explains, 0 for none


class JournalReader:
    """Entries of one journal that count: those of the epoch of the latest claim before them."""

    def __init__(self, partition: int, epoch: int, fingerprint: str = "") -> None:
        self.partition = partition
        self.epoch = epoch
        self.fingerprint = fingerprint  # of the engine that executed what comes next

    def accept(self, offset: int, value: bytes) -> journal.Entry | None:
        """The entry if it counts, else None; a claim counts and begins its own epoch."""
        entry = journal.decode(value)
        if isinstance(entry, journal.Claim):
            self.epoch, self.fingerprint = offset, entry.fingerprint
            return entry
        return entry if entry.epoch == self.epoch else None

    async def entries(self, log: Log, start: int, end: int) -> AsyncIterator[tuple[int, journal.Entry | None]]:
        """Offset and entry of each record in [start, end); None for one that does not count."""
        async for records in log.read("segment-journal", self.partition, start, end, committed=False):
            for record in records:
                yield record.offset, self.accept(record.offset, record.value)


async def recover(log: Log, replica: Replica, claim_offset: int, document: Callable[[str], Any]) -> Recovered:
    """Bring an empty replica up to (not including) the claim at `claim_offset`.

    Raises FencedError when a newer claim is found, SegstreamError when source records are gone or differ.
    """
    marked = await newest_marker(log, replica.partition)
    marker = marked.marker if marked else None
    cycle, start = Cycle(), 0
    if marked is not None:
        start = marked.marker.journal_next
        if start > claim_offset:
            raise FencedError  # a newer owner has claimed and even checkpointed
        cycle = await restore(log, replica, marked, document)
    first, _ = await log.bounds("segment-journal", replica.partition, committed=False)
    if first > start and (marker is not None or first > 0):
        raise SegstreamError(
            f"the journal of partition {replica.partition} begins at {first}, the checkpoint needs {start}",
            "its retention must be off: see docs/operations.md, 'journal has a hole'",
        )
    result = Recovered(cycle, marker)
    published = await _published(log, replica, marker, result)
    await _execute(log, replica, start, claim_offset, marker, published, result)
    return result


async def _published(log: Log, replica: Replica, marker: Marker | None, result: Recovered) -> dict[int, bytes]:
    """A digest of what is in segment-changes from the marker on, by seq; duplicates must be equal."""
    first, end = await log.bounds("segment-changes", replica.partition, committed=False)
    start = max(first, marker.changes_next if marker else first)
    result.changes_next = end
    published: dict[int, bytes] = {}
    async for records in log.read("segment-changes", replica.partition, start, end, committed=False):
        for record in records:
            seq = seq_of(record.value)
            found = digest_of(record.value)  # a seventh of the memory that the value takes
            if published.setdefault(seq, found) != found:
                raise differs(replica.partition, seq, record.offset, "two published copies")
    return published


async def _execute(
    log: Log,
    replica: Replica,
    start: int,
    claim_offset: int,
    marker: Marker | None,
    published: dict[int, bytes],
    result: Recovered,
) -> None:
    fingerprint = marker.fingerprint if marker else replica.rule.fingerprint()
    reader = JournalReader(replica.partition, replica.epoch, fingerprint)
    async for offset, entry in reader.entries(log, start, claim_offset):
        if entry is None:
            continue
        refuse_foreign(replica, reader, entry)
        outcome = replica.execute(offset, entry, await read_inputs(log, replica, entry))
        result.entries += not isinstance(entry, journal.Claim)
        _compare(replica.partition, outcome, published, result, offset)
    if max(published, default=0) > replica.seq:
        result.unexplained = replica.seq + 1


def refuse_foreign(replica: Replica, reader: JournalReader, entry: journal.Entry) -> None:
    """Raise SegstreamError for an entry not to be executed here: another engine's, a decision half carried out."""
    if isinstance(entry, journal.Decision):
        raise SegstreamError(
            f"partition {replica.partition} has a decision of `segstream recover` after its checkpoint",
            "it was interrupted: run it again with the same choices, see docs/operations.md, 'recover'",
        )
    if isinstance(entry, journal.Claim) or reader.fingerprint == replica.rule.fingerprint():
        return
    raise SegstreamError(
        f"partition {replica.partition} has entries after its checkpoint that another engine "
        "or other settings executed",
        "start the old version once more and stop it with SIGTERM: it checkpoints to the end; then upgrade. "
        "Or stop all workers and run `segstream recover --new-engine`: "
        "see docs/operations.md, 'another engine'",
    )


def _compare(partition: int, outcome: Outcome, published: dict[int, bytes], result: Recovered, offset: int) -> None:
    for i, (key, value) in enumerate(outcome.changes):
        there = published.get(outcome.first_seq + i)
        if there is None:
            result.missing.append((key, value))
        elif there != digest_of(value):
            raise differs(partition, outcome.first_seq + i, offset, "the journal executed again")
    result.dead_letters.extend(outcome.dead_letters)
    result.events += outcome.applied
    if outcome.is_sampled:
        result.sampled.append((offset, outcome.for_trainer()))


def differs(partition: int, seq: int, offset: int, what: str) -> SegstreamError:
    """The error that says which change disagrees, and what was compared."""
    return SegstreamError(
        f"change {partition}-{seq} is not what was published (offset {offset}): {what} disagree",
        "the engine or a document differs from the one that published it: see docs/operations.md, 'changes differ'",
    )


async def read_inputs(log: Log, replica: Replica, entry: journal.Entry) -> dict[int, Columns]:
    """The records of a batch, read again and checked against the entry; other entries have none."""
    inputs: dict[int, Columns] = {}
    if not isinstance(entry, journal.Batch):
        return inputs
    for position in entry.positions:
        expected = replica.positions.get(position.kind)
        if expected is not None and expected != position.start:
            raise SegstreamError(
                f"journal of partition {replica.partition}: {TOPICS[position.kind]} goes on at {position.start}, "
                f"{expected} was expected",
                "an entry is missing: see docs/operations.md, 'journal has a hole'",
            )
        if not position.count:  # passed by: of control records and aborted ones nothing need be left
            continue
        embedded = [record for record in entry.embedded if record.kind == position.kind]
        if embedded:
            block = block_of(embedded)
        else:
            found = log.blocks(TOPICS[position.kind], replica.partition, position.start, position.end)
            block = joined([part async for part in found])
        if len(block) != position.count or digest(block) != position.digest:
            raise SegstreamError(
                f"{TOPICS[position.kind]} [{replica.partition}] offsets {position.start} to {position.end}: "
                f"{len(block)} of {position.count} records, or others, are there",
                SOURCE_HINT,
            )
        inputs[position.kind] = decode(position.kind, block)
    return inputs


async def open_positions(log: Log, replica: Replica) -> dict[int, int]:
    """Where each input is read on; raises SegstreamError when its next record is gone."""
    found = {}
    for kind, topic in enumerate(TOPICS):
        first, end = await log.bounds(topic, replica.partition, committed=True)
        position = replica.positions.get(kind, first)  # nothing of it was ever applied: from the first record kept
        if not first <= position <= end:
            raise SegstreamError(
                f"{topic} [{replica.partition}] holds offsets {first} to {end}, the next to apply is {position}",
                SOURCE_HINT,
            )
        found[kind] = position
    return found
