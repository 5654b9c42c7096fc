"""Rows and changes hang on the events and their order alone: not on entries, ticks, portions or processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.customers.row import DAY_MS
from tests.core import Core, content, snapshot
from tests.property.strategies import attribute_rows, cuts, documents, sequences

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))
RUNNING = ("seq", "previous_seq")  # the partition's running numbers hang on how customers interleave


def histories(core: Core) -> dict[int, bytes]:
    """Every customer's changes in order, without the partition's running numbers."""
    changes = core.changes
    return {slot: content(changes[changes.slot == slot], *RUNNING) for slot in range(len(core.rows))}


@settings(max_examples=100)
@given(st.data())
def test_any_cut_gives_the_same_bytes(data: st.DataObject) -> None:
    """However a sequence is cut into entries and portions: the same bytes of rows, due times and changes."""
    definitions, values = data.draw(documents()), data.draw(attribute_rows())
    events = data.draw(sequences())
    whole, parts = Core(definitions, MODEL), Core(definitions, MODEL)
    whole.apply(events, attributes=values)
    parts.small_changes(data.draw(st.integers(16, 40)))
    for piece in np.split(events, data.draw(cuts(len(events)))):
        parts.apply(piece, attributes=values)
    assert parts.digest() == whole.digest()


@settings(max_examples=150)
@given(st.data())
def test_any_ticks_give_the_same_histories(data: st.DataObject) -> None:
    """Ticks between events, of however many customers, change no row, due time or customer's history."""
    definitions, values = data.draw(documents()), data.draw(attribute_rows())
    events = data.draw(sequences(customers=3))
    end = int(events["ts_ms"][-1]) + data.draw(st.integers(0, 200)) * DAY_MS
    whole, ticked = Core(definitions, MODEL), Core(definitions, MODEL)
    whole.apply(events, attributes=values)
    for i in range(len(events)):
        ticked.apply(events[i : i + 1], attributes=values)
        until = int(events["ts_ms"][i + 1]) if i + 1 < len(events) else end
        for _ in range(data.draw(st.integers(0, 2))):
            ticked.tick(data.draw(st.integers(int(events["ts_ms"][i]), until)), data.draw(st.integers(1, 3)))
    for core in (whole, ticked):
        core.tick(end)
    assert content(ticked.rows, "seq") == content(whole.rows, "seq")
    assert ticked.due_ms.tobytes() == whole.due_ms.tobytes()
    assert histories(ticked) == histories(whole)
    assert ticked.engine.counters[1:].tolist() == whole.engine.counters[1:].tolist()


@settings(max_examples=60)
@given(st.data())
def test_a_customer_does_not_hang_on_the_others(data: st.DataObject) -> None:
    """One customer's events alone give the same history as among those of others."""
    definitions, values = data.draw(documents()), data.draw(attribute_rows())
    events = data.draw(sequences(customers=3))
    together = Core(definitions, MODEL)
    together.apply(events, attributes=values)
    for slot in range(len(together.rows)):
        alone = Core(definitions, MODEL)
        own = events[events["slot"] == slot]
        own["slot"] = 0
        if len(own):
            alone.apply(own, attributes=values)
            among = together.changes[together.changes.slot == slot]
            assert content(alone.changes, *RUNNING, "slot", "event") == content(among, *RUNNING, "slot", "event")


@settings(max_examples=80)
@given(st.data())
def test_the_chain_of_changes_is_whole(data: st.DataObject) -> None:
    """`seq` has no hole, `previous_seq` is the customer's last, `previous` is the segment that was."""
    core = Core(data.draw(documents()), MODEL)
    core.apply(data.draw(sequences(customers=3)), attributes=data.draw(attribute_rows()))
    core.tick(int(core.rows.newest_ms.max()) + 100 * DAY_MS)
    assert core.changes.seq.tolist() == list(range(1, len(core.changes) + 1))
    last: dict[Any, int] = {}
    for change in core.changes:
        assert change.previous_seq == last.get(int(change.slot), 0)
        assert change.previous == last.get((int(change.slot), int(change.dimension)), 0)
        assert change.previous != change.segment
        last[int(change.slot)] = int(change.seq)
        last[int(change.slot), int(change.dimension)] = int(change.segment)
    for (slot, dimension), code in ((key, value) for key, value in last.items() if isinstance(key, tuple)):
        assert core.codes(slot)[dimension] == code


def _play(seed: int, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "tests.core", str(seed)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return run.stdout


def test_compiled_and_uncompiled_agree_to_the_bit() -> None:
    """Two processes, one with the compiler and one without, print the same digest of rows and changes."""
    compiled, plain = _play(7, NUMBA_DISABLE_JIT="0"), _play(7, NUMBA_DISABLE_JIT="1")
    assert compiled == plain
    assert int(compiled.split()[1]) > 200  # the scenario is not an empty one
