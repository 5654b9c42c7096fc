"""Audiences: in or out, written shorter than a dimension; a dwell holds them in, a cooldown out."""

from __future__ import annotations

from typing import Any

import pytest

from models.customers.row import DAY_MS, DIMENSIONS_MAX
from models.definitions.language import DefinitionError, parse
from tests.core import CUTS, HOUR_MS, T0, Core, click, document, segments


def made(**audiences: Any) -> dict[str, Any]:
    """A document with nothing but audiences."""
    return {"version": 1, "name": "test", "cuts": CUTS, "audiences": audiences}


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
        ("audiences", made(), "must be 1 to 16"),
        ("audiences", {**made(), "audiences": []}, "must be a mapping"),
        ("audiences", made(**{f"a{i}": {"when": "always"} for i in range(DIMENSIONS_MAX + 1)}), "there are 17"),
        ("audiences", made(Vip={"when": "always"}), "no name"),
        ("audiences.vip", made(vip={}), "has no when"),
        ("audiences.vip", made(vip="always"), "must be a mapping"),
        ("audiences.vip.when", made(vip={"when": "ordrs >= 1"}), "did you mean 'orders'"),
        ("audiences.vip.segments", made(vip={"when": "always", "segments": []}), "not known here"),
        ("audiences.vip.cooldown_days", made(vip={"when": "always", "cooldown_days": -1}), "from 0"),
        ("audiences.vip.when", made(vip={"when": "in audience vap"}), "did you mean 'vip'"),
        ("audiences.vip", made(vip={"when": "not in audience vip"}), "hangs on itself"),
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
