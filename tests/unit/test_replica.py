"""One partition's state machine: the same journal gives the same bytes, and what it refuses it says."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from models.customers.places import number
from models.customers.row import PROFILE_TIME
from models.definitions.language import parse
from models.events import CLICK, PROFILE, PURCHASE, TOPICS
from stream.codec.block import block_of, digest
from stream.codec.definitions import plain, shipped_text
from stream.codec.events import decode
from stream.codec.journal import Adopt, Batch, Claim, Entry, Position, Rejudge, Tick
from stream.errors import SegstreamError
from stream.kafka.partitioner import partition_of
from stream.simulate import events
from stream.worker.replica import Outcome, Replica, Rule

RULE = Rule(
    partitions=1, future_ms_max=3_600_000, customers_max=1_000, sample_interval_ms=86_400_000, sample_rotation=3
)
DEFINITIONS = parse({**plain(shipped_text()), "attributes": {"age": "number"}})
OTHER = parse({**plain(shipped_text()), "name": "other", "cuts": {**plain(shipped_text())["cuts"], "value": [1, 2, 3]}})
DOCUMENTS: dict[str, Any] = {one.digest: one for one in (DEFINITIONS, OTHER)}
T0 = 1_700_000_000_000
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Record:
    """A record as a topic gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = b"c"
    timestamp: int = T0


def replica(rule: Rule = RULE, partition: int = 0) -> Replica:
    """A claimed one with definitions adopted."""
    found = Replica(partition, rule, DOCUMENTS.__getitem__, partition_of)
    found.execute(0, Claim("w", "", "g", rule.fingerprint(), T0), {})
    found.execute(1, Adopt(0, "definitions", DEFINITIONS.digest, 0, T0), {})
    return found


def batch(of: Replica, records: dict[int, Sequence[Record]], stream_ms: int = 0, wall_ms: int = T0) -> Outcome:
    """Execute a batch of these records."""
    positions = tuple(
        Position(kind, some[0].offset, some[-1].offset + 1, len(some), digest(block_of(some)))
        for kind, some in records.items()
    )
    columns = {kind: decode(kind, block_of(some)) for kind, some in records.items()}
    return of.execute(2, Batch(0, positions, stream_ms, wall_ms), columns)


def click(offset: int, customer_id: str = "c", ts: int = T0) -> Record:
    """A legal click."""
    payload = {"event_id": f"e{offset}", "customer_id": customer_id, "ts": ts, "action": "view"}
    return Record(offset, json.dumps(payload).encode(), customer_id.encode())


def profile(offset: int, ts: int, age: int | None, customer_id: str = "c") -> Record:
    """A profile, or a tombstone for an age of None."""
    payload = {"customer_id": customer_id, "ts": ts, "attributes": {"age": age}}
    return Record(offset, None if age is None else json.dumps(payload).encode(), customer_id.encode(), T0 + 10**11)


def letters(outcome: Outcome) -> list[tuple[str, int, str]]:
    """(topic, offset, reason) of its dead letters."""
    values = [json.loads(value) for _, value in outcome.dead_letters]
    return [(one["topic"], one["offset"], one["reason"]) for one in values]


def test_refused_records_become_dead_letters_and_the_others_are_applied() -> None:
    """What cannot be decoded, the future, another partition's customer, a full table: each with its address."""
    rule = replace(RULE, partitions=2, customers_max=2)
    mine = [name for name in (f"c{i}" for i in range(50)) if partition_of(name, 2) == 1]
    other = next(name for name in (f"c{i}" for i in range(50)) if partition_of(name, 2) == 0)
    one = replica(rule, 1)
    future = click(14, mine[0], T0 + RULE.future_ms_max + 1)
    records = [click(10, mine[0]), Record(11, b"{"), click(12, other), click(13, mine[1]), future, click(15, mine[2])]
    outcome = batch(one, {CLICK: records})
    assert sorted(letters(outcome)) == [
        ("clicks", 11, "malformed"), ("clicks", 12, "wrong_partition"), ("clicks", 14, "future"),
        ("clicks", 15, "table_full"),
    ]  # fmt: skip
    assert sorted(outcome.reasons) == ["future", "malformed", "table_full", "wrong_partition"]
    assert (outcome.applied, one.customers) == (2, 2)
    assert one.owns(mine[7].encode())
    assert not one.owns(other.encode())
    letter = json.loads(outcome.dead_letters[0][1])
    assert (letter["partition"], base64.b64decode(letter["payload"]), letter["key"]) == (1, b"{", "c")


def test_events_before_definitions_are_an_error() -> None:
    """A journal that begins so was written by something else."""
    empty = Replica(0, RULE, DOCUMENTS.__getitem__, partition_of)
    with pytest.raises(SegstreamError, match="before any definitions"):
        batch(empty, {CLICK: [click(0)]})


def test_positions_and_stream_time_only_go_forward() -> None:
    """Positions are the entries' ends; an entry with an earlier stream time changes nothing."""
    one = replica()
    batch(one, {CLICK: [click(4), click(9)]}, stream_ms=T0)
    batch(one, {PURCHASE: [Record(2, b"")]}, stream_ms=T0 - 50)
    assert one.positions == {CLICK: 10, PURCHASE: 3}
    assert one.stream_ms == T0


def test_a_tombstone_forgets_what_came_before_it_and_moves_no_clock() -> None:
    """In one batch with the profile or in the next one, and whatever the record's own timestamp says."""
    for together in (True, False):
        one = replica()
        records = [profile(0, T0 + 5, 40), profile(1, 0, None)]
        for some in [records] if together else [records[:1], records[1:]]:
            batch(one, {PROFILE: some}, stream_ms=T0)
        assert one.engine is not None
        row = one.engine.table.rows[0]
        assert np.isnan(row.attribute[0])
        assert (number(row, PROFILE_TIME), row.decided_ms, one.stream_ms) == (T0 + 5, T0 + 5, T0)
        batch(one, {PROFILE: [profile(2, T0 + 6, 41)]}, stream_ms=T0)
        assert one.engine.table.rows[0].attribute[0] == 41


def test_a_profile_from_the_future_delays_no_tombstone() -> None:
    """The refused one counts for nothing."""
    one = replica()
    batch(one, {PROFILE: [profile(0, T0, 40), profile(1, T0 + 10**10, 41), profile(2, 0, None)]}, stream_ms=T0)
    assert one.engine is not None
    assert number(one.engine.table.rows[0], PROFILE_TIME) == T0


def story() -> list[tuple[Entry, dict[int, list[Record]]]]:
    """A journal over simulated customers: batches, ticks, a second definition and its rejudging."""
    offsets = dict.fromkeys(range(4), 0)
    batches: list[tuple[Entry, dict[int, list[Record]]]] = []
    taken: dict[int, list[Record]] = {}
    for index, event in enumerate(events(5, 12, 60)):
        kind = TOPICS.index(event.topic)
        value = json.dumps(event.payload).encode()
        taken.setdefault(kind, []).append(Record(offsets[kind], value, event.payload["customer_id"].encode()))
        offsets[kind] += 1
        if index % 50 == 49:
            positions = tuple(
                Position(k, r[0].offset, r[-1].offset + 1, len(r), digest(block_of(r))) for k, r in taken.items()
            )
            batches.extend([(Batch(0, positions, event.ts_ms, event.ts_ms), taken), (Tick(0, event.ts_ms, 99, 0), {})])
            taken = {}
    batches.insert(11, (Adopt(0, "definitions", OTHER.digest, T0, T0), {}))
    batches.insert(13, (Rejudge(0, 0, 4, T0), {}))
    batches.insert(14, (Rejudge(0, 4, 12, T0), {}))
    return batches


def run(journal: list[tuple[Entry, dict[int, list[Record]]]]) -> tuple[list[tuple[bytes, bytes]], Any, list[int]]:
    """Changes, rows and the sizes of the samples of a journal executed in a new replica."""
    found = Replica(0, RULE, DOCUMENTS.__getitem__, partition_of)
    found.execute(0, Claim("w", "", "g", RULE.fingerprint(), T0), {})
    found.execute(1, Adopt(0, "definitions", DEFINITIONS.digest, 0, T0), {})
    changes: list[tuple[bytes, bytes]] = []
    samples: list[int] = []
    for offset, (entry, records) in enumerate(journal, 2):
        outcome = found.execute(offset, entry, {kind: decode(kind, block_of(some)) for kind, some in records.items()})
        assert outcome.first_seq == len(changes) + 1
        changes.extend(outcome.changes)
        samples.append(0 if outcome.sample is None else len(outcome.sample[0]))
    assert found.engine is not None
    return changes, found.engine.table.rows[: found.customers].copy(), samples


def test_one_journal_gives_one_history() -> None:
    """Executed twice: the same changes byte for byte, the same rows bit for bit, numbered without a gap."""
    journal = story()
    changes, rows, samples = run(journal)
    again, rows_again, samples_again = run(journal)
    assert changes == again
    for name in rows.dtype.names:  # a row has bytes between its fields that nobody writes
        assert rows[name].tobytes() == rows_again[name].tobytes(), name
    assert samples == samples_again
    assert sum(samples) > len(rows)
    assert len(changes) > 100
    last: dict[str, int] = {}
    for seq, (key, value) in enumerate(changes, 1):
        change = json.loads(value)
        assert (change["seq"], change["event_id"], change["customer_id"].encode()) == (seq, f"0-{seq}", key)
        assert change["previous_seq"] == last.get(change["customer_id"])
        last[change["customer_id"]] = seq


def test_the_fingerprint_names_every_setting_that_changes_outcomes() -> None:
    """Another value of any of them is another engine."""
    others = [replace(RULE, **{name: getattr(RULE, name) + 1}) for name in RULE.__dataclass_fields__]
    assert len({RULE.fingerprint(), *(rule.fingerprint() for rule in others)}) == len(others) + 1
