"""Who leaves, as subscribers, checkpoints and the oracle see it: one journal, executed once or restored on the way."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from models.events import TOPICS
from stream.codec.block import block_of, digest
from stream.codec.events import decode
from stream.codec.journal import Batch, Position, Tick
from stream.codec.state import CHECKPOINT_KEY, MARKER_KEY, ROWS_KEY, decode_marker
from stream.kafka.partitioner import partition_of
from stream.simulate import events
from stream.subscriber import View
from stream.words import sentence
from stream.worker.checkpoint import Cycle, Draft, restore
from stream.worker.markers import Marked
from stream.worker.replica import Outcome, Replica
from tests.oracle import judge
from tests.unit.test_replica import DOCUMENTS, RULE, T0, Record, batch, click, replica

DAY_MS = 86_400_000
RETENTION_MS = 9 * DAY_MS  # many of the simulated customers are silent longer, and come again
KEEPING = replace(RULE, retention_ms=RETENTION_MS)


@dataclass
class Shelf:
    """A log that has one topic, segment-state, and only reads."""

    records: list[Any]

    async def bounds(self, *_: object, **__: object) -> tuple[int, int]:
        """From the first record to the last."""
        return 0, len(self.records)

    async def read(self, _topic: str, _partition: int, start: int, end: int, **_: object) -> Any:
        """Everything asked for at once."""
        yield self.records[start:end]


@dataclass
class Story:
    """Simulated customers of sixty days, a batch of fifty events and a tick at a time."""

    sent: list[tuple[str, Any]]
    entries: list[tuple[Any, dict[int, list[Record]]]]
    end_ms: int


def story() -> Story:
    """The journal of the simulated customers."""
    offsets, sent, entries = dict.fromkeys(range(4), 0), [], []
    taken: dict[int, list[Record]] = {}
    ts_ms = 0
    for index, event in enumerate(events(5, 40, 60), 1):
        kind, ts_ms = TOPICS.index(event.topic), event.ts_ms
        value = json.dumps(event.payload).encode()
        taken.setdefault(kind, []).append(Record(offsets[kind], value, event.payload["customer_id"].encode()))
        sent.append((event.topic, event.payload))
        offsets[kind] += 1
        if index % 50 == 0:
            positions = tuple(
                Position(k, r[0].offset, r[-1].offset + 1, len(r), digest(block_of(r))) for k, r in taken.items()
            )
            entries += [(Batch(0, positions, ts_ms, ts_ms), taken), (Tick(0, ts_ms, 3, 0), {})]
            taken = {}
    kept = len(sent) - len(sent) % 50
    return Story(sent[:kept], entries, sent[kept - 1][1]["ts"])


def execute(one: Replica, entry: Any, records: dict[int, list[Record]]) -> Outcome:
    """Execute an entry with its records."""
    return one.execute(9, entry, {kind: decode(kind, block_of(some)) for kind, some in records.items()})


def settle(one: Replica, end_ms: int) -> list[Outcome]:
    """Tick until nobody is due."""
    found = []
    assert one.engine is not None
    while len(one.engine.table.due_slots(end_ms, 1)):
        found.append(one.execute(9, Tick(0, end_ms, 3, 0), {}))
    return found


async def restored(records: list[Any]) -> Replica:
    """An empty replica, with a checkpoint put in."""
    one = Replica(0, KEEPING, DOCUMENTS.__getitem__, partition_of)
    marked = Marked(records[-1].offset, decode_marker(records[-1].value))
    log: Any = Shelf(records)
    await restore(log, one, marked, DOCUMENTS.__getitem__)
    return one


def contents(one: Replica) -> tuple[Any, ...]:
    """Everything that a later entry may hang on."""
    assert one.engine is not None
    table = one.engine.table
    n = len(table)
    return list(table.items()), table.rows[:n].tobytes(), table.due_ms[:n].tobytes(), one.engine.counters.tolist()


def segments(view: View, name: str) -> dict[str, str]:
    """What a view says of a customer; being in no cluster yet needs no change and is left out."""
    return {d: segment for d, segment in view.segments(name).items() if segment != "unassigned"}


def test_those_who_are_here_are_those_of_the_oracle() -> None:
    """After sixty days: the customers whose silence was shorter, with the counts of their last life alone."""
    told, one = story(), replica(KEEPING)
    for entry, records in told.entries:
        execute(one, entry, records)
    settle(one, told.end_ms)
    wanted = judge(told.sent, told.end_ms, (1, 2, 3), RETENTION_MS).customers
    everybody = judge(told.sent, told.end_ms, (1, 2, 3)).customers
    assert one.engine is not None
    rows = {name: one.engine.table.rows[slot] for name, slot in one.engine.table.items()}
    assert rows.keys() == wanted.keys() < everybody.keys()
    for name, row in rows.items():
        assert row.spend_minor == wanted[name].gross_minor
        assert row.first_ms == wanted[name].first_ms
        assert int(row["count"].sum()) > 0 or wanted[name].attributes is not None
    assert any(one.gross_minor < everybody[name].gross_minor for name, one in wanted.items())
    assert one.slots <= len(everybody)  # slots are given away again


def test_the_trainer_hears_of_everybody_who_left() -> None:
    """Whose slot is free or another's after an entry is among those to be forgotten, and nobody who was not here."""
    daily = replace(KEEPING, sample_interval_ms=DAY_MS, sample_rotation=1)  # so that somebody leaves as it is taken
    told, one, forgotten, both = story(), replica(daily), 0, 0
    assert one.engine is not None
    for entry, records in told.entries:
        before = dict(one.engine.table.items())
        outcome = execute(one, entry, records)
        gone, after = set(outcome.gone.tolist()), dict(one.engine.table.items())
        assert {slot for name, slot in before.items() if after.get(name) != slot} <= gone <= set(before.values())
        assert outcome.is_sampled == (outcome.sample is not None or bool(gone))
        if outcome.sample is not None:  # of who is here: a slot that was left has nothing to teach
            assert set(outcome.sample[2].tolist()) <= set(after.values())
            both += bool(gone)
        forgotten += len(gone)
    assert forgotten > both > 0


@pytest.mark.parametrize("portion", [1, 5])
def test_a_checkpoint_restores_who_is_here_and_what_is_vacant(portion: int) -> None:
    """Copied in small portions while customers come and go: restored, it is what it was when the copy began."""
    told, one, cycle, shelf = story(), replica(KEEPING), Cycle(), list[Any]()
    left_over = 0
    for place, (entry, records) in enumerate(told.entries):
        execute(one, entry, records)
        if place % 8 != 4:
            continue
        assert one.engine is not None
        left_over += len(one.engine.table) > one.engine.table.customers
        before, draft = contents(one), Draft(one, cycle, 0, 0)
        for later, more in told.entries[place + 1 : place + 4]:
            draft.copy.advance(portion)
            execute(one, later, more)
        while not draft.advance():
            pass
        first = len(shelf)
        shelf += [Record(first + n, value, key) for n, (key, value) in enumerate(draft.state_records(0))]
        cycle.written(first, Marked(len(shelf) - 1, draft.marker))
        assert [record.key for record in shelf[-2:]] == [ROWS_KEY, MARKER_KEY]
        again = asyncio.run(restored(shelf))
        assert contents(again) == before
        one = again
    assert left_over


def test_a_subscriber_follows_who_leaves_and_comes_again() -> None:
    """From changes alone or from memberships and the changes after: no hole, and those who left are in no segment."""
    told, one = story(), replica(KEEPING)
    changes, views = list[Any](), [View(), View()]
    for place, (entry, records) in enumerate(told.entries):
        outcome = execute(one, entry, records)
        changes += [json.loads(value) for _, value in outcome.changes]
        if place == len(told.entries) // 2:
            draft = Draft(one, Cycle(), 0, 0)
            while not draft.advance():
                pass
            taken = [
                (key.decode(), None if value is None else json.loads(value))
                for key, value in draft.membership_records(0)
                if key
            ]
            assert [key for key, value in taken if value is None]
            assert taken[-1][0] == CHECKPOINT_KEY.decode()
            for key, value in taken:
                views[1].take_membership(0, key, value)
    for view in views:
        for change in changes:
            view.take_change(0, change)
        assert view.hole_count == 0
    names = {name for view in views for name in view.customers()}
    assert [segments(views[0], name) for name in names] == [segments(views[1], name) for name in names]
    assert one.engine is not None
    assert {name for name in names if views[0].segments(name)} <= dict(one.engine.table.items()).keys()


def test_leaving_is_told_as_documented() -> None:
    """One change a segment, at the moment the silence had lasted, and in words."""
    one = replica(KEEPING)
    batch(one, {0: [click(0)]}, stream_ms=T0)
    (outcome,) = settle(one, T0 + RETENTION_MS + 5)
    (change,) = (one for one in (json.loads(value) for _, value in outcome.changes) if one["dimension"] == "lifecycle")
    assert (change["previous_segment"], change["segment"], change["trigger"]["kind"]) == ("prospect", None, "silence")
    assert change["reasons"] == [
        {"feature": "days_since_seen", "before": 7.0, "after": 9.0, "op": ">=", "threshold": 9.0}
    ]
    assert (change["valid_until"], change["next_if_silent"], change["counterfactual"]) == (None, None, None)
    assert sentence(change) == "c lifecycle: leaves prospect: not seen for 9 days (was 7)"
    assert one.customers == 0


def test_a_shorter_retention_holds_for_those_who_are_here() -> None:
    """After a drain under another setting: who was silent for longer already leaves at the next tick."""
    one = replica(RULE)
    batch(one, {0: [click(0, "old"), click(1, "new", T0 + 20 * DAY_MS)]}, stream_ms=T0 + 20 * DAY_MS, wall_ms=T0 * 2)
    draft = Draft(one, Cycle(), 0, 0)
    draft.advance()
    again = asyncio.run(restored([Record(n, value, key) for n, (key, value) in enumerate(draft.state_records(0))]))
    settle(again, T0 + 20 * DAY_MS)
    assert again.engine is not None
    assert dict(again.engine.table.items()) == {"new": 1}
    assert np.all(again.engine.table.due_ms[:2] > T0 + 20 * DAY_MS)
