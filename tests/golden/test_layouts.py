"""Rows of older layouts: real bytes that an older version wrote, read by this one, and lived on with."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.customers import row as r
from models.customers.answers import answers, sinces
from models.customers.places import numbers
from models.customers.upgrade import LAYOUTS, STEPS, Homes, upgraded
from models.definitions.compile import compile_plan
from models.definitions.document import Definitions
from models.definitions.language import parse
from stream.codec.definitions import load
from stream.codec.state import ROWS_KEY, decode_rows
from stream.errors import SegstreamError
from stream.worker.checkpoint import Cycle, Draft, restore
from stream.worker.partition import Partition
from stream.worker.recovery import Recovered, recover
from stream.worker.replica import Replica, Rule, rule_of
from stream.worker.verification import documents_of
from tests.core import shipped_document
from tests.golden.record import NOW_MS
from tests.golden.recording import CHANGES, JOURNAL, SETTINGS, STATE, Recording, described, recorded, settings_of
from tests.still import StillClock, claimed, executed, live

PRESENT = "de01b3dadbe4adf3"  # digest of the recorded rows of layout 1 as they are in the present layout


def homes_of(definitions: Definitions) -> Homes:
    """Where the answers of rows belong that these definitions judged."""
    places = compile_plan(definitions)[0].dimensions["place"]
    return Homes(0, places, places)


def packed(of: Recording) -> tuple[bytes, NDArray[np.void]]:
    """Every row of a recording's state, as bytes and as records of its own layout."""
    values = [decode_rows(record.value or b"").rows for record in of.topics[STATE] if record.key == ROWS_KEY]
    whole = b"".join(values)
    return whole, np.frombuffer(whole, LAYOUTS[of.row_version])


@pytest.mark.parametrize("version", sorted(set(LAYOUTS) - {r.ROW_VERSION}))
def test_an_old_layout_is_described_as_it_was(version: int) -> None:
    """The literal of a layout is what the version that wrote the recording said of it: type, shape, position."""
    assert described(LAYOUTS[version]) == recorded(version).layout
    assert len(STEPS) == r.ROW_VERSION - 1


def test_layout_1_becomes_the_present_one() -> None:
    """Every field of a row of layout 1 is in the present row, and nothing else is; the bytes are pinned."""
    whole, old = packed(recorded(1))
    new: Any = upgraded(whole, 1, homes_of(parse(shipped_document())))
    assert len(new) == len(old) > 10
    for name in ("first_ms", "newest_ms", "decided_ms", "spend_minor", "refund_minor", "landmark_ms", "seq"):
        assert np.array_equal(new[name], old[name]), name
    for name in ("decayed", "event_id", "attribute", "count", "generation", "segment"):
        assert new[name].tobytes() == old[name].tobytes(), name  # attributes hold NaN
    for place, field in (
        (r.ORDER_TIMES, "order_ms"),
        (r.ORDER_AMOUNTS, "order_minor"),
        (r.CLICK_TIMES, "click_ms"),
        (r.ENGAGED_TIMES, "engaged_ms"),
        (r.SINCE_TIMES, "since_ms"),
        (r.PROFILE_TIME, "profile_ms"),
        (r.REVIEW, "review_ms"),
    ):
        width = old[field].shape[1] if old[field].ndim > 1 else 1
        assert np.array_equal(numbers(new, place, width), old[field].reshape(len(old), width)), field
    places = (r.LAST_CLICK, r.LAST_CART_ADD, r.LAST_ORDER, r.LAST_SENT, r.LAST_ENGAGED, r.FIRST_ORDER)
    for k, place in enumerate(places):
        assert np.array_equal(numbers(new, place, 1)[:, 0], old["last_ms"][:, k]), k
    assert not new["audiences"].any()
    assert not numbers(new, r.CATEGORY_TIMES, r.CATEGORIES_MAX).any()
    assert hashlib.sha256(new.tobytes()).hexdigest()[:16] == PRESENT


def test_layout_2_becomes_the_present_one() -> None:
    """Audiences that need no date are bits; every other answer keeps its date; nothing else differs."""
    whole, old = packed(recorded(2))
    definitions, _ = load(settings_of(2).definitions)
    homes = homes_of(definitions)
    assert homes.places.tolist() == [0, 1, 16, 2, 17, 3, 18]
    new: Any = upgraded(whole, 2, homes)
    assert np.array_equal(answers(new, homes.places), old["segment"][:, : len(homes.places)])
    assert new["audiences"].any()
    since, there = sinces(new, homes.places), homes.places < r.DIMENSIONS_MAX
    assert np.array_equal(since[:, there], numbers(old, r.SINCE_TIMES, len(homes.places))[:, there])
    assert not since[:, ~there].any()
    for name in set(r.ROW.names or ()) - {"audiences", "segment", "low", "high"}:
        assert new[name].tobytes() == old[name].tobytes(), name
    assert np.array_equal(numbers(new, 0, r.SINCE_TIMES), numbers(old, 0, r.SINCE_TIMES))


def test_rows_of_the_rules_before_go_where_those_had_them() -> None:
    """A row that an adoption has not come to yet lies in the order of the older document."""
    row = np.zeros(2, LAYOUTS[2])
    row["generation"], row["segment"][:, :2] = (3, 2), (1, 5)
    new = upgraded(row.tobytes(), 2, Homes(3, np.array([r.DIMENSIONS_MAX + 7, 0]), np.array([1, 0])))
    assert new["audiences"].tolist() == [1 << 7, 0]
    assert new["segment"][:, :2].tolist() == [[5, 0], [5, 1]]


def test_an_unknown_layout_is_refused() -> None:
    """Rows of a layout that nobody here knows are not guessed at."""
    with pytest.raises(ValueError, match="layout 99"):
        upgraded(b"", 99, homes_of(parse(shipped_document())))


def old_rule(of: Recording) -> Rule:
    """The settings of the recorded worker under its own fingerprint: as if no upgrade had happened."""

    class Old(Rule):
        def fingerprint(self) -> str:
            return of.fingerprint

    return Old(*dataclasses.astuple(rule_of(settings_of(of.row_version))))


@pytest.mark.parametrize(("version", "published"), [(1, 100), (2, 5)])
def test_upgraded_rows_go_on_as_the_old_version_did(version: int, published: int) -> None:
    """Entries after the checkpoint, executed here on upgraded rows, give the bytes that the old version published."""
    old = recorded(version)
    log: Any = old.log()

    async def run() -> Recovered:
        documents = await documents_of(log, settings_of(version))
        replica = Replica(0, old_rule(old), documents.get, lambda *_: 0)
        return await recover(log, replica, log.shelf(JOURNAL).end, documents.get)

    found = asyncio.run(run())
    assert len(old.topics[CHANGES]) - old.marker.changes_next > published, "published after the checkpoint, and equal"
    assert len(found.missing) > 10
    assert found.events > 30


def test_upgraded_rows_say_the_same_memberships() -> None:
    """The membership of an upgraded row has the bytes that the old version published for it."""
    old = recorded(1).drained()
    log: Any = old.log()

    async def run() -> dict[bytes, bytes]:
        documents = await documents_of(log, SETTINGS)
        replica = Replica(0, old_rule(old), documents.get, lambda *_: 0)
        await restore(log, replica, old.marked, documents.get)
        assert replica.engine is not None
        replica.engine.table.dirty[: replica.customers] = True
        draft = Draft(replica, Cycle(), old.marker.journal_next, NOW_MS)
        while not draft.advance():
            pass
        return {key or b"": value or b"" for key, value in draft.membership_records(above_seq=0)}

    published = {record.key: record.value for record in old.topics["segment-memberships"]}
    found = asyncio.run(run())
    assert len(found) > 10
    assert {key: value for key, value in found.items() if key != b"_checkpoint"} == {
        key: published[key] for key in found if key != b"_checkpoint"
    }


@pytest.mark.parametrize("version", sorted(set(LAYOUTS) - {r.ROW_VERSION}))
def test_a_drained_partition_resumes(version: int) -> None:
    """Stopped at a checkpoint of an old layout, this version goes on: rows and changes are those of one execution."""
    log, settings = recorded(version).drained().log(), settings_of(version)
    clock = StillClock(NOW_MS)

    async def run() -> Partition:
        await live(log, settings, clock)
        return await live(log, settings, clock)  # reads back what the first wrote: rows of both layouts

    partition = asyncio.run(run())
    replica, changes = asyncio.run(executed(log, settings))
    ours, theirs = partition.replica.engine, replica.engine
    assert ours is not None
    assert theirs is not None
    assert dict(ours.table.items()) == dict(theirs.table.items())
    for name in set(r.ROW.names or ()) - {"event_id"}:  # engine 2 hashes ids otherwise: the old ones stay as they are
        left, right = (table.rows[name][: len(table)].tobytes() for table in (ours.table, theirs.table))
        assert left == right, name
    assert [record.value for record in log.shelf(CHANGES).records] == changes
    assert partition.inputs.all_read


def test_a_debt_of_another_engine_is_refused() -> None:
    """Entries after the checkpoint that another version executed: the worker says which command helps."""
    log = recorded(1).log()
    with pytest.raises(SegstreamError, match="segstream recover --new-engine"):
        asyncio.run(claimed(log, SETTINGS, StillClock(NOW_MS)))
