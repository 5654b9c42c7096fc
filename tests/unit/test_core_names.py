"""Ids and slots: whatever comes, goes and comes again, they are those of a dict and a list."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.customers.names import INDEX_FIRST, POOL_FIRST, UNKNOWN, Names, pack

IDS = st.one_of(st.integers(0, 40).map(str), st.text(min_size=1, max_size=5))
STEPS = st.lists(st.tuples(st.booleans(), st.lists(IDS, unique=True, max_size=12)), max_size=12)


@settings(max_examples=150)
@given(STEPS, st.integers(1, 30))
def test_names_are_a_dict_and_a_list(steps: list[tuple[bool, list[str]]], room: int) -> None:
    """Customers keep their slot, the lowest vacant slot is given first, and nobody is added beyond the room."""
    names, known = Names(room), dict[str, int]()
    for add, ids in steps:
        assert names.find(ids).tolist() == [known.get(one, UNKNOWN) for one in ids]
        if add:
            new = [one for one in ids if one not in known]
            vacant = sorted(set(range(room)) - set(known.values()))
            wanted = dict(zip(new, vacant, strict=False))
            assert names.add(new).tolist() == [wanted.get(one, UNKNOWN) for one in new]
            known |= wanted
        else:
            names.remove(np.array([known.pop(one) for one in ids if one in known], np.int64))
        slots = np.arange(names.end)
        held = {slot: one for one, slot in known.items()}
        assert names.packed(slots).strings() == [held.get(slot, "") for slot in slots.tolist()]
        assert names.count == len(known)


def test_index_and_pool_grow_and_are_cleared() -> None:
    """Many times the first room: all are found; a new index finds the same; what was forgotten takes no room."""
    names = Names(4 * INDEX_FIRST)
    ids = [f"customer-{n:030d}" for n in range(4 * INDEX_FIRST)]
    for start in range(0, len(ids), 100):
        names.add(ids[start : start + 100])
    assert names.find(ids).tolist() == list(range(len(ids)))
    names.reindex()
    assert names.find(ids).tolist() == list(range(len(ids)))
    for turn in range(20):
        names.remove(np.arange(1000))
        ids[:1000] = [f"{turn}-{n:030d}" for n in range(1000)]
        assert names.add(ids[:1000]).tolist() == list(range(1000))
    assert names.find(ids).tolist() == list(range(len(ids)))
    assert len(names._pool) < 2 * len("".join(ids)) + POOL_FIRST


def test_ids_come_back_letter_by_letter() -> None:
    """Ids of any script survive packing."""
    ids = ["c1", "é", "顧客", "", "c\0d"]
    assert pack(ids).strings() == ids
