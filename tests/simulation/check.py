"""What must hold after every run, whatever happened in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from models.customers import row as r
from tests.simulation.memory_log import COMMITTED
from tests.simulation.scenario import Run, uninterrupted


def check(run: Run) -> None:
    """Raise AssertionError naming the promise that was broken."""
    replica, expected = uninterrupted(run.world)
    _same_changes(run, expected)
    _nothing_lost_or_double(run)
    _same_rows(run, replica)
    _memberships_are_current(run)


def _same_changes(run: Run, expected: dict[int, bytes]) -> None:
    """Every copy of a change has the same bytes, and they are those of an uninterrupted execution; none is missing."""
    published: dict[int, bytes] = {}
    for record in run.world.shelves["segment-changes", 0].records:
        value = record.value or b""
        seq = orjson.loads(value)["seq"]
        assert published.setdefault(seq, value) == value, f"two copies of change {seq} differ"
    assert published.keys() == expected.keys(), "changes are missing or invented"
    assert published == expected, "a change differs from the uninterrupted execution"


def _nothing_lost_or_double(run: Run) -> None:
    """Counts and sums of every customer are those of what was sent."""
    assert run.final is not None
    engine = run.final.replica.engine
    assert engine is not None
    for customer, slot in engine.table.items():
        row = engine.table.rows[slot]
        mine = [event for event in run.sent if event["customer_id"] == customer]
        orders = [e["amount"] for e in mine if e["kind"] == 1 and e["amount"] > 0]
        assert row["count"][r.CLICKS] == sum(e["kind"] == 0 for e in mine), f"clicks of {customer}"
        assert row["count"][r.ORDERS] == len(orders), f"orders of {customer}"
        assert row.spend_minor == round(sum(orders) * 100), f"spend of {customer}"
        assert row["count"][r.OPENS] == sum(e.get("action") == "open" for e in mine), f"opens of {customer}"
        assert row.newest_ms == max(e["ts"] for e in mine), f"newest event of {customer}"
    assert {customer for customer, _ in engine.table.items()} == {event["customer_id"] for event in run.sent}, (
        "a customer is missing"
    )


def _same_rows(run: Run, replica: Any) -> None:
    assert run.final is not None
    ours, theirs = run.final.replica.engine, replica.engine
    assert ours is not None
    count = len(ours.table)
    assert list(ours.table.items()) == list(theirs.table.items()), "slots differ"
    assert ours.table.rows[:count].tobytes() == theirs.table.rows[:count].tobytes(), "rows differ"
    assert np.array_equal(ours.table.due_ms[:count], theirs.table.due_ms[:count]), "due times differ"


def _memberships_are_current(run: Run) -> None:
    """The last membership of every customer is that of the rows: no stale one wins."""
    assert run.final is not None
    engine = run.final.replica.engine
    assert engine is not None
    newest: dict[bytes, Any] = {}
    for record in run.world.shelves["segment-memberships", 0].records:
        if record.transaction is not None and record.transaction.state == COMMITTED:
            newest[record.key or b""] = orjson.loads(record.value or b"")
    for customer, slot in engine.table.items():
        row = engine.table.rows[slot]
        member = newest[customer.encode()]
        assert member["seq"] == row.seq, f"membership of {customer} is stale"
        for d, dimension in enumerate(engine.judge.definitions.dimensions[:-1]):
            name = engine.judge.segment_name(d, int(row.segment[d]))
            assert member["segments"][dimension.name]["segment"] == name, f"{dimension.name} of {customer}"
    assert newest[b"_checkpoint"]["seq"] == engine.counters[0], "the last checkpoint is not the last state"
