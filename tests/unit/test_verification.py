"""Verification from any kept marker, what it says of a difference, and how long what it needs is kept."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.codec.documents import seq_of
from stream.codec.state import Kept
from stream.errors import SegstreamError
from stream.simulate import events
from stream.worker.comparison import customer_digest
from stream.worker.log import Log
from stream.worker.markers import KEPT_MAX, KEPT_MS, kept_markers, outlived, thinned
from stream.worker.verification import Range, Report, verify_partition
from tests.golden.recording import CHANGES, JOURNAL, LETTERS, SETTINGS, STATE
from tests.still import StillClock, StillLog, Stored, claimed, live, send, work

NOW_MS = 1_800_000_000_000  # after every simulated event
EVENTS = 500  # a dozen checkpoints
LIVES = 4  # owners one after the other
HOUR_MS = 3_600_000
EAGER = dataclasses.replace(SETTINGS, checkpoint_events=1)  # a checkpoint after almost every batch


@cache
def story() -> list[tuple[str, Any]]:
    """A few hundred events, and two records that are none."""
    told = [(one.topic, one.payload) for one in events(6, 14, 150)][:EVENTS]
    bad = {"customer_id": "c", "ts": "never"}
    return [*told[:100], ("clicks", bad), *told[100:300], ("clicks", bad), *told[300:]]


def lived(*, then_die: bool = False) -> StillLog:
    """A log that several owners worked on, one after the other; every test has its own."""
    return copy.deepcopy(_lived(then_die=then_die))


@cache
def _lived(*, then_die: bool) -> StillLog:
    log, told = StillLog(), story()
    clock = StillClock(NOW_MS)

    async def run() -> None:
        send(log, [])
        for life in range(LIVES):
            send(log, told[life * len(told) // LIVES : (life + 1) * len(told) // LIVES])
            await live(log, EAGER, clock, then_die=then_die and life == LIVES - 1)

    asyncio.run(run())
    return log


def verified(log: StillLog, start: str = "", end: int | None = None, *, settled: bool = True) -> Report:
    """What verification says of a log."""
    typed: Log = log
    return asyncio.run(verify_partition(typed, SETTINGS, 0, Range(start, end, settled)))


def kept(log: StillLog) -> list[Kept]:
    """The markers that can be gone back to."""
    typed: Log = log
    return asyncio.run(kept_markers(typed, 0))


def replace(log: StillLog, topic: str, place: int, **changed: Any) -> Stored:
    """Change fields of a published JSON record."""
    records = log.shelf(topic).records
    old = records[place]
    value = json.dumps({**json.loads(old.value or b""), **changed}, separators=(",", ":")).encode()
    records[place] = dataclasses.replace(old, value=value)
    return old


def test_every_kept_marker_is_a_place_to_begin() -> None:
    """From each of them, and from the first entry, the rest of the journal gives what is published, to the end."""
    log = lived()
    whole = verified(log, "first")
    assert whole.difference is None
    assert whole.changes == len(log.shelf(CHANGES).records)
    assert whole.dead_letters == 2
    markers = kept(log)
    assert len(markers) > LIVES
    last = None
    for one in markers:
        report = verified(log, str(one.offset))
        assert report.difference is None
        assert report.journal_start == one.journal_next
        assert last is None or report.changes <= last.changes
        last = report
    assert verified(log, "latest").marker == markers[-1].offset
    assert verified(log, "latest-2").marker == markers[-3].offset
    assert verified(log, "oldest").marker == markers[0].offset


def test_a_range_ends_where_it_is_told() -> None:
    """Up to a journal offset, the changes of two neighbouring ranges are those of the whole."""
    log = lived()
    middle = kept(log)[3]
    before, after = verified(log, "first", middle.journal_next), verified(log, str(middle.offset))
    assert before.difference is None
    assert before.changes + after.changes == verified(log, "first").changes
    assert verified(log, "latest", middle.journal_next).marker == middle.offset
    assert verified(log, "latest-1", middle.journal_next).marker == kept(log)[2].offset
    with pytest.raises(SegstreamError, match=f"ends at {middle.journal_next - 1} and begins at {middle.journal_next}"):
        verified(log, str(middle.offset), middle.journal_next - 1)
    with pytest.raises(SegstreamError, match="has 0 kept markers that begin at 0 or before, of"):
        verified(log, "oldest", 0)


class GrowingLog(StillLog):
    """A worker appends to the journal, and checkpoints, after the first look at the journal's bounds."""

    looks = 0

    async def bounds(self, topic: str, partition: int, *, committed: bool) -> tuple[int, int]:
        """See Log.bounds."""
        first, end = await super().bounds(topic, partition, committed=committed)
        if topic != JOURNAL:
            return first, end
        self.looks += 1
        return (first, end - 3) if self.looks == 1 else (first, end)


def test_a_checkpoint_while_verification_begins_does_not_matter() -> None:
    """The newest marker may be younger than the first look at the journal: the range still holds."""
    log = GrowingLog()
    log.shelves = lived().shelves
    newest = kept(log)[-1]
    assert newest.journal_next > log.shelf(JOURNAL).end - 3
    log.looks = 0
    report = verified(log, "latest", settled=False)
    assert report.marker == newest.offset
    assert report.difference is None


def test_a_changed_byte_is_found_with_its_address() -> None:
    """The difference names topic, offset, seq, entry, the customer's digest and both values; never the customer."""
    log = lived()
    place = len(log.shelf(CHANGES).records) - 4
    old = replace(log, CHANGES, place, segment="nowhere", customer_id="somebody")
    for start in ("first", "oldest", str(kept(log)[0].offset)):
        found = verified(log, start).difference
        assert found is not None
        assert (found.topic, found.partition, found.offset) == (CHANGES, 0, old.offset)
        assert found.seq == seq_of(old.value or b"")
        assert found.customer == customer_digest(old.key)
        values = {name: (there, here) for name, there, here in found.fields}
        assert values["segment"] == ('"nowhere"', json.dumps(json.loads(old.value or b"")["segment"]))
        assert (old.key or b"").decode() not in str(found)
        assert "somebody" not in str(found)


def test_what_is_missing_invented_or_copied_wrongly_is_found() -> None:
    """A hole, a change that no entry explains, an unlike copy, another dead letter, a dead letter too few."""
    log = lived()
    del log.shelf(CHANGES).records[5]
    assert "never published" in str(verified(log).difference)
    log = lived()
    last = log.shelf(CHANGES).records[-1]
    seq = seq_of(last.value or b"")
    invented = (last.value or b"").replace(b"%d" % seq, b"%d" % (seq + 1))  # in its id too
    log.shelf(CHANGES).put(last.key, invented)
    assert "no entry of the journal explains it" in str(verified(log).difference)
    log = lived()
    log.shelf(CHANGES).put(last.key, (last.value or b"") + b" ")
    assert "not equal to its first copy" in str(verified(log).difference)
    log = lived()
    replace(log, LETTERS, 1, reason="mood")
    assert "has other bytes" in str(verified(log).difference)
    log = lived()
    del log.shelf(LETTERS).records[0]
    assert "no dead letter of clicks" in str(verified(log).difference)


def test_what_is_still_on_its_way_is_no_difference() -> None:
    """Beside a live worker the last changes may not be there yet; a settled log must have them."""
    log = lived(then_die=True)
    del log.shelf(CHANGES).records[-3:]
    beside = verified(log, settled=False)
    assert (beside.difference, beside.pending) == (None, 3)
    assert "not published" in str(verified(log).difference)


def test_a_deleted_beginning_is_told() -> None:
    """From the first entry only while it is there; from a marker as long as what it needs is."""
    log = lived()
    second = kept(log)[1]
    log.shelf(JOURNAL).forget_before(second.journal_next)
    with pytest.raises(SegstreamError, match="what came before was deleted"):
        verified(log, "first")
    assert verified(log).marker == second.offset
    log.shelf(STATE).forget_before(kept(log)[-1].offset)
    with pytest.raises(SegstreamError, match="there is no marker"):
        verified(log, str(second.offset))


def test_the_past_is_deleted_whoever_owns_it() -> None:
    """Owners who change every four hours delete what is older than a day, and never what the last day needs."""
    log, clock = StillLog(), StillClock(NOW_MS)
    told = story()
    taken: list[tuple[int, int]] = []  # (when, journal end) of every life

    async def run() -> None:
        send(log, told[:50])
        for life in range(42):
            clock.now_ms += 4 * HOUR_MS
            send(log, told[50 + 4 * life : 54 + 4 * life])
            partition = await claimed(log, EAGER, clock)
            await work(log, partition)
            await partition.release()
            taken.append((clock.now_ms, log.shelf(JOURNAL).end))

    asyncio.run(run())
    old = [end for when, end in taken if clock.now_ms - when > KEPT_MS]
    young = [end for when, end in taken if clock.now_ms - when <= KEPT_MS]
    assert old[-3] <= log.shelf(JOURNAL).start <= young[0]
    assert log.shelf(STATE).start > 0
    report = verified(log)
    assert report.difference is None
    assert report.marker == kept(log)[0].offset


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=300))
def test_markers_thin_out_evenly(gaps: list[int]) -> None:
    """However many checkpoints a day has, a bounded number is named, the newest and the oldest among them."""
    names: list[Kept] = []
    wall_ms = NOW_MS
    for number, gap in enumerate(gaps):
        wall_ms += gap
        names = thinned([*names, Kept(number, 0, number, wall_ms)])
    assert len(names) == min(len(gaps), KEPT_MAX)
    assert (names[0].offset, names[-1].offset) == (0, len(gaps) - 1)
    assert names == sorted(names, key=lambda one: one.offset)


@given(st.lists(st.integers(0, 3 * KEPT_MS), max_size=20))
def test_a_day_stays_verifiable(ages_ms: list[int]) -> None:
    """What is outlived leaves a marker that is older than a day, if there is one, and every younger one."""
    ages = sorted(ages_ms, reverse=True)
    names = [Kept(i, 0, i, NOW_MS - age) for i, age in enumerate(ages)]
    left = names[outlived(names, NOW_MS) :]
    assert [one for one in left if NOW_MS - one.wall_ms <= KEPT_MS] == [
        one for one in names if NOW_MS - one.wall_ms <= KEPT_MS
    ]
    assert len([one for one in left if NOW_MS - one.wall_ms > KEPT_MS]) == min(
        1, len([one for one in names if NOW_MS - one.wall_ms > KEPT_MS])
    )
