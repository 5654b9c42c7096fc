"""The table of customers: growth, limits, loading, and a copy that stands still."""

from __future__ import annotations

import numpy as np
import pytest

from models.customers.names import INDEX_FIRST
from models.customers.row import DAY_MS, ROW
from models.customers.table import Copy, Table, TableFull
from tests.core import T0, Core, click, content, order, random_events

FAR_MS = T0 + 50 * DAY_MS


def filled(count: int) -> Table:
    """A table of customers whose rows tell their slots."""
    table = Table(customers_max=10_000)
    for slot in range(count):
        assert table.slot_of(f"c{slot}") == slot
        table.rows[slot].first_ms = slot + 1
        table.due_ms[slot] = slot
        table.dirty[slot] = slot % 2
    return table


def test_growth_keeps_everything() -> None:
    """Rows, due times, marks and slots are the same after ids and index have grown several times."""
    count = INDEX_FIRST * 3
    table = filled(count)
    assert table.rows.dtype.itemsize == ROW.itemsize
    assert table.rows.first_ms[:count].tolist() == list(range(1, count + 1))
    assert table.due_ms[:count].tolist() == list(range(count))
    assert table.dirty[:count].tolist() == [bool(slot % 2) for slot in range(count)]
    assert table.slot_of("c17") == 17
    assert len(table) == count


def test_a_row_is_small() -> None:
    """A million customers fit in 700 MB."""
    assert ROW.itemsize <= 700


def test_a_full_table_refuses_and_stays() -> None:
    """The customer after the last is refused; the others are found as before."""
    table = Table(customers_max=3)
    for name in "abc":
        table.slot_of(name)
    with pytest.raises(TableFull):
        table.slot_of("d")
    assert (len(table), table.slot_of("c")) == (3, 2)
    assert table.find("d") == -1


def test_due_slots_come_in_order_and_portions() -> None:
    """Due customers come by slot, as many as asked for, the border included."""
    table = filled(100)
    assert table.due_slots(10, 1000).tolist() == list(range(11))
    assert table.due_slots(10, 4).tolist() == [0, 1, 2, 3]
    assert table.due_slots(-1, 4).tolist() == []


def test_loading_puts_rows_in_place() -> None:
    """Slices in any order, a slot twice (the later stands): the table is as it was checkpointed."""
    source, target = filled(3000), Table(customers_max=3000)
    ids = [f"c{slot}" for slot in range(3000)]
    for slots in (np.arange(2000, 3000), np.arange(1500), np.arange(1000, 2500)):
        target.load(slots, source.rows[slots], source.due_ms[slots], [ids[slot] for slot in slots])
    target.load(np.zeros(0, np.int64), source.rows[:0], source.due_ms[:0], [])
    target.loaded()
    assert target.ids(np.arange(3000)) == ids
    assert content(target.rows[:3000]) == content(source.rows[:3000])
    assert target.due_ms[:3000].tolist() == source.due_ms[:3000].tolist()
    assert list(target.items()) == list(source.items())
    with pytest.raises(TableFull):
        target.load(np.array([3000]), source.rows[:1], source.due_ms[:1], ["more"])


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_a_copy_is_of_the_moment_it_began(portion: int) -> None:
    """Whatever is applied while rows are copied in portions, the copy is of the moment it began."""
    core = Core()
    before = random_events(3, 300, 40, T0, 40 * DAY_MS)
    during = random_events(4, 300, 60, T0 + 40 * DAY_MS, 40 * DAY_MS)
    core.apply(before)
    rows, due_ms = np.array(core.rows), core.due_ms.copy()
    core.engine.copy = taken = Copy(core.engine.table, slice(0, None))
    assert not core.engine.table.dirty.any()
    for i in range(len(during)):
        core.apply(during[i : i + 1])
        if i % 50 == 49:
            core.tick(int(during["ts_ms"][i]))
        taken.advance(portion)
    while not taken.advance(portion):
        pass
    assert taken.slots.tolist() == list(range(len(rows)))
    assert content(taken.rows) == content(rows)
    assert taken.due_ms.tobytes() == due_ms.tobytes()
    assert not core.engine.table.pending.any()
    touched = np.unique(during["slot"])
    assert core.engine.table.dirty[touched].all()


def test_a_copy_takes_the_dirty_and_a_slice() -> None:
    """What changed since the last copy, and the next slice of all slots: nothing else."""
    core = Core()
    core.apply(*(click(T0, slot=slot) for slot in range(20)))
    Copy(core.engine.table, slice(0, 0)).advance(1000)
    core.apply(order(T0 + 1, slot=13), order(T0 + 1, slot=4))
    assert Copy(core.engine.table, slice(10, 12)).slots.tolist() == [4, 10, 11, 13]


def test_growth_during_a_copy_loses_nothing() -> None:
    """New customers may come, and the table may grow, while a copy is under way."""
    table = filled(INDEX_FIRST)
    taken = Copy(table, slice(0, None))
    taken.advance(10)
    for slot in range(INDEX_FIRST, INDEX_FIRST * 2):
        table.slot_of(f"c{slot}")
    taken.guard(np.array([5, 20, 500, 500]))
    table.rows.first_ms[:] = -1
    assert taken.advance(10_000)
    assert taken.rows["first_ms"][[5, 20, 500]].tolist() == [6, 21, 501]
    assert taken.rows["first_ms"][600] == -1  # it was not guarded: the caller's duty
