"""Laws of the tally: the sizes of segments are those of a subscriber's view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.demo.tally import Tally
from stream.subscriber import View

MOVES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["value", "intent"]), st.sampled_from(["low", "high", None]))
)


def changes_of(moves: Sequence[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    """The changes of one partition that these moves make, each from where the customer was."""
    standing: dict[tuple[str, str], str | None] = {}
    last: dict[str, int] = {}
    changes: list[dict[str, Any]] = []
    for customer_id, dimension, segment in moves:
        previous = standing.get((customer_id, dimension))
        if previous == segment:
            continue
        seq = len(changes) + 1
        changes.append(
            {
                "customer_id": customer_id, "dimension": dimension, "previous_segment": previous, "segment": segment,
                "seq": seq, "previous_seq": last.get(customer_id), "trigger": {"kind": "event"}, "label": None,
            }
        )  # fmt: skip
        standing[customer_id, dimension], last[customer_id] = segment, seq
    return changes


@given(MOVES)
def test_sizes_are_those_of_a_subscriber(moves: list[tuple[str, str, str | None]]) -> None:
    """Counting changes and counting customers come to the same."""
    tally, view = Tally(["value", "intent"], "a"), View()
    for change in changes_of(moves):
        tally.take(change)
        view.take_change(0, change)
    counted: dict[str, Counter[str]] = {"value": Counter(), "intent": Counter()}
    for customer_id in view.customers():
        for dimension, segment in view.segments(customer_id).items():
            counted[dimension][segment] += 1
    assert tally.populated() == {dimension: dict(sizes) for dimension, sizes in counted.items()}
    assert tally.count == view.applied_count


@given(MOVES)
def test_a_story_is_one_customers_and_loses_nothing(moves: list[tuple[str, str, str | None]]) -> None:
    """What is not told is counted."""
    tally = Tally(["value", "intent"], "a")
    changes = changes_of(moves)
    for change in changes:
        tally.take(change)
    hers = [change for change in changes if change["customer_id"] == "a"]
    assert tally.story == [change for change in hers if change["dimension"] == "value"]
    assert len(tally.story) + tally.untold_count == len(hers)


def test_leaving_what_nobody_entered_takes_nothing_away() -> None:
    """The first cluster is reported as a move from `unassigned`, where everybody begins untold."""
    tally = Tally(["behaviour"], "nobody")
    (change,) = changes_of([("a", "behaviour", "cluster-1")])
    tally.take(change | {"previous_segment": "unassigned"})
    assert tally.populated() == {"behaviour": {"cluster-1": 1}}


def test_picking_takes_the_dimensions_in_turn() -> None:
    """A busy dimension does not hide the others, and nothing is shown twice."""
    tally = Tally(["value", "intent"], "nobody")
    begun = [(who, dimension, "high") for who in "ab" for dimension in ("intent", "value")]
    moves = [*begun, ("a", "intent", "low"), ("a", "value", "low"), ("b", "intent", "low")]
    for change in changes_of(moves):
        tally.take(change)
    for _ in range(4):
        tally.pick()
    assert [(change["customer_id"], change["dimension"]) for change in tally.recent] == [
        ("b", "intent"),
        ("a", "value"),
    ]
