"""What has been read and not applied yet: the order it is taken in, where it is cut, and how far time may go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.events import CLICK, PROFILE, PURCHASE
from stream.codec.block import block_of, digest
from stream.codec.events import VALUE_BYTES_MAX
from stream.worker.inputs import BUFFER_BYTES_MAX, BUFFER_RECORDS_MAX, IDLE_SECONDS_MAX, Inputs, Taken

T0 = 1_700_000_000_000
FAR_MS = T0 + 10**12


@dataclass(frozen=True)
class Record:
    """A record as a topic gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = b"c"
    timestamp: int = T0


def record(kind: int, offset: int, ts_ms: int, **extra: Any) -> Record:
    """A legal record of a kind."""
    payload = {"event_id": f"{kind}-{offset}", "customer_id": "c", "ts": ts_ms, "order_id": "o", "amount": 1,
               "currency": "EUR", "action": "view", "attributes": {}, **extra}  # fmt: skip
    return Record(offset, json.dumps(payload).encode())


def inputs(*kinds: int, compacted: frozenset[int] = frozenset(), at: int = 0) -> Inputs:
    """Inputs of some kinds, all read to their ends."""
    found = Inputs(compacted)
    for kind in kinds:
        found.open(kind, at)
        found.by_kind[kind].caught_up = True
    return found


def add(to: Inputs, kind: int, *times: int, first: int = 0, step: int = 1) -> None:
    """Records at these times, as one fetch brings them."""
    to.by_kind[kind].add(block_of([record(kind, first + step * i, T0 + ms) for i, ms in enumerate(times)]), FAR_MS)


def taken_times(taken: Taken | None) -> dict[int, list[int]]:
    """Event times, less T0, by kind."""
    assert taken is not None
    return {kind: (columns.rows["ts_ms"] - T0).tolist() for kind, columns in taken.columns.items()}


def test_earlier_events_are_taken_first_across_topics() -> None:
    """A batch of four takes the four earliest, whatever topic they are of."""
    both = inputs(CLICK, PURCHASE)
    add(both, CLICK, 10, 30, 50)
    add(both, PURCHASE, 20, 40, 60)
    assert taken_times(both.take(4, 0.0)) == {CLICK: [10, 30], PURCHASE: [20, 40]}
    assert taken_times(both.take(4, 0.0)) == {CLICK: [50], PURCHASE: [60]}
    assert both.take(4, 0.0) is None


def test_a_late_event_does_not_overtake_its_topic() -> None:
    """Within a topic the order of offsets stands: a late event waits behind the newer ones before it."""
    both = inputs(CLICK, PURCHASE)
    add(both, CLICK, 50, 10)
    add(both, PURCHASE, 20)
    assert taken_times(both.take(1, 0.0)) == {PURCHASE: [20]}
    assert taken_times(both.take(1, 0.0)) == {CLICK: [50]}


def test_an_input_with_unread_records_holds_the_others_back() -> None:
    """Up to its newest time read and no further, until it has been read to its end."""
    both = inputs(CLICK, PURCHASE)
    add(both, CLICK, 10, 20)
    add(both, PURCHASE, 15, 20, 25)
    both.by_kind[CLICK].caught_up = False
    assert taken_times(both.take(9, 0.0)) == {CLICK: [10, 20], PURCHASE: [15, 20]}
    both.by_kind[CLICK].caught_up = True
    assert taken_times(both.take(9, 0.0)) == {PURCHASE: [25]}


def test_an_input_whose_end_is_unknown_is_waited_for_but_not_for_ever() -> None:
    """Half a second, counted from the first look."""
    both = inputs(CLICK, PURCHASE)
    add(both, PURCHASE, 15)
    both.by_kind[CLICK].caught_up = False
    assert both.take(9, 100.0) is None
    assert both.take(9, 100.0 + IDLE_SECONDS_MAX / 2) is None
    assert taken_times(both.take(9, 100.0 + IDLE_SECONDS_MAX)) == {PURCHASE: [15]}


@given(
    st.lists(st.tuples(st.sampled_from([CLICK, PURCHASE]), st.integers(0, 50)), max_size=40),
    st.integers(1, 7),
    st.integers(1, 3),
)
def test_positions_join_without_a_gap_and_carry_count_and_digest(
    events: list[tuple[int, int]], limit: int, step: int
) -> None:
    """Each entry starts where the one before ended, also over offsets that are no events (control records)."""
    both = inputs(CLICK, PURCHASE, at=5)
    sent: dict[int, list[Record]] = {CLICK: [], PURCHASE: []}
    for kind, ms in events:
        sent[kind].append(record(kind, 7 + step * len(sent[kind]), T0 + ms))
    for kind, records in sent.items():
        if records:
            both.by_kind[kind].add(block_of(records), FAR_MS)
    reached, seen = {CLICK: 5, PURCHASE: 5}, {CLICK: 0, PURCHASE: 0}
    while (taken := both.take(limit, 0.0)) is not None:
        assert 0 < taken.count <= limit
        for position in taken.positions:
            assert position.start == reached[position.kind]
            part = sent[position.kind][seen[position.kind] :][: position.count]
            assert position.end == part[-1].offset + 1
            assert position.digest == digest(block_of(part))
            assert len(taken.columns[position.kind].block) == position.count
            reached[position.kind] = position.end
            seen[position.kind] += position.count
    assert seen == {kind: len(records) for kind, records in sent.items()}
    assert both.buffered == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12), st.integers(1, 4))
def test_positions_pass_what_holds_no_records(fetches: list[tuple[int, int]], limit: int) -> None:
    """Of fetches of records and of control records behind them, every offset is said once, and none is left over."""
    one, offset, said = inputs(CLICK), 0, 0
    for count, hidden in fetches:
        if count:
            add(one, CLICK, *range(count), first=offset)
        offset += count + hidden
        one.by_kind[CLICK].reach(offset)
        taken = one.take(limit, 0.0)
        for position in (*(taken.positions if taken else ()), *one.pass_by()):
            assert position.start == said
            said = position.end
            assert position.count or position.digest == digest(block_of([]))
    while (taken := one.take(limit, 0.0)) is not None:
        assert taken.positions[0].start == said
        said = taken.positions[0].end
    assert (said, one.pass_by(), one.by_kind[CLICK].read) == (offset, (), offset)


def test_what_waits_is_not_passed_by() -> None:
    """A position behind records that were not applied would lose them."""
    one = inputs(CLICK)
    add(one, CLICK, 1, 2, 3)
    one.by_kind[CLICK].reach(7)
    assert one.pass_by() == ()
    assert [(p.start, p.end) for _ in range(3) if (t := one.take(1, 0.0)) for p in t.positions] == [
        (0, 1),
        (1, 2),
        (2, 7),
    ]


def test_refused_records_are_part_of_their_batch() -> None:
    """They have a position and a place in the digest, and no place in the columns."""
    one = inputs(CLICK)
    records = [Record(0, b"{"), record(CLICK, 1, T0), Record(2, None)]
    one.by_kind[CLICK].add(block_of(records), FAR_MS)
    taken = one.take(9, 0.0)
    assert taken is not None
    assert (taken.count, taken.positions[0].end, taken.positions[0].digest) == (3, 3, digest(block_of(records)))
    assert [place for place, _ in taken.columns[CLICK].refused] == [0, 2]
    assert taken.columns[CLICK].rows["ts_ms"].tolist() == [T0]


def test_records_of_compacted_inputs_are_kept_in_the_entry() -> None:
    """Their topic may lose them; those of others are read again."""
    both = inputs(CLICK, PROFILE, compacted=frozenset({PROFILE}))
    add(both, CLICK, 1)
    both.by_kind[PROFILE].add(block_of([record(PROFILE, 4, T0), Record(6, None, b"gone")]), FAR_MS)
    taken = both.take(9, 0.0)
    assert taken is not None
    assert [(e.kind, e.offset, e.key, e.value is None) for e in taken.embedded] == [
        (PROFILE, 4, b"c", False), (PROFILE, 6, b"gone", True),
    ]  # fmt: skip
    assert digest(block_of(taken.embedded)) == next(p.digest for p in taken.positions if p.kind == PROFILE)


def test_an_entry_stays_below_the_largest_message() -> None:
    """Large profiles are spread over entries, and one that is too large is kept only as far as it is refused for."""
    one = inputs(PROFILE, compacted=frozenset({PROFILE}))
    large = {f"a{i}": "x" * 500 for i in range(60)}
    huge = record(PROFILE, 200, T0, attributes={"note": "x" * 3_900_000})
    many = [record(PROFILE, i, T0, attributes=large) for i in range(200)]
    one.by_kind[PROFILE].add(block_of([*many, huge]), FAR_MS)
    counts, sizes, refused = [], [], 0
    while (taken := one.take(4_000, 0.0)) is not None:
        counts.append(taken.count)
        sizes.append(sum(len(e.value or b"") + len(e.key or b"") for e in taken.embedded))
        refused += len(taken.columns[PROFILE].refused)
    assert sum(counts) == 201
    assert len(counts) > 1
    assert max(sizes) < 3_000_000
    assert refused == 1
    assert max(sizes) > VALUE_BYTES_MAX


def test_stream_time_is_the_least_of_what_may_still_come() -> None:
    """Of inputs with unread records the least newest time; of all read, the greatest; unknown while one is."""
    both = inputs(CLICK, PURCHASE)
    add(both, CLICK, 10, 90)
    add(both, PURCHASE, 20)
    assert both.stream_ms() is None
    for _ in range(2):
        taken = both.take(1, 0.0)
        assert taken is not None
        both.note_applied(taken, FAR_MS)
    assert both.stream_ms() == T0 + 10  # a click is unread
    taken = both.take(1, 0.0)
    assert taken is not None
    both.note_applied(taken, FAR_MS)
    assert both.stream_ms() == T0 + 90
    both.by_kind[PURCHASE].caught_up = False
    assert both.stream_ms() == T0 + 20
    assert not both.all_read


def test_refused_events_move_no_time() -> None:
    """Neither one from the future nor one of another partition's customer."""
    one = inputs(CLICK)
    three = [record(CLICK, 0, T0 + 5), record(CLICK, 1, T0 + 7, customer_id="other"), record(CLICK, 2, T0 + 900)]
    one.by_kind[CLICK].add(block_of(three), T0 + 100)
    taken = one.take(9, 0.0)
    assert taken is not None
    one.note_applied(taken, T0 + 100, lambda customer_id: customer_id == b"c")
    assert one.stream_ms() == T0 + 5


def test_a_full_buffer_says_so() -> None:
    """So that fetching pauses: memory is bounded."""
    one = inputs(CLICK)
    add(one, CLICK, *range(BUFFER_RECORDS_MAX - 1))
    assert not one.full(CLICK)
    add(one, CLICK, BUFFER_RECORDS_MAX, first=BUFFER_RECORDS_MAX)
    assert one.full(CLICK)


def test_a_buffer_of_large_records_is_full_sooner() -> None:
    """Bytes are bounded too, and what is taken makes room."""
    one = inputs(CLICK)
    many = [Record(offset, b"x" * VALUE_BYTES_MAX) for offset in range(BUFFER_BYTES_MAX // VALUE_BYTES_MAX)]
    one.by_kind[CLICK].add(block_of(many), FAR_MS)
    assert one.full(CLICK)
    assert one.take(1, 0.0) is not None
    assert not one.full(CLICK)
