"""Events that come late, twice, or as refunds: what they leave in a row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models import events as e
from models.changes import LATE
from models.customers import row as r
from models.customers.places import numbers
from models.features.compute import decayed
from models.workspace import DUPLICATES, LATE_EVENTS
from tests.core import Core, content
from tests.property.strategies import attribute_rows, sequences

EXACT = ("first_ms", "newest_ms", "spend_minor", "refund_minor", "count")
TIMES_AND_AMOUNTS = (r.ORDER_TIMES, r.PROFILE_TIME)  # the places between: newest orders, clicks, opens; first and last
DECAYED_ERROR = 1e-12  # relative; what design promises for sums in another order


@settings(max_examples=150)
@given(st.data())
def test_the_order_of_arrival_leaves_no_trace(data: st.DataObject) -> None:
    """Counts, times, money and lists are those of time order; decayed sums within 1e-12."""
    events = data.draw(sequences(customers=1, size=10, profiles=0))
    order = data.draw(st.permutations(range(len(events))))
    punctual, late = Core(), Core()
    punctual.apply(events)
    late.apply(events[list(order)])
    for name in EXACT:
        assert np.array_equal(punctual.rows[0][name], late.rows[0][name]), name
    assert numbers(punctual.rows[0], *TIMES_AND_AMOUNTS).tolist() == numbers(late.rows[0], *TIMES_AND_AMOUNTS).tolist()
    now = int(events["ts_ms"].max())
    for j in range(len(r.HALF_LIFE_MS)):
        expected, found = decayed(punctual.rows[0], j, now), decayed(late.rows[0], j, now)
        assert abs(found - expected) <= DECAYED_ERROR * expected + 1e-290  # below that doubles run out of digits


@settings(max_examples=60)
@given(st.data())
def test_a_late_event_is_named_late(data: st.DataObject) -> None:
    """An event older than the customer's last decision is decided at that decision's time, and says so."""
    events = data.draw(sequences(customers=1, size=10, profiles=0))
    core, decided = Core(), 0
    for i in data.draw(st.permutations(range(len(events)))):
        late = int(events["ts_ms"][i]) < decided
        before = int(core.engine.counters[LATE_EVENTS])
        changes = core.apply(events[i : i + 1])
        assert core.engine.counters[LATE_EVENTS] - before == late
        decided = max(decided, int(events["ts_ms"][i]))
        assert core.rows[0].decided_ms == decided
        for change in changes[changes.event >= 0]:
            assert (change.trigger == LATE) == late
            assert change.occurred_ms == events["ts_ms"][i]
            assert change.decided_ms == decided


@settings(max_examples=60)
@given(st.data())
def test_the_newer_profile_stands(data: st.DataObject) -> None:
    """Of profiles with different times the newest stands, whichever came last."""
    values = data.draw(attribute_rows())
    events = np.concatenate([data.draw(sequences(customers=1)) for _ in range(2)])
    events = events[events["kind"] == e.PROFILE]
    events = events[np.unique(events["ts_ms"], return_index=True)[1]]
    if not len(events):
        return
    core = Core()
    core.apply(events[list(data.draw(st.permutations(range(len(events)))))], attributes=values)
    assert np.array_equal(core.rows[0].attribute, values[events["attributes"][-1]], equal_nan=True)


@settings(max_examples=80)
@given(st.data())
def test_a_repeated_event_changes_nothing(data: st.DataObject) -> None:
    """An event among a customer's last six, sent again, changes no row or due time and publishes nothing."""
    events = data.draw(sequences(customers=2, profiles=0))
    core = Core()
    core.apply(events)
    rows, due = content(core.rows), core.due_ms.tobytes()
    repeated = [events[events["slot"] == slot][-r.EVENT_IDS_KEPT :] for slot in (0, 1)]
    assert len(core.apply(*repeated)) == 0
    assert content(core.rows) == rows
    assert core.due_ms.tobytes() == due
    assert core.engine.counters[DUPLICATES] == sum(map(len, repeated))


@settings(max_examples=60)
@given(st.data())
def test_counts_and_money_are_those_of_the_events(data: st.DataObject) -> None:
    """What a row counts is what was sent: orders, refunds, money, clicks, opens by people and by machines."""
    events = data.draw(sequences(customers=1, size=20))
    core = Core()
    core.apply(events, attributes=data.draw(attribute_rows()))
    row, amounts = core.rows[0], events["amount_minor"][events["kind"] == e.PURCHASE]
    opens = events[(events["kind"] == e.EMAIL) & (events["action"] == e.OPEN)]
    assert row.count[r.ORDERS] == (amounts > 0).sum()
    assert row.count[r.REFUNDS] == (amounts < 0).sum()
    assert row.spend_minor == amounts[amounts > 0].sum()
    assert row.refund_minor == -amounts[amounts < 0].sum()
    assert row.count[r.CLICKS] == (events["kind"] == e.CLICK).sum()
    assert row.count[r.OPENS] == (opens["machine_open"] == 0).sum()
    assert row.count[r.MACHINE_OPENS] == (opens["machine_open"] == 1).sum()
