"""Verification: execute a range of a partition's journal again, from a kept checkpoint, and compare with what is there.

It reads and never writes, with readers of its own and without a group: a live system does not notice it. The end of the
range is fixed when it begins. Changes are compared byte for byte (by a 128-bit digest until one differs), and dead
letters likewise. A duplicate must equal the first copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream.codec import journal
from stream.codec.definitions import load
from stream.errors import SegstreamError
from stream.kafka.log import KafkaLog
from stream.kafka.partitioner import partition_of
from stream.worker.checkpoint import restore
from stream.worker.comparison import NOT_READ, Difference, Letters, Published, customer_digest, fields_of
from stream.worker.documents import DEFINITIONS_TOPIC, MODELS_TOPIC, Documents
from stream.worker.markers import Marked, kept_markers, marker_at
from stream.worker.recovery import JournalReader, read_inputs
from stream.worker.replica import Outcome, Replica, rule_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.codec.state import Kept
    from stream.settings import Settings
    from stream.worker.log import Keyed, Log

CHANGES, LETTERS, JOURNAL = "segment-changes", "segment-dead-letters", "segment-journal"


@dataclass(frozen=True, slots=True)
class Range:
    """What to verify: from where, up to which journal offset, and whether nobody is writing.

    Attributes
    ----------
    start : `first` (the journal's first entry), `oldest`, `latest`, `latest-N` (N markers before the latest), or the
        offset of a marker; empty for the most that is there. The latest is the newest that begins before `end`.
    end : journal offset after the last entry; None for the present end.
    settled : nothing is being written: everything must be published, and nothing be beyond the journal's end.
    """

    start: str = ""
    end: int | None = None
    settled: bool = False


@dataclass(slots=True)
class Report:
    """What one partition's verification found; `difference` is the first one, with its address."""

    partition: int
    marker: int = NOT_READ  # offset in segment-state; -1: from the journal's first entry
    journal_start: int = 0
    journal_end: int = 0
    entries: int = 0
    claims: int = 0
    superseded: int = 0  # entries of fenced owners, which nobody executes
    events: int = 0
    changes: int = 0
    copies: int = 0  # published more than once, and equal
    pending: int = 0  # computed and not published yet
    dead_letters: int = 0
    dead_letters_pending: int = 0
    difference: Difference | None = None


async def verify(
    settings: Settings, partitions: Sequence[int], *, settled: bool = False, chosen: Range | None = None
) -> list[Report]:
    """Verify each of the partitions.

    Raises
    ------
    SegstreamError : records that are needed are gone, or another engine wrote them: nothing can be said.
    """
    log = KafkaLog(settings)
    chosen = chosen or Range(settled=settled)
    try:
        return [await verify_partition(log, settings, partition, chosen) for partition in partitions]
    finally:
        await log.stop()


async def kept_of(settings: Settings, partitions: Sequence[int]) -> dict[int, list[Kept]]:
    """The markers that each partition can be verified from, oldest first."""
    log = KafkaLog(settings)
    try:
        return {partition: await kept_markers(log, partition) for partition in partitions}
    finally:
        await log.stop()


async def verify_partition(log: Log, settings: Settings, partition: int, chosen: Range) -> Report:
    """Verify one partition; see `verify`."""
    marked = await _start(log, partition, chosen)
    _, end = await log.bounds(JOURNAL, partition, committed=False)  # after the marker: it lies behind no earlier end
    documents = await documents_of(log, settings)
    replica = Replica(partition, rule_of(settings), documents.get, partition_of)
    report = Report(partition, journal_end=end if chosen.end is None else min(chosen.end, end))
    fingerprint = replica.rule.fingerprint()
    if marked is not None:
        await restore(log, replica, marked, documents.get)
        report.marker, report.journal_start = marked.offset, marked.marker.journal_next
        fingerprint = marked.marker.fingerprint
    if report.journal_start > report.journal_end:
        raise SegstreamError(
            f"the range of partition {partition} ends at {report.journal_end} and begins at {report.journal_start}",
            "give an earlier marker or a later end",
        )
    published, letters = Published(replica.seq + 1 if marked else 0), Letters(partition)
    reader = JournalReader(partition, replica.epoch, fingerprint)
    settled = chosen.settled and report.journal_end == end
    report.difference = (
        await _read_published(log, partition, published, marked)
        or await _execute(log, replica, reader, published, letters, report)
        or await _compare_letters(log, partition, letters, report, settled=settled)
        or (_ends(replica, published, report) if settled else None)
    )
    report.copies = published.copies
    await log.forget_readers()
    return report


async def _start(log: Log, partition: int, chosen: Range) -> Marked | None:
    """The marker to begin with, None for the journal's first entry."""
    start = chosen.start
    first, _ = await log.bounds(JOURNAL, partition, committed=False)
    if start == "first" or (not start and first == 0):
        if first > 0:
            raise SegstreamError(
                f"the journal of partition {partition} begins at {first}: what came before was deleted",
                "begin with a marker: `segstream verify --list` shows those that are kept",
            )
        return None
    if start.isdecimal():
        return await marker_at(log, partition, int(start))
    kept = await kept_markers(log, partition)
    usable = [one for one in kept if chosen.end is None or one.journal_next <= chosen.end]
    back = 0 if start in {"latest", "oldest", ""} else int(start.removeprefix("latest-"))
    if back >= len(usable):
        which = "kept markers" if chosen.end is None else f"kept markers that begin at {chosen.end} or before"
        raise SegstreamError(
            f"partition {partition} has {len(usable)} {which}, of {len(kept)}", "`segstream verify --list` shows them"
        )
    return await marker_at(log, partition, usable[0 if start in {"oldest", ""} else -1 - back].offset)


async def documents_of(log: Log, settings: Settings) -> Documents:
    """Every document that a journal may name."""
    definitions, _ = load(settings.definitions)
    documents = Documents(definitions)
    for topic in (DEFINITIONS_TOPIC, MODELS_TOPIC):
        first, end = await log.bounds(topic, 0, committed=True)
        async for records in log.read(topic, 0, first, end, committed=True):
            documents.add(topic, records)
    return documents


async def _read_published(log: Log, partition: int, published: Published, marked: Marked | None) -> Difference | None:
    first, end = await log.bounds(CHANGES, partition, committed=False)
    start = max(first, marked.marker.changes_next) if marked else first
    async for records in log.read(CHANGES, partition, start, end, committed=False):
        for record in records:
            other = published.add(record)
            if other != NOT_READ:
                earlier = await _record_at(log, partition, other)
                fields = fields_of(earlier.value, record.value)
                what = f"not equal to its first copy at offset {other}"
                return Difference(
                    what, CHANGES, partition, record.offset, customer=customer_digest(record.key), fields=fields
                )
    return None


async def _execute(
    log: Log, replica: Replica, reader: JournalReader, published: Published, letters: Letters, report: Report
) -> Difference | None:
    """The range, entry by entry; returns the first difference."""
    start, end = report.journal_start, report.journal_end
    async for offset, entry in reader.entries(log, start, end):
        if entry is None:
            report.superseded += 1
            continue
        report.claims += isinstance(entry, journal.Claim)
        _refuse_other_engine(replica, reader, entry, offset)
        outcome = replica.execute(offset, entry, await read_inputs(log, replica, entry))
        report.entries += 1
        difference = await _compare(log, replica.partition, offset, outcome, published, report)
        if difference is not None:
            return difference
        for key, value in outcome.dead_letters:
            letters.expect(key, value, offset)
    return None


def _refuse_other_engine(replica: Replica, reader: JournalReader, entry: journal.Entry, offset: int) -> None:
    if isinstance(entry, journal.Decision):
        raise SegstreamError(
            f"journal entry {replica.partition}/{offset} is a decision of `segstream recover`: what was published is "
            "not what the entries before it give",
            "verify up to it with --to, or from a later marker",
        )
    if not isinstance(entry, journal.Claim) and reader.fingerprint != replica.rule.fingerprint():
        raise SegstreamError(
            f"journal entry {replica.partition}/{offset} was executed by another engine or settings",
            "verify with the version and the settings of the workers that wrote it, or from a later marker",
        )


async def _compare(
    log: Log, partition: int, entry: int, outcome: Outcome, published: Published, report: Report
) -> Difference | None:
    """Hold the changes of one entry against the published ones."""
    report.events += outcome.applied
    for seq, change in enumerate(outcome.changes, outcome.first_seq):
        offset = published.offset(seq)
        if offset != NOT_READ and published.equals(seq, *change):
            report.changes += 1
        elif offset != NOT_READ:
            return await _differing(log, partition, offset, seq, entry, change)
        elif seq > published.last_seq:
            report.pending += 1
        elif seq >= published.first_seq:  # else beyond retention
            what = f"never published, although seq {published.last_seq} after it was"
            return Difference(what, CHANGES, partition, seq=seq, entry=entry, customer=customer_digest(change[0]))
    return None


async def _differing(log: Log, partition: int, offset: int, seq: int, entry: int, change: Keyed) -> Difference:
    there = await _record_at(log, partition, offset)
    fields = fields_of(change[1] or b"{}", there.value or b"{}")
    what = "not what the journal gives" if fields else "the same values in other bytes"
    if there.key != change[0]:
        what = "another key than the journal gives"
    return Difference(what, CHANGES, partition, offset, seq, entry, customer_digest(change[0]), fields)


async def _compare_letters(
    log: Log, partition: int, letters: Letters, report: Report, *, settled: bool
) -> Difference | None:
    """Dead letters are read only where some were computed: nothing tells where in the topic a range begins."""
    report.dead_letters = letters.count
    if not letters.count:
        return None
    first, end = await log.bounds(LETTERS, partition, committed=False)
    async for records in log.read(LETTERS, partition, first, end, committed=False):
        for record in records:
            difference = letters.add(record)
            if difference is not None:
                return difference
    missing = letters.missing()
    report.dead_letters_pending = len(missing)
    if settled and missing:
        topic, offset = missing[0]
        return Difference(f"no dead letter of {topic} offset {offset} was published", LETTERS, partition)
    return None


def _ends(replica: Replica, published: Published, report: Report) -> Difference | None:
    """What a settled partition may not have: changes that are still to be published, or that no entry explains."""
    if report.pending:
        what = f"{report.pending} changes from here on are not published"
        return Difference(what, CHANGES, replica.partition, seq=published.last_seq + 1)
    if published.last_seq > replica.seq:
        offset = published.offset(replica.seq + 1)
        return Difference("no entry of the journal explains it", CHANGES, replica.partition, offset, replica.seq + 1)
    return None


async def _record_at(log: Log, partition: int, offset: int) -> Any:
    async for records in log.read(CHANGES, partition, offset, offset + 1, committed=False):
        return records[0]
    raise SegstreamError(
        f"segment-changes [{partition}] offset {offset} was there a moment ago", "verify again: retention removed it"
    )
