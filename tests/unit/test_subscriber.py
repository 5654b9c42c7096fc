"""Laws of the subscriber's view: memberships first, then each change once, whatever is repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.codec.plain_json import encode as _json
from stream.kafka.follow import Followed
from stream.settings import Settings
from stream.subscriber import CHECKPOINT_KEY, HoleError, Subscriber, View

PARTITION = 2
NAMES = ("ann", "bob", "cyd")
DIMENSIONS = ("lifecycle", "value")


def _history(moves: list[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    """Changes of one partition with their seq and each customer's chain."""
    last: dict[str, int] = {}
    changes: list[dict[str, Any]] = []
    for seq, (customer_id, dimension, segment) in enumerate(moves, start=1):
        changes.append(
            {
                "customer_id": customer_id,
                "seq": seq,
                "dimension": dimension,
                "segment": segment,
                "previous_seq": last.get(customer_id),
            }
        )
        last[customer_id] = seq
    return changes


def _memberships(changes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a checkpoint after these changes holds."""
    found: dict[str, dict[str, Any]] = {}
    for change in changes:
        membership = found.setdefault(change["customer_id"], {"seq": 0, "segments": {}})
        membership["seq"] = change["seq"]
        membership["segments"][change["dimension"]] = {"segment": change["segment"]}
    return found


def _started(changes: list[dict[str, Any]], checkpoint: int) -> View:
    """A view that has read the memberships of a checkpoint after so many changes."""
    view = View()
    for key, membership in _memberships(changes[:checkpoint]).items():
        view.take_membership(PARTITION, key, membership)
    if checkpoint:
        view.take_membership(PARTITION, CHECKPOINT_KEY, {"seq": checkpoint, "changes_offset": checkpoint})
    return view


def _truth(changes: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    for change in changes:
        if change["segment"] is None:
            found[change["customer_id"]].pop(change["dimension"], None)
        else:
            found[change["customer_id"]][change["dimension"]] = change["segment"]
    return found


_MOVES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(DIMENSIONS), st.sampled_from(["x", "y", "z", None])),
    max_size=30,
)


@given(_MOVES, st.data())
def test_any_start_and_any_repetition_end_with_the_same_view(
    moves: list[tuple[str, str, str | None]], data: st.DataObject
) -> None:
    """Start at any checkpoint, read from any offset before it, again and again: same segments, no hole."""
    changes = _history(moves)
    checkpoint = data.draw(st.integers(0, len(changes)))
    view = _started(changes, checkpoint)
    position = data.draw(st.integers(0, checkpoint))
    reached = position
    while True:
        end = data.draw(st.integers(reached, len(changes)))
        for change in changes[position:end]:
            view.take_change(PARTITION, change)
        reached = max(reached, end)
        if reached == len(changes):
            break
        position = data.draw(st.integers(0, reached))
        if position == reached == end:
            reached_end = len(changes)
            for change in changes[reached:reached_end]:
                view.take_change(PARTITION, change)
            break
    assert {name: view.segments(name) for name in NAMES} == _truth(changes)
    assert view.applied_count == len(changes) - checkpoint
    assert view.hole_count == 0


@given(_MOVES.filter(lambda moves: len(moves) > 1), st.data())
def test_a_lost_change_is_a_hole_unless_it_was_the_last(
    moves: list[tuple[str, str, str | None]], data: st.DataObject
) -> None:
    """The chain of `previous_seq` shows what is missing as soon as the customer changes again."""
    changes = _history(moves)
    lost = data.draw(st.integers(0, len(changes) - 1))
    view = View()
    for change in changes[:lost] + changes[lost + 1 :]:
        view.take_change(PARTITION, change)
    again = any(change["customer_id"] == changes[lost]["customer_id"] for change in changes[lost + 1 :])
    assert view.hole_count == (1 if again else 0)


@given(_MOVES, st.data())
def test_who_is_in_no_segment_is_not_kept(moves: list[tuple[str, str, str | None]], data: st.DataObject) -> None:
    """A view that runs for years holds who is here; copies of what was taken do not bring anybody back."""
    view, changes = View(), _history(moves)
    for change in changes:
        view.take_change(PARTITION, change)
        again = data.draw(st.integers(0, change["seq"] - 1))
        assert view.take_change(PARTITION, changes[again]) == "duplicate"
    here = {name for name, segments in _truth(changes).items() if segments}
    assert (set(view.customers()), len(view), view.hole_count) == (here, len(here), 0)


class _Shelf:
    """Changes as a Follower hands them out: all at one look."""

    def __init__(self, changes: list[dict[str, Any]]) -> None:
        self.records_left = [Followed(PARTITION, i, 0, None, _json(one)) for i, one in enumerate(changes)]
        self._end = len(changes)

    async def records(self, _wait_ms: int) -> list[Followed]:
        """See Follower.records."""
        found, self.records_left = self.records_left, []
        return found

    async def end_offsets(self) -> dict[int, int]:
        """See Follower.end_offsets."""
        return {PARTITION: self._end}

    async def positions(self) -> dict[int, int]:
        """See Follower.positions."""
        return {PARTITION: self._end - len(self.records_left)}


@pytest.mark.parametrize("way", ["poll", "catch_up", "changes"])
def test_a_hole_takes_nothing_else_away(way: str) -> None:
    """Whatever way they are asked for: every change that the view has is handed out, before or with the error."""
    changes = [one for one in _history([("ann", "value", segment) for segment in "xyzxyz"]) if one["seq"] not in {3, 5}]

    async def run() -> tuple[list[int], int]:
        subscriber, shelf = Subscriber(Settings()), _Shelf(changes)
        await subscriber.stop()
        any_follower: Any = shelf
        subscriber._changes, subscriber._running = any_follower, True
        found, holes = list[Any](), 0
        while len(found) < len(changes):
            try:
                if way == "changes":
                    async for change in subscriber.changes():
                        found.append(change)
                else:
                    found += await (subscriber.poll(0) if way == "poll" else subscriber.catch_up())
            except HoleError as error:
                holes += 1
                found += error.changes if way != "changes" else []
        return [change["seq"] for change in found], holes

    assert asyncio.run(run()) == ([1, 2, 4, 6], 2)


def test_changes_up_to_the_checkpoint_are_not_taken_again() -> None:
    """Also for a customer whose membership is not there any more."""
    view = View()
    view.take_membership(PARTITION, CHECKPOINT_KEY, {"seq": 5, "changes_offset": 3})
    change = {"customer_id": "gone", "seq": 5, "dimension": "value", "segment": "low", "previous_seq": 4}
    assert view.take_change(PARTITION, change) == "duplicate"
    assert view.changes_offset(PARTITION) == 3
    assert view.changes_offset(PARTITION + 1) is None
    assert len(view) == 0


def test_a_checkpoint_settles_only_its_own_partition() -> None:
    """`seq` counts within a partition."""
    view = View()
    view.take_membership(PARTITION, CHECKPOINT_KEY, {"seq": 5, "changes_offset": 3})
    change = {"customer_id": "ann", "seq": 1, "dimension": "value", "segment": "low", "previous_seq": None}
    assert view.take_change(PARTITION + 1, change) == "applied"
    assert view.segments("ann") == {"value": "low"}


def test_a_tombstone_forgets_the_customer() -> None:
    """Compaction's way to say that a membership ended."""
    view = View()
    view.take_membership(PARTITION, "ann", {"seq": 1, "segments": {"value": {"segment": "low"}}})
    assert view.customers() == ["ann"]
    view.take_membership(PARTITION, "ann", None)
    assert (view.customers(), view.segments("ann"), view.seq_of("ann")) == ([], {}, 0)
