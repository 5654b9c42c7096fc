"""What must hold after every run, whatever happened in it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import numpy as np
import orjson

from stream.codec import journal
from stream.codec.block import block_of
from stream.codec.documents import seq_of
from stream.codec.state import CHECKPOINT_KEY
from stream.kafka.partitioner import partition_of
from stream.subscriber import View
from stream.worker.recovery import JournalReader, read_inputs
from stream.worker.replica import Replica, rule_of
from stream.worker.steady_clock import CLOCK_JUMP_SECONDS
from tests.kafka.agreement import agree, numbers_of, numbers_wanted, segments_of
from tests.oracle import judge, value_tier
from tests.simulation.documents import all_documents
from tests.simulation.scale import scaled_down
from tests.simulation.scenario import Run
from tests.simulation.traffic import partition as place_of
from tests.simulation.virtual_time import START_MS
from tests.simulation.worker import settings_of
from tests.simulation.world import Stored

T = TypeVar("T")


def check(run: Run) -> None:
    """Raise AssertionError naming the promise that was broken."""
    assert not run.errors, run.errors
    assert not run.peaks.exceeded(), run.peaks.exceeded()
    with scaled_down():
        for number in range(run.scenario.partitions):
            replica, changes, letters = uninterrupted(run, number)
            _same_changes(run, number, changes)
            _same_dead_letters(run, number, letters)
            _same_rows(run, replica)
            _as_the_oracle_says(run, replica)
            _memberships_are_current(run, number)
            _changes_lead_to_the_memberships(run, number)
            _nothing_declared_ahead_of_time(run, number)
    letters_sent = sum(
        len(run.world.shelves["segment-dead-letters", n].records) for n in range(run.scenario.partitions)
    )
    assert letters_sent or not run.sent.rubbish, "rubbish vanished"


def uninterrupted(run: Run, number: int) -> tuple[Replica, dict[int, bytes], dict[bytes, bytes]]:
    """One execution of the journal from its beginning: replica, changes by seq, dead letters by address."""
    rule = rule_of(settings_of(run.scenario.partitions, run.scenario.clock, ""))
    replica = Replica(number, rule, all_documents(run.world).get, partition_of)
    changes: dict[int, bytes] = {}
    letters: dict[bytes, bytes] = {}
    archive: Any = Archive(run)
    reader = JournalReader(number, -1)
    for record in run.world.shelves["segment-journal", number].records:
        entry = reader.accept(record.offset, record.value or b"")
        if entry is None:
            continue
        inputs = _at_once(read_inputs(archive, replica, entry))
        outcome = replica.execute(record.offset, entry, inputs)
        changes.update({outcome.first_seq + i: value for i, (_, value) in enumerate(outcome.changes)})
        letters.update({_address(value): value for _, value in outcome.dead_letters})
    return replica, changes, letters


class Archive:
    """A log that only reads, at once, and also what was deleted."""

    def __init__(self, run: Run) -> None:
        self._shelves = run.world.shelves

    async def read(self, topic: str, partition: int, start: int, end: int, *, committed: bool) -> Any:
        """See stream.worker.log.Log.read."""
        yield self._shelves[topic, partition].between(start, end, committed=committed)

    async def blocks(self, topic: str, partition: int, start: int, end: int) -> Any:
        """See stream.worker.log.Log.blocks."""
        yield block_of(self._shelves[topic, partition].between(start, end, committed=True))


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of what waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


def _address(letter: bytes) -> bytes:
    fields = orjson.loads(letter)
    return orjson.dumps([fields["topic"], fields["partition"], fields["offset"]])


def _same_changes(run: Run, number: int, expected: dict[int, bytes]) -> None:
    """Every copy has the bytes of an uninterrupted execution, also those of fenced workers; none is missing, and the
    first copies come in order: a crash leaves a prefix, never a hole.
    """
    last = 0
    for record in run.world.shelves["segment-changes", number].records:
        value = record.value or b""
        seq = seq_of(value)
        assert seq in expected, f"change {number}-{seq} was invented"
        assert value == expected[seq], f"change {number}-{seq} differs from the uninterrupted execution"
        assert seq <= last + 1, f"change {number}-{seq} came before {number}-{last + 1}"
        last = max(last, seq)
    assert last == len(expected), f"{len(expected) - last} changes of partition {number} are missing"


def _same_dead_letters(run: Run, number: int, expected: dict[bytes, bytes]) -> None:
    """The same of dead letters, by address."""
    found = set()
    for record in run.world.shelves["segment-dead-letters", number].records:
        address = _address(record.value or b"")
        assert expected.get(address) == record.value, f"dead letter {address!r} differs or was invented"
        found.add(address)
    assert found == expected.keys(), "dead letters are missing"


def _same_rows(run: Run, replica: Replica) -> None:
    """The last owner's rows are those of the uninterrupted execution, to the bit."""
    ours, theirs = run.final[replica.partition].replica.engine, replica.engine
    assert ours is not None
    assert theirs is not None
    count = len(ours.table)
    assert list(ours.table.items()) == list(theirs.table.items()), "slots differ"
    assert ours.table.rows[:count].tobytes() == theirs.table.rows[:count].tobytes(), "rows differ"
    assert np.array_equal(ours.table.due_ms[:count], theirs.table.due_ms[:count]), "due times differ"
    assert run.final[replica.partition].replica.positions == replica.positions, "positions differ"


def _as_the_oracle_says(run: Run, replica: Replica) -> None:
    """Counts, sums, times and segments of every customer are those of what was sent: nothing lost or double."""
    engine = replica.engine
    assert engine is not None
    mine = [
        (topic, event)
        for topic, event in run.sent.events
        if place_of(event["customer_id"], run.scenario.partitions) == replica.partition
    ]
    cuts = engine.judge.definitions.cuts["value"]
    if engine.judge.snapshot is not None:
        cuts = engine.judge.snapshot.cuts["value"]
    wanted = judge(mine, replica.stream_ms, (cuts[0], cuts[1], cuts[2])).customers
    assert {customer_id for customer_id, _ in engine.table.items()} == wanted.keys(), "customers missing or invented"
    for customer_id, slot in engine.table.items():
        row, customer = engine.table.rows[slot], wanted[customer_id]
        found, right = numbers_of(row), numbers_wanted(customer)
        different = {name: (value, right[name]) for name, value in found.items() if value != right[name]}
        assert not different, f"{customer_id} (what is, what should be): {different}"
        segments = segments_of(row, engine.judge)
        assert segments["lifecycle"] == customer.lifecycle, f"lifecycle of {customer_id}"
        tier = value_tier(customer.orders, customer.net_minor, (cuts[0], cuts[1], cuts[2]))
        assert segments["value"] == tier, f"value of {customer_id}"


def _memberships_are_current(run: Run, number: int) -> None:
    """A stale membership never wins: of each customer they only go forward, and the last is that of the row."""
    engine = run.final[number].replica.engine
    assert engine is not None
    newest: dict[bytes, Stored] = {}
    seqs: dict[bytes, int] = {}
    for record in run.world.shelves["segment-memberships", number].records:
        if record.committed:
            key, seq = record.key or b"", orjson.loads(record.value or b"")["seq"]
            assert seq >= seqs.get(key, 0), f"a stale membership of {key!r} came after a newer one"
            newest[key], seqs[key] = record, seq
    for customer, slot in engine.table.items():
        row = engine.table.rows[slot]
        if not row.seq:
            continue
        member = orjson.loads(newest[customer.encode()].value or b"")
        assert member["seq"] == row.seq, f"membership of {customer} is stale"
        codes = engine.judge.codes(engine.table.rows[slot : slot + 1])[0].tolist()
        known = {dimension.name for dimension in engine.judge.definitions.dimensions}
        assert member["segments"].keys() <= known, f"{customer} is still in a dimension that is no more"
        for d, dimension in enumerate(engine.judge.definitions.dimensions):
            name = engine.judge.segment_name(d, codes[d])
            there = member["segments"].get(dimension.name)
            assert (there["segment"] if there else None) == name, f"{dimension.name} of {customer}"
    _subscribers_can_start(run, number)
    assert seqs[b"_checkpoint"] == engine.counters[0], "the last checkpoint is not the last state"


def _changes_lead_to_the_memberships(run: Run, number: int) -> None:
    """Whoever reads nothing but the changes is told of every move, also out of what definitions no longer have."""
    engine = run.final[number].replica.engine
    assert engine is not None
    view = View()
    for record in run.world.shelves["segment-changes", number].records:
        change = orjson.loads(record.value or b"")
        there = view.segments(change["customer_id"]).get(change["dimension"])
        if view.take_change(number, change) == "applied":
            assert change["previous_segment"] in {there, "unassigned"}, f"{change['event_id']} does not follow {there}"
    assert not view.hole_count, "a chain of changes has a hole"
    assert engine.judge.definitions == all_documents(run.world).definitions, "not what was put in force last"
    rows = {name: segments_of(engine.table.rows[slot], engine.judge) for name, slot in engine.table.items()}
    agree({name: view.segments(name) for name in rows}, rows)


def _subscribers_can_start(run: Run, number: int) -> None:
    """Whoever starts from the memberships at a checkpoint finds every later change where it says to read on."""
    last = {
        seq_of(record.value or b""): record.offset for record in run.world.shelves["segment-changes", number].records
    }
    for record in run.world.shelves["segment-memberships", number].records:
        if record.committed and record.key == CHECKPOINT_KEY:
            mark = orjson.loads(record.value or b"")
            later = [seq for seq, offset in last.items() if seq > mark["seq"] and offset < mark["changes_offset"]]
            assert not later, f"a subscriber from the checkpoint at {mark['seq']} would miss {later}"


def _nothing_declared_ahead_of_time(run: Run, number: int) -> None:
    """Whatever clocks are set to: no entry says that a time has come which has not."""
    for record in run.world.shelves["segment-journal", number].records:
        entry = journal.decode(record.value or b"")
        if isinstance(entry, journal.Batch | journal.Tick):
            ahead_ms = entry.stream_ms - START_MS - record.timestamp
            assert ahead_ms <= CLOCK_JUMP_SECONDS * 1000, f"entry {number}/{record.offset} is {ahead_ms} ms ahead"
