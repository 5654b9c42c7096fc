"""Memberships written a column at a time are the JSON that orjson writes of the same values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from models.customers.names import pack
from models.customers.row import DAY_MS, NEVER_MS
from models.definitions.document import CLUSTER
from models.times import iso_times
from stream.codec.membership_bytes import MembershipBytes
from stream.codec.memberships import encode_memberships
from stream.codec.times import iso
from tests.core import T0, Core, random_events, snapshot

CUSTOMERS = 60
IDS = [f'c"{n}\\ é\x07' for n in range(CUSTOMERS)]
PLAIN = [f"c{n} ü" * (n % 3) + (IDS[n] if n % 7 == 0 else f"c{n}") for n in range(CUSTOMERS)]  # most need no escaping


def described(core: Core, slot: int, until: list[int], following: list[int]) -> dict[str, Any]:
    """A membership as plain values, one customer after the other."""
    row, judge = core.rows[slot], core.judge
    codes, segments = core.codes(slot), {}
    for d, dimension in enumerate(judge.definitions.dimensions):
        code, since = codes[d], core.since(dimension.name, slot)
        if code or dimension.kind == CLUSTER:
            segments[dimension.name] = {
                "segment": judge.segment_name(d, code) or "unassigned",
                "since": iso(since) if code and since else None,
                "valid_until": iso(until[d]) if until[d] < NEVER_MS else None,
                "next_if_silent": judge.segment_name(d, following[d]) if following[d] >= 0 else None,
            }
    return {
        "customer_id": IDS[slot],
        "seq": int(row["seq"]),
        "definition": judge.definitions.digest,
        "model": judge.model or None,
        "updated_at": iso(int(row["decided_ms"])),
        "segments": segments,
        "audiences": {},
    }


def test_columns_give_what_values_give() -> None:
    """With and without a model, in a segment and in none, ids that JSON must escape: the same bytes."""
    for model in (None, snapshot((1, -0.5), (2, 0.5))):
        core = Core(model=model)
        core.apply(random_events(5, 900, CUSTOMERS, T0, 200 * DAY_MS))
        until, following = core.outlook()
        found = list(encode_memberships(core.rows, core.judge, IDS[: len(core.rows)], until, following))
        several = pack(PLAIN[: len(core.rows)])
        quickly = MembershipBytes(core.judge).write(core.rows.view(np.recarray), several, until, following)
        slowly = encode_memberships(core.rows, core.judge, several.strings(), until, following)
        assert quickly == list(slowly)
        wanted = [described(core, i, until[i].tolist(), following[i].tolist()) for i in range(len(core.rows))]
        assert found == [orjson.dumps(one) for one in wanted]
        assert not list(encode_memberships(core.rows[:0], core.judge, [], until[:0], following[:0]))
    assert np.any(until >= NEVER_MS)


@given(st.lists(st.integers(-62_135_596_800_000, 253_402_300_799_999), max_size=8))
def test_times_are_those_of_the_calendar(ms: list[int]) -> None:
    """Any millisecond of the years 1 to 9999, leap days included."""
    assert iso_times(np.array(ms, np.int64)) == [iso(one) for one in ms]


def test_leap_days_and_borders() -> None:
    """The last millisecond before and the first of each day of four centuries' corners."""
    days = [
        datetime(year, 2, 28, tzinfo=UTC) + timedelta(n) for year in (1600, 1900, 1999, 2000, 2024) for n in (0, 1, 2)
    ]
    ms = [int(day.timestamp() * 1000) + n for day in days for n in (-1, 0)]
    assert iso_times(np.array(ms, np.int64)) == [iso(one) for one in ms]
