"""`segstream recover`: whatever stopped a worker, a decision gets over it, and subscribers end where the rows are."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
from functools import cache
from typing import Any

import pytest

from models.events import CLICK
from stream.codec import journal
from stream.errors import SegstreamError
from stream.simulate import events
from stream.subscriber import View
from stream.worker.log import FencedError
from stream.worker.partition import Partition
from stream.worker.repair import Choices, Plan, Repair
from stream.worker.replica import rule_of
from stream.worker.verification import Range, documents_of, verify_partition
from tests.golden.record import NOW_MS
from tests.golden.recording import CHANGES, JOURNAL, SETTINGS, STATE, recorded
from tests.still import StillClock, StillLog, StillTransactions, claimed, executed, live, send, work

EVENTS = 400  # some checkpoints and some hundred changes
INDEBTED = 5  # journal entries after the last checkpoint
SPARSE = dataclasses.replace(SETTINGS, checkpoint_seconds=3_600.0)
NOTHING, NEW_ENGINE, SKIP_MISSING = Choices(), Choices(new_engine=True), Choices(skip_missing=True)


@cache
def _indebted() -> StillLog:
    """Two owners: one who stopped, and one who was killed with a debt."""
    log, told = StillLog(), [(one.topic, one.payload) for one in events(8, 14, 150)]

    async def run() -> None:
        send(log, told[: EVENTS // 2])
        await live(log, SETTINGS, StillClock(NOW_MS))
        send(log, told[EVENTS // 2 : EVENTS])
        partition = await claimed(log, dataclasses.replace(SPARSE, checkpoint_events=10**6), StillClock(NOW_MS))
        end = log.shelf(JOURNAL).end
        await work(log, partition, lambda: log.shelf(JOURNAL).end >= end + INDEBTED)

    asyncio.run(run())
    return log


def indebted() -> StillLog:
    """A log of a partition whose owner was killed: every test has its own."""
    return copy.deepcopy(_indebted())


async def prepared(log: StillLog, choices: Choices) -> Repair:
    """A repair that has a plan and has written nothing."""
    typed: Any = log
    documents = await documents_of(typed, SETTINGS)
    repair = Repair(typed, 0, rule_of(SETTINGS), documents.get, lambda *_: 0, choices)
    await repair.prepare(log.shelf(JOURNAL).end)
    return repair


def plan(log: StillLog, choices: Choices = NOTHING) -> Plan:
    """What would be done."""
    before = {place: (shelf.end, shelf.start) for place, shelf in log.shelves.items()}
    found = asyncio.run(prepared(log, choices)).plan
    assert {place: (shelf.end, shelf.start) for place, shelf in log.shelves.items() if shelf.end} == {
        place: ends for place, ends in before.items() if ends[0]
    }, "a plan writes nothing"
    return found


def recover(log: Any, choices: Choices) -> Plan:
    """Do it."""

    async def run() -> Plan:
        documents = await documents_of(log, SETTINGS)
        repair = Repair(log, 0, rule_of(SETTINGS), documents.get, lambda *_: 0, choices)
        await repair.carry_out("test", "", "", "a test", NOW_MS)
        return repair.plan

    return asyncio.run(run())


def stops(log: StillLog, words: str) -> None:
    """A worker that takes over stops with these words."""
    with pytest.raises(SegstreamError, match=words):
        asyncio.run(claimed(log, SETTINGS, StillClock(NOW_MS)))


def resumes(log: StillLog) -> Partition:
    """A worker takes over, applies every input and stops; subscribers end where its rows are, without a hole."""
    partition = asyncio.run(live(log, SETTINGS, StillClock(NOW_MS)))
    engine = partition.replica.engine
    assert engine is not None
    view = View()
    for record in log.shelf(CHANGES).records:
        view.take_change(0, json.loads(record.value or b""))
    assert view.hole_count == 0
    names = [one.name for one in engine.judge.definitions.dimensions]
    for customer, slot in engine.table.items():
        row = engine.table.rows[slot]
        codes = engine.judge.codes(engine.table.rows[slot : slot + 1])[0].tolist()
        there = {name: engine.judge.segment_name(d, codes[d]) for d, name in enumerate(names)}
        rows = {name: segment for name, segment in there.items() if segment not in {None, "unassigned"}}
        assert {d: s for d, s in view.segments(customer).items() if s != "unassigned"} == rows, customer
        assert view.seq_of(customer) == row.seq
    assert set(view.customers()) <= {customer for customer, _ in engine.table.items()}
    return partition


def corrected(log: StillLog) -> list[dict[str, Any]]:
    """The corrections that were published."""
    changes = [json.loads(record.value or b"") for record in log.shelf(CHANGES).records]
    return [change for change in changes if change["supersedes"]]


def rewrite(log: StillLog, place: int, **changed: Any) -> dict[str, Any]:
    """Make a published change say something else; returns what it says now."""
    records = log.shelf(CHANGES).records
    change = {**json.loads(records[place].value or b""), **changed}
    records[place] = dataclasses.replace(records[place], value=json.dumps(change, separators=(",", ":")).encode())
    return change


def test_what_a_worker_recovers_by_itself_is_left_alone() -> None:
    """Without a problem the plan has none, and costs what a recovery costs."""
    log = indebted()
    found = plan(log)
    assert found.problem is None
    assert found.events > 50
    resumes(log)


def test_an_upgrade_with_a_debt_needs_a_decision() -> None:
    """Another engine's entries: refused; with --new-engine equal changes stay, and the missing are published."""
    log = recorded(1).log()
    stops(log, "segstream recover --new-engine")
    published = len(log.shelf(CHANGES).records)
    assert "another engine" in str(plan(log).problem)
    found = recover(log, NEW_ENGINE)
    assert found.corrections.kept == published - recorded(1).marker.changes_next
    assert len(found.corrections.issued) > 10
    assert found.corrections.corrected == 0
    resumes(log)


def test_differences_are_corrected_by_later_changes() -> None:
    """What another engine said otherwise or too much: the chain goes on, corrections name what they correct."""
    log = recorded(1).log()
    start = recorded(1).marker.changes_next
    other = rewrite(log, start + 60, segment="sleeping", valid_until="2031-01-01T00:00:00.000Z")
    last = log.shelf(CHANGES).records[-1]
    change = json.loads(last.value or b"")
    seq = change["seq"] + 1
    invented = {**change, "seq": seq, "event_id": f"0-{seq}", "previous_seq": seq - 1, "segment": "elsewhere"}
    log.shelf(CHANGES).put(last.key, json.dumps(invented).encode())
    found = recover(log, NEW_ENGINE)
    named = {one["supersedes"] for one in corrected(log)}
    assert len(named) == found.corrections.corrected >= 1
    assert f"0-{seq}" in named
    resumes(log)
    later = [json.loads(r.value or b"") for r in log.shelf(CHANGES).records[start + 61 :]]
    mine = [c for c in later if (c["customer_id"], c["dimension"]) == (other["customer_id"], other["dimension"])]
    assert mine, "somebody said where this customer is"


def test_a_change_that_nothing_led_to_is_taken_back_by_the_rows() -> None:
    """Published, and nothing computed touches it: the correction says so, with the trigger `recovery`."""
    log = indebted()
    first = json.loads(log.shelf(CHANGES).records[-1].value or b"")
    seq = first["seq"] + 1
    invented = {
        **first,
        "seq": seq,
        "event_id": f"0-{seq}",
        "previous_seq": first["seq"],
        "previous_segment": first["segment"],
        "segment": "nowhere",
        "dimension": "engagement",
    }
    log.shelf(CHANGES).put(b"c", json.dumps(invented).encode())
    stops(log, "changes differ")
    recover(log, NEW_ENGINE)
    [correction] = corrected(log)
    assert correction["supersedes"] == f"0-{seq}"
    assert correction["previous_segment"] == "nowhere"
    resumes(log)


def test_of_two_unlike_copies_the_first_is_believed() -> None:
    """Somebody published a change again with other bytes: refused, until it is decided to keep the first."""
    log = indebted()
    last = log.shelf(CHANGES).records[-1]
    log.shelf(CHANGES).put(last.key, (last.value or b"").replace(b'"segment":', b'"segment": '))
    stops(log, "two published copies")
    assert "two published copies" in str(plan(log).problem)
    recover(log, NEW_ENGINE)
    assert corrected(log) == []
    resumes(log)


def test_lost_inputs_are_given_up_by_decision() -> None:
    """Retention took what a recovery needs: refused; with --skip-missing the rest is applied, the loss written down."""
    log = indebted()
    whole = asyncio.run(executed(log, SETTINGS))[0]
    clicks = log.shelf("clicks")
    clicks.forget_before(clicks.records[-20].offset)
    stops(log, "source records are gone")
    assert plan(log, NEW_ENGINE).problem is not None
    found = recover(log, SKIP_MISSING)
    assert found.lost_records > 0
    decisions = [journal.decode(r.value or b"") for r in log.shelf(JOURNAL).records]
    [decision] = [entry for entry in decisions if isinstance(entry, journal.Decision)]
    assert decision.choices == ("skip-missing",)
    assert decision.lost_records == found.lost_records
    partition = resumes(log)
    assert whole.engine is not None
    assert partition.inputs.all_read


def test_a_topic_made_anew_is_read_from_its_beginning() -> None:
    """An input deleted and created again: positions lie beyond its end; the new records are all applied."""
    log = indebted()
    fresh = [dataclasses.replace(record, offset=i) for i, record in enumerate(log.shelf("clicks").records[-5:])]
    log.shelf("clicks").records = fresh
    log.shelf("clicks").end = len(fresh)
    stops(log, "source records are gone")
    recover(log, SKIP_MISSING)
    partition = resumes(log)
    assert partition.replica.positions[CLICK] == len(fresh)


def test_a_hole_in_the_journal_loses_no_event() -> None:
    """An entry is gone: refused; with --skip-missing the records between are applied with the next entry."""
    log = indebted()
    records = log.shelf(JOURNAL).records
    batches = [i for i, r in enumerate(records) if isinstance(journal.decode(r.value or b""), journal.Batch)]
    del records[batches[-3]]
    stops(log, "journal has a hole")
    recover(log, SKIP_MISSING)
    engine = resumes(log).replica.engine
    assert engine is not None
    sent = [json.loads(record.value or b"") for record in log.shelf("clicks").records]
    applied = int(engine.table.rows["count"][: len(engine.table), 0].sum())
    assert applied == len({event["event_id"] for event in sent})


@pytest.mark.parametrize("damage", ["rows", "marker"])
def test_an_unreadable_checkpoint_is_rebuilt_from_an_older_one(damage: str) -> None:
    """Rows or marker are gone or garbled: the advice names a start that works, nothing is lost, and nothing differs."""
    log = indebted()
    whole, changes = asyncio.run(executed(log, SETTINGS))
    records = log.shelf(STATE).records
    last = max(i for i, record in enumerate(records) if record.key == b"marker")
    if damage == "rows":
        del records[last - 1]
    else:
        records[last] = dataclasses.replace(records[last], value=b"\x91garbled")
    stops(log, "a checkpoint cannot be read")
    problem = plan(log).problem
    assert problem is not None
    start = problem.advice.split("--from ")[1].rstrip("`")
    for choice in (start, "first"):
        mended = copy.deepcopy(log)
        found = recover(mended, Choices(start=choice))
        assert found.lost == []
        partition = resumes(mended)
        assert [record.value for record in mended.shelf(CHANGES).records][: len(changes)] == changes
        assert partition.replica.seq >= whole.seq
        assert corrected(mended) == []
        typed: Any = mended
        report = asyncio.run(verify_partition(typed, SETTINGS, 0, Range("latest", settled=True)))
        assert report.difference is None


class CutLog(StillLog):
    """A log whose user is killed before its n-th write."""

    def __init__(self, log: StillLog, writes: int) -> None:
        super().__init__()
        self.shelves = log.shelves
        self.left = writes

    def _cut(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InterruptedError

    async def append(self, topic: str, partition: int, value: bytes) -> int:
        """See Log.append."""
        self._cut()
        return await super().append(topic, partition, value)

    async def transactions(self, identity: str, partition: int) -> StillTransactions:
        """See Log.transactions."""
        assert identity
        cut = self._cut

        class Cut(StillTransactions):
            async def write(self, parts: Any) -> list[int]:
                cut()
                return await super().write(parts)

        return Cut(self, partition)

    async def publish(self, topic: str, partition: int, records: Any) -> asyncio.Future[int]:
        """See Log.publish: half of them are there before the end comes."""
        self._cut()
        if self.left == 0:
            await super().publish(topic, partition, records[: len(records) // 2])
            raise InterruptedError
        return await super().publish(topic, partition, records)


@pytest.mark.parametrize("writes", range(5))  # claim, decision, changes, dead letters, checkpoint
@pytest.mark.parametrize("choices", [NEW_ENGINE, SKIP_MISSING], ids=["new-engine", "skip-missing"])
def test_interrupted_anywhere_it_is_run_again(choices: Choices, writes: int) -> None:
    """Killed before any of its writes, or in the middle of one: a worker waits for it, and the second run ends it."""
    log = recorded(1).log() if choices.new_engine else indebted()
    if choices.new_engine:
        rewrite(log, recorded(1).marker.changes_next + 60, segment="sleeping")
    else:
        log.shelf("clicks").forget_before(log.shelf("clicks").records[-20].offset)
    with pytest.raises(InterruptedError):
        recover(CutLog(log, writes), choices)
    with pytest.raises(SegstreamError):
        asyncio.run(claimed(log, SETTINGS, StillClock(NOW_MS)))
    recover(log, choices)
    resumes(log)


def test_a_decision_is_a_border_for_verification() -> None:
    """Across it nothing can be said; behind it everything is as the journal gives it."""
    log = recorded(1).log()
    recover(log, NEW_ENGINE)
    resumes(log)
    typed: Any = log
    with pytest.raises(SegstreamError):
        asyncio.run(verify_partition(typed, SETTINGS, 0, Range("first")))
    border = [r.offset for r in log.shelf(STATE).records if r.key == b"marker" and r.offset > recorded(1).marked.offset]
    report = asyncio.run(verify_partition(typed, SETTINGS, 0, Range(str(border[0]), settled=True)))
    assert report.difference is None
    assert report.changes > 0


def test_a_worker_that_comes_meanwhile_wins() -> None:
    """A claim between the command's own and its decision ends it: nothing is published or sealed."""
    log = recorded(1).log()

    class Raced(StillLog):
        async def append(self, topic: str, partition: int, value: bytes) -> int:
            if isinstance(journal.decode(value), journal.Decision):
                await super().append(topic, partition, journal.encode(journal.Claim("w", "", "", "f", NOW_MS)))
            return await super().append(topic, partition, value)

    raced = Raced()
    raced.shelves = log.shelves
    before = [len(log.shelf(topic).records) for topic in (CHANGES, STATE)]
    with pytest.raises(FencedError):
        recover(raced, NEW_ENGINE)
    assert [len(log.shelf(topic).records) for topic in (CHANGES, STATE)] == before
