"""The gallery: every document is right, and each of its segments has somebody in it on simulated customers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import events as e
from models.definitions.document import CLUSTER
from models.definitions.language import parse
from models.definitions.strings import attribute_value
from stream.codec.definitions import check, gallery_names, gallery_text, plain
from stream.simulate import events
from tests.core import Core, event

KINDS = {
    "behavioural", "rfm", "value", "needs", "intent", "engagement", "lifecycle", "demographic", "geographic",
    "firmographic", "technographic", "psychographic", "shipped",
}  # fmt: skip
SEED, CUSTOMERS, DAYS = 11, 120, 300  # some 44,000 events: every archetype several times
RETICENT = 10  # one customer in so many tells nothing: whom the simulator knows all of, and a shop does not


@cache
def course() -> tuple[NDArray[np.void], list[dict[str, Any]], list[str]]:
    """Simulated events as the kernel reads them, the attributes of the profiles among them, and categories."""
    slots: dict[str, int] = {}
    found, profiles, categories = [], list[dict[str, Any]](), list[str]()
    for one in events(SEED, CUSTOMERS, DAYS):
        payload, kind = one.payload, e.TOPICS.index(one.topic)
        slot = slots.setdefault(payload["customer_id"], len(slots))
        action = {e.CLICK: e.CLICK_ACTIONS, e.EMAIL: e.EMAIL_ACTIONS}.get(kind, (None,)).index(payload.get("action"))
        amount = round(payload.get("amount", 0) * e.MINOR_PER_MAJOR)
        if kind == e.PROFILE and slot % RETICENT == 0:
            continue
        if kind == e.PROFILE:
            profiles.append(payload["attributes"])
        attributes = len(profiles) - 1 if kind == e.PROFILE else -1
        machine = int(payload.get("machine_open", 0))
        found.append(event(one.ts_ms, kind, action, slot=slot, amount=amount, machine=machine, attributes=attributes))
        categories.append(payload.get("category", ""))
    return np.concatenate(found), profiles, categories


def played(name: str) -> Core:
    """A core with a document of the gallery after the course."""
    definitions = parse(plain(gallery_text(name)))
    happened, profiles, categories = course()
    happened = happened.copy()
    for k, category in enumerate(definitions.categories):
        happened["category"][np.array(categories) == category] = k + 1
    values = np.full((len(profiles), e.ATTRIBUTES_MAX), np.nan)
    for k, (attribute, kind) in enumerate(definitions.attributes):
        values[:, k] = [attribute_value(one.get(attribute), kind) for one in profiles]
    core = Core(definitions)
    core.apply(happened, attributes=values)
    core.tick(int(happened["ts_ms"].max()))
    return core


def test_there_is_one_of_each_kind() -> None:
    """The kinds of segmentation that people ask for, and the shipped document."""
    assert set(gallery_names()) == KINDS


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_document_of_the_gallery_is_right_and_populated(name: str) -> None:
    """No mistake in it, and each of its segments is entered by somebody."""
    assert check(gallery_text(name)) == []
    core = played(name)
    entered = {(int(one["dimension"]), int(one["segment"])) for one in core.changes}
    for d, dimension in enumerate(core.judge.definitions.dimensions):
        if dimension.kind != CLUSTER:
            empty = [s.name for code, s in enumerate(dimension.segments, 1) if (d, code) not in entered]
            assert not empty, f"nobody was ever in {dimension.name}: {empty}"
