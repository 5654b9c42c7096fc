"""Audiences: in or out, sixty-four of them as bits of a row; one with a dwell or cooldown has a date besides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.changes import DEFINITION, Change
from models.customers.names import pack
from models.customers.row import AUDIENCES_MAX, DAY_MS, DIMENSIONS_MAX, REMOVED
from models.definitions.edits import spent
from models.definitions.language import DefinitionError, parse
from stream.codec.changes import ChangeWriter
from stream.codec.membership_bytes import MembershipBytes
from stream.codec.memberships import encode_memberships
from stream.codec.times import iso
from stream.explanation import Subject, explain, told
from tests.core import CUTS, HOUR_MS, T0, Core, click, document, segments


def made(**audiences: Any) -> dict[str, Any]:
    """A document with nothing but audiences."""
    return {"version": 1, "name": "test", "cuts": CUTS, "audiences": audiences}


MANY = {f"d{i}": segments(("s", f"clicks >= {i + 1}")) for i in range(DIMENSIONS_MAX)}


def test_an_audience_is_a_dimension_of_one_segment() -> None:
    """The same conditions, dwell and cooldown, under its own name."""
    entry = {"when": "clicks >= 2", "stay": "clicks >= 1", "dwell_days": 3, "cooldown_days": 5}
    (audience,) = parse(made(vip=entry)).dimensions
    (dimension,) = parse(document({"vip": {"segments": [{"name": "in", **entry}]}})).dimensions
    assert (audience.name, audience.path) == ("audience:vip", "audiences.vip")
    assert (audience.segments, audience.cooldown_ms) == (dimension.segments, dimension.cooldown_ms)


@pytest.mark.parametrize(
    ("path", "faulty", "words"),
    [
        ("audiences", made(), "must be 1 to 64"),
        ("audiences", {**made(), "audiences": []}, "must be a mapping"),
        ("audiences", made(**{f"a{i}": {"when": "always"} for i in range(AUDIENCES_MAX + 1)}), "there are 65"),
        ("audiences", made(Vip={"when": "always"}), "no name"),
        ("audiences.vip", made(vip={}), "has no when"),
        ("audiences.vip", made(vip="always"), "must be a mapping"),
        ("audiences.vip.when", made(vip={"when": "ordrs >= 1"}), "did you mean 'orders'"),
        ("audiences.vip.segments", made(vip={"when": "always", "segments": []}), "not known here"),
        ("audiences.vip.cooldown_days", made(vip={"when": "always", "cooldown_days": -1}), "from 0"),
        ("audiences.vip.when", made(vip={"when": "in audience vap"}), "did you mean 'vip'"),
        ("audiences.vip", made(vip={"when": "not in audience vip"}), "hangs on itself"),
        (
            "audiences.late.dwell_days",
            {**document(MANY), **made(bit={"when": "always"}, late={"when": "always", "dwell_days": 1})},
            "a row keeps 16 such dates",
        ),
        (
            "audiences.late.cooldown_days",
            {**document(MANY), **made(late={"when": "always", "cooldown_days": 1})},
            "the other audiences are a bit each",
        ),
        (
            "audiences.twin.id",
            made(vip={"when": "always"}, twin={"when": "always", "id": "vip"}),
            "'vip' is there twice",
        ),
        ("audiences.vip.id", made(vip={"when": "always", "id": "VIP"}), "no name"),
        (
            "dimensions.d.segments",
            document({"d": {"segments": [{"name": n, "when": "always", "cooldown_days": 1} for n in ("a", "b")]}}),
            "not which",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_faulty_audience_is_refused_with_its_place(path: str, faulty: Any, words: str) -> None:
    """As mistakes in dimensions are."""
    with pytest.raises(DefinitionError, match=words) as refused:
        parse(faulty)
    assert refused.value.path.startswith(path)


def test_a_cooldown_holds_who_left_out() -> None:
    """Out at once, in again when it is over and if it is still true then; the forecast says when."""
    core = Core(made(busy={"when": "clicks in 1 day >= 1", "cooldown_days": 5}))
    core.apply(click(T0))
    core.tick(T0 + 3 * DAY_MS)
    again = T0 + 6 * DAY_MS
    core.apply(click(again - 2 * HOUR_MS))
    assert core.segment("audience:busy") is None
    assert core.outlook()[0].tolist() == [[again]]
    core.tick(again + 3 * DAY_MS)
    left = again - 2 * HOUR_MS + DAY_MS
    assert core.history("audience:busy") == [("in", T0), (None, T0 + DAY_MS), ("in", again), (None, left)]


def test_who_never_was_in_has_no_cooldown() -> None:
    """The first time is free, and so is the first after an adoption that declares the audience."""
    core = Core(document({"d": segments(("s", "always"))}))
    core.apply(click(T0))
    core.adopt(made(busy={"when": "clicks in 1 day >= 1", "cooldown_days": 5}), None, T0 + HOUR_MS)
    core.rejudge([0], T0 + HOUR_MS)
    assert core.segment("audience:busy") == "in"


def test_audiences_hang_on_each_other() -> None:
    """One who leaves the one leaves what asks for it, in the same decision."""
    core = Core(
        made(
            warm={"when": {"all": ["in audience busy", "not in audience idle"]}},
            busy={"when": "clicks in 1 day >= 1"},
            idle={"when": "no click for 3 days"},
        )
    )
    core.apply(click(T0))
    assert core.segment("audience:warm") == "in"
    core.tick(T0 + DAY_MS)
    assert core.history("audience:warm") == [("in", T0), (None, T0 + DAY_MS)]


def test_there_is_room_for_all_dimensions_and_all_audiences() -> None:
    """Sixteen and sixty-four, each with its own answer, and every change told."""
    audiences = {f"a{i}": {"when": f"clicks == {i + 1}"} for i in range(AUDIENCES_MAX)}
    core = Core({**document(MANY), **made(**audiences)})
    for clicks in range(1, AUDIENCES_MAX + 1):
        core.apply(click(T0 + clicks))
        here = [min(clicks // (d + 1), 1) for d in range(DIMENSIONS_MAX)]
        assert core.codes() == here + [int(clicks == i + 1) for i in range(AUDIENCES_MAX)]
    assert len(core.changes) == DIMENSIONS_MAX + 2 * AUDIENCES_MAX - 1


def test_a_bit_is_hysteresis() -> None:
    """Whoever is in stays while `stay` holds; who is not in needs `when`."""
    core = Core(made(busy={"when": "clicks in 1 day >= 2", "stay": "clicks in 2 days >= 1"}))
    core.apply(click(T0), click(T0 + HOUR_MS))
    assert core.judge.since_ms(core.rows).tolist() == [[0]]
    until, following = core.outlook()
    assert (until.tolist(), following.tolist()) == ([[T0 + HOUR_MS + 2 * DAY_MS]], [[0]])
    core.tick(T0 + 9 * DAY_MS)
    core.apply(click(T0 + 10 * DAY_MS))
    assert core.history("audience:busy") == [("in", T0 + HOUR_MS), (None, T0 + HOUR_MS + 2 * DAY_MS)]


def test_who_is_in_a_removed_audience_is_told() -> None:
    """A last change with trigger `definition`, and none for who was not in; the bit is free for another."""
    core = Core(made(busy={"when": "clicks >= 2"}, other={"when": "always"}))
    core.apply(click(T0), click(T0 + 1), click(T0 + 2, slot=1))
    before = core.judge
    core.adopt(made(other={"when": "always"}, newer={"when": "clicks >= 3"}), None, T0 + HOUR_MS)
    (change,) = core.rejudge([0, 1], T0 + HOUR_MS)
    assert (change.slot, change.trigger, change.segment) == (0, DEFINITION, REMOVED)
    assert before.segment_name(change.dimension, change.previous) == "in"
    assert [core.codes(slot) for slot in (0, 1)] == [[1, 0], [1, 0]]


def test_a_renamed_audience_keeps_its_id() -> None:
    """It is known by it in changes, conditions say its name, nobody gets a change, and an id is not used again."""
    core = Core(made(vip={"when": "clicks >= 2"}))
    core.apply(click(T0), click(T0 + 1))
    renamed = made(
        **{"very important": {"when": "clicks >= 2", "id": "vip"}, "we": {"when": "in audience very important"}}
    )
    core.adopt(renamed, None, T0 + HOUR_MS)
    (change,) = core.rejudge([0], T0 + HOUR_MS)
    assert [one.name for one in core.judge.definitions.dimensions] == ["audience:vip", "audience:we"]
    assert (change.dimension, core.codes()) == (1, [1, 1])
    assert core.judge.label(0, 1) == "very important"
    without, again = parse(made(we={"when": "always"})), parse(made(vip={"when": "orders >= 2"}))
    assert spent([parse(renamed)], without, again) == [("audience:vip", "in")]


def test_a_date_comes_and_goes_with_a_dwell() -> None:
    """Whoever was in stays in; since when is not known at first, so that no dwell and no cooldown holds then."""
    entry = {"when": "clicks in 1 day >= 1"}
    core = Core(made(busy=entry))
    core.apply(click(T0))
    core.adopt(made(busy={**entry, "dwell_days": 9}), None, T0 + HOUR_MS)
    core.rejudge([0], T0 + HOUR_MS)
    assert (core.codes(), core.since("audience:busy")) == ([1], 0)
    core.tick(T0 + 3 * DAY_MS)
    core.apply(click(T0 + 4 * DAY_MS))
    assert core.since("audience:busy") == T0 + 4 * DAY_MS
    core.adopt(made(busy=entry), None, T0 + 5 * DAY_MS - 1)
    core.rejudge([0], T0 + 5 * DAY_MS - 1)
    assert (core.codes(), core.since("audience:busy")) == ([1], 0)
    core.tick(T0 + 9 * DAY_MS)
    days = [T0, T0 + DAY_MS, T0 + 4 * DAY_MS, T0 + 5 * DAY_MS]
    assert core.history("audience:busy") == [("in", days[0]), (None, days[1]), ("in", days[2]), (None, days[3])]


def test_an_audience_is_explained_without_a_date() -> None:
    """The tree, the deadline and what keeps her in; no since; who is in is asked for `stay`."""
    core = Core(
        made(busy={"when": "clicks in 1 day >= 2", "stay": "clicks in 2 days >= 1"}, buyer={"when": "orders >= 1"})
    )
    core.apply(click(T0), click(T0 + 1))
    core.tick(T0 + 30 * HOUR_MS)
    found = explain(Subject("c0", T0 + 30 * HOUR_MS, core.rows[:1], core.judge))
    busy, buyer = (found["dimensions"][f"audience:{name}"] for name in ("busy", "buyer"))
    assert (busy["segment"], busy["since"], busy["dwells_until"]) == ("in", None, None)
    assert (busy["valid_until"], busy["next_if_silent"]) == (iso(T0 + 1 + 2 * DAY_MS), None)
    assert [(one["verdict"], one["asked"]) for one in busy["segments"]] == [("kept", "stay")]
    assert (
        busy["counterfactuals"][-1]["words"]
        == "a thing put into the cart before 2023-11-16 22:13 keeps audience `busy`"
    )
    assert (buyer["segment"], buyer["since"], buyer["valid_until"]) == (None, None, None)
    assert buyer["counterfactuals"][0]["words"] == "one more purchase of any size enters audience `buyer`"
    assert "audience busy: in it; if silent, it is left on" in told(found)


def test_a_last_change_and_a_membership_of_an_audience() -> None:
    """On the topic an audience is a dimension of one segment; only its membership has no date."""
    core = Core(made(busy={"when": "clicks in 1 day >= 1"}, held={"when": "clicks >= 1", "dwell_days": 1}))
    (change, _) = core.apply(click(T0))
    value = json.loads(ChangeWriter(core.judge, 0).write(Change(*change.tolist()), "c0", None))
    assert (value["dimension"], value["previous_segment"], value["segment"]) == ("audience:busy", None, "in")
    assert value["valid_until"] == iso(T0 + DAY_MS)
    (member,) = encode_memberships(core.rows, core.judge, ["c0"], *core.outlook())
    there = {"segment": "in", "valid_until": iso(T0 + DAY_MS), "next_if_silent": None}
    held = {"segment": "in", "since": iso(T0), "valid_until": None, "next_if_silent": None}
    assert json.loads(member)["segments"] == {"audience:busy": {**there, "since": None}, "audience:held": held}
    assert MembershipBytes(core.judge).write(core.rows, pack(["c0"]), *core.outlook()) == [member]
