"""Verification: execute a partition's journal again, uninterrupted and in an empty replica, and compare with what was
published. It reads and never writes, so a live system does not notice it.

Changes are compared byte for byte (by a 128-bit digest until one differs). A duplicate must equal the first copy.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream.codec import journal
from stream.codec.definitions import load
from stream.codec.documents import seq_of
from stream.errors import SegstreamError
from stream.kafka.log import KafkaLog
from stream.kafka.partitioner import partition_of
from stream.worker.documents import DEFINITIONS_TOPIC, MODELS_TOPIC, Documents
from stream.worker.recovery import JournalReader, read_inputs
from stream.worker.replica import Replica, rule_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.settings import Settings
    from stream.worker.log import Keyed, Log

DIGEST_BYTES = 16  # of BLAKE2: no two changes of a journal share one by accident
SHOWN_FIELDS_MAX = 4  # of a difference: the first few tell what kind it is
NOT_READ = -1  # offset of a seq of which no record was seen


@dataclass(slots=True)
class Report:
    """What one partition's verification found; `difference` is the first one, with its address."""

    partition: int
    entries: int = 0
    claims: int = 0
    superseded: int = 0  # entries of fenced owners, which nobody executes
    events: int = 0
    changes: int = 0
    copies: int = 0  # published more than once, and equal
    pending: int = 0  # computed and not published yet
    dead_letters: int = 0
    journal_end: int = 0
    difference: str | None = None


class Published:
    """Digest and offset of every published change, by seq."""

    def __init__(self) -> None:
        self.first_seq = 0
        self.copies = 0
        self.offsets: array[int] = array("q")
        self._digests = bytearray()

    @property
    def last_seq(self) -> int:
        """The greatest seq that was published, 0 for none."""
        return self.first_seq + len(self.offsets) - 1 if self.offsets else 0

    def add(self, record: Any) -> str | None:
        """Take the next record of the topic; returns how it differs from an earlier copy, if it does."""
        seq = seq_of(record.value)
        if not self.offsets:
            self.first_seq = seq
        place = seq - self.first_seq
        if place < 0:
            return None  # a copy of what retention has removed: there is nothing to hold it against
        missing = place + 1 - len(self.offsets)
        self.offsets.extend([NOT_READ] * missing)
        self._digests.extend(bytes(DIGEST_BYTES * max(missing, 0)))
        found = _digest(record.key, record.value)
        if self.offsets[place] == NOT_READ:
            self.offsets[place] = record.offset
            self._digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES] = found
            return None
        self.copies += 1
        if self.digest(seq) == found:
            return None
        return f"segment-changes offsets {self.offset(seq)} and {record.offset} both have seq {seq} and are not equal"

    def offset(self, seq: int) -> int:
        """Where the change lies, NOT_READ when it does not."""
        place = seq - self.first_seq
        return self.offsets[place] if 0 <= place < len(self.offsets) else NOT_READ

    def digest(self, seq: int) -> bytes:
        """The digest of its key and value."""
        start = (seq - self.first_seq) * DIGEST_BYTES
        return bytes(self._digests[start : start + DIGEST_BYTES])


async def verify(settings: Settings, partitions: Sequence[int], *, settled: bool = False) -> list[Report]:
    """Verify each of the partitions, up to the end that its journal has now.

    Parameters
    ----------
    settled : nothing is being written: every change must be published, none may be beyond the journal's end.

    Raises
    ------
    SegstreamError : records that are needed are gone, or another engine wrote them: nothing can be said.
    """
    log = KafkaLog(settings)
    try:
        return [await verify_partition(log, settings, partition, settled=settled) for partition in partitions]
    finally:
        await log.stop()


async def verify_partition(log: Log, settings: Settings, partition: int, *, settled: bool) -> Report:
    """Verify one partition; see `verify`."""
    first, end = await log.bounds("segment-journal", partition, committed=False)
    if first > 0:
        raise SegstreamError(
            f"the journal of partition {partition} begins at {first}: what came before was deleted",
            "verification starts at the first entry; verify again before a day has passed",
        )
    documents = await documents_of(log, settings)
    report = Report(partition, journal_end=end)
    published = Published()
    report.difference = await _read_published(log, partition, published)
    replica = Replica(partition, rule_of(settings), documents.get, partition_of)
    if report.difference is None:
        report.difference = await _execute(log, replica, published, report)
    if report.difference is None:
        report.difference = _ends(replica, published, report, settled=settled)
    report.copies = published.copies
    await log.forget_readers()
    return report


async def documents_of(log: Log, settings: Settings) -> Documents:
    """Every document that a journal may name."""
    definitions, _ = load(settings.definitions)
    documents = Documents(definitions)
    for topic in (DEFINITIONS_TOPIC, MODELS_TOPIC):
        first, end = await log.bounds(topic, 0, committed=True)
        async for records in log.read(topic, 0, first, end, committed=True):
            documents.add(topic, records)
    return documents


async def _read_published(log: Log, partition: int, published: Published) -> str | None:
    first, end = await log.bounds("segment-changes", partition, committed=False)
    async for records in log.read("segment-changes", partition, first, end, committed=False):
        for record in records:
            difference = published.add(record)
            if difference is not None:
                return difference
    return None


async def _execute(log: Log, replica: Replica, published: Published, report: Report) -> str | None:
    """The journal from its first entry on; returns the first difference."""
    ours = replica.rule.fingerprint()
    reader = JournalReader(replica.partition, replica.epoch, ours)
    async for records in log.read("segment-journal", replica.partition, 0, report.journal_end, committed=False):
        for record in records:
            entry = reader.accept(record.offset, record.value)
            if entry is None:
                report.superseded += 1
                continue
            if isinstance(entry, journal.Claim):
                report.claims += 1
            elif reader.fingerprint != ours:
                raise SegstreamError(
                    f"journal entry {replica.partition}/{record.offset} was executed by another engine or settings",
                    "verify with the version and the settings of the workers that wrote it",
                )
            inputs = await read_inputs(log, replica, entry) if isinstance(entry, journal.Batch) else {}
            outcome = replica.execute(record.offset, entry, inputs)
            report.entries += 1
            report.events += outcome.applied
            report.dead_letters += len(outcome.dead_letters)
            for seq, change in enumerate(outcome.changes, outcome.first_seq):
                difference = await _compare(log, replica.partition, record.offset, seq, change, published, report)
                if difference is not None:
                    return difference
    return None


async def _compare(
    log: Log, partition: int, entry: int, seq: int, change: Keyed, published: Published, report: Report
) -> str | None:
    """Hold one computed change against the published one."""
    offset = published.offset(seq)
    if offset != NOT_READ and published.digest(seq) == _digest(*change):
        report.changes += 1
        return None
    where = f"change {partition}-{seq} (journal entry {entry}"
    if offset != NOT_READ:
        there = await _record_at(log, partition, offset)
        return f"{where}, segment-changes offset {offset}): {_fields(change, (there.key, there.value))}"
    if seq > published.last_seq:
        report.pending += 1
        return None
    if seq < published.first_seq:
        return None  # beyond retention
    return f"{where}) was never published, but {partition}-{published.last_seq} after it was"


def _ends(replica: Replica, published: Published, report: Report, *, settled: bool) -> str | None:
    """What a settled partition may not have: changes that are still to be published, or that no entry explains."""
    if not settled:
        return None
    if report.pending:
        return f"{report.pending} changes from {replica.partition}-{published.last_seq + 1} on are not published"
    if published.last_seq > replica.seq:
        offset = published.offset(replica.seq + 1)
        return (
            f"segment-changes offset {offset} has change {replica.partition}-{replica.seq + 1}, "
            "which no entry of the journal explains"
        )
    return None


async def _record_at(log: Log, partition: int, offset: int) -> Any:
    async for records in log.read("segment-changes", partition, offset, offset + 1, committed=False):
        return records[0]
    raise SegstreamError(
        f"segment-changes [{partition}] offset {offset} was there a moment ago", "verify again: retention removed it"
    )


def _fields(computed: Keyed, published: Keyed) -> str:
    """The first fields that differ, both values."""
    if computed[0] != published[0]:
        return "the keys differ"
    mine, theirs = json.loads(computed[1] or b"{}"), json.loads(published[1] or b"{}")
    names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)][:SHOWN_FIELDS_MAX]
    if not names:
        return "the same values in other bytes"
    return "; ".join(f"{name} is {theirs.get(name)!r}, computed {mine.get(name)!r}" for name in names)


def _digest(key: bytes | None, value: bytes | None) -> bytes:
    state = hashlib.blake2b(key or b"", digest_size=DIGEST_BYTES)
    state.update(b"\xff")
    state.update(value or b"")
    return state.digest()
