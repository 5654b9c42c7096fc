"""Retention: who is silent for too long leaves, at that moment and not before, whoever looks and whenever."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.customers.row import DAY_MS, LEFT, ROW
from tests.core import T0, Core, click, order, snapshot
from tests.property.strategies import attribute_rows, cuts, documents, sequences

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))
RETENTIONS_MS = st.sampled_from([3 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS])  # shorter and longer than most gaps
OF_A_LIFE = (
    "dimension", "previous", "segment", "trigger", "occurred_ms", "decided_ms", "valid_until_ms", "next_segment",
)  # fmt: skip


def histories(core: Core) -> dict[int, list[tuple[Any, ...]]]:
    """Every customer's changes but for their running numbers."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for change in core.changes:
        found.setdefault(int(change.slot), []).append(tuple(int(change[name]) for name in OF_A_LIFE))
    return found


def states(core: Core) -> dict[str, bytes]:
    """Every customer's row but for its running number."""
    names = [name for name in ROW.names or () if name != "seq"]
    return {
        customer: b"".join(np.ascontiguousarray(core.rows[slot][name]).tobytes() for name in names)
        for customer, slot in core.engine.table.items()
    }


def lives(events: NDArray[np.void], customer: int, retention_ms: int) -> list[list[int]]:
    """Event times of a customer, cut where she was silent for so long."""
    found: list[list[int]] = []
    for t in events["ts_ms"][events["slot"] == customer].tolist():
        if not found or t - found[-1][-1] >= retention_ms:
            found.append([])
        found[-1].append(t)
    return found


@settings(max_examples=70)
@given(st.data())
def test_leaving_does_not_hang_on_who_looks(data: st.DataObject) -> None:
    """One entry or many, ticks between them or none: the same lives, told the same, and the same rows."""
    definitions, model = data.draw(documents()), data.draw(st.sampled_from([None, MODEL]))
    retention_ms, attributes = data.draw(RETENTIONS_MS), data.draw(attribute_rows())
    events = data.draw(sequences(customers=3))
    whole, cut = (Core(definitions, model, retention_ms) for _ in range(2))
    cut.small_changes(40)
    whole.apply(events.copy(), attributes=attributes)
    borders = [0, *data.draw(cuts(len(events))), len(events)]
    for start, end in pairwise(borders):
        cut.apply(events[start:end].copy(), attributes=attributes)
        if end > start and data.draw(st.booleans()):
            last = int(events["ts_ms"][end - 1])
            following = int(events["ts_ms"][end]) if end < len(events) else last + 5 * DAY_MS
            cut.tick(data.draw(st.integers(last, following)), limit=data.draw(st.integers(1, 3)))
    until = int(events["ts_ms"].max()) + data.draw(st.integers(5, 200)) * DAY_MS
    whole.tick(until)
    cut.tick(until)
    assert histories(whole) == histories(cut)
    assert states(whole) == states(cut)


@settings(max_examples=70)
@given(st.data())
def test_a_life_ends_when_silence_has_lasted(data: st.DataObject) -> None:
    """Each silence of the retention ends every segment there is, in that very millisecond, and nothing else does."""
    retention_ms = data.draw(RETENTIONS_MS)
    core = Core(data.draw(documents()), data.draw(st.sampled_from([None, MODEL])), retention_ms)
    events = data.draw(sequences(customers=3))
    core.apply(events.copy(), attributes=data.draw(attribute_rows()))
    until = int(events["ts_ms"].max()) + data.draw(st.integers(0, 200)) * DAY_MS
    core.tick(until)
    for customer in range(3):
        every = lives(events, customer, retention_ms)
        ends = [life[-1] + retention_ms for life in every if life[-1] + retention_ms <= until]
        assert (core.engine.table.find(f"c{customer}") >= 0) == (len(ends) < len(every))
        standing, seq = dict[int, int](), 0
        for change in core.changes[core.changes.slot == customer]:
            if change.previous_seq != seq:  # a new life
                assert change.previous_seq == 0
                assert not standing
            assert change.previous == standing.pop(int(change.dimension), 0)
            if change.segment == LEFT:
                assert change.decided_ms in ends
            elif change.segment:
                standing[int(change.dimension)] = int(change.segment)
            seq = int(change.seq)
        assert not standing or len(ends) < len(every)


def test_whoever_comes_again_starts_anew_in_a_vacant_slot() -> None:
    """The slot goes to the next newcomer; who comes again has no past, and her chain begins with nothing."""
    core = Core(retention_ms=100 * DAY_MS)
    core.apply(order(T0, slot=1), click(T0, slot=2))
    core.tick(T0 + 100 * DAY_MS - 1)
    assert core.engine.table.customers == 2
    left = core.tick(T0 + 100 * DAY_MS)
    assert {int(one.segment) for one in left} == {LEFT}
    assert {int(one.decided_ms) for one in left} == {T0 + 100 * DAY_MS}
    assert (core.engine.table.customers, list(core.engine.departed)) == (0, ["c1", "c2"])
    core.apply(click(T0 + 101 * DAY_MS, slot=3))
    core.apply(click(T0 + 102 * DAY_MS, slot=1))
    assert dict(core.engine.table.items()) == {"c3": 0, "c1": 1}
    assert core.segment("lifecycle", 1) == "prospect"
    mine = core.changes[(core.changes.slot == 1) & (core.changes.decided_ms > T0 + 101 * DAY_MS)]
    assert mine[0].previous_seq == 0


def test_more_may_leave_than_one_call_takes() -> None:
    """Thousands who leave at once are all told, and their slots are all free."""
    core = Core(retention_ms=DAY_MS)
    core.apply(*(click(T0, slot=number) for number in range(5000)))
    core.tick(T0 + DAY_MS)
    assert core.engine.table.customers == 0
    assert len(core.engine.departed) == 5000
