"""`definitions check` tells of every mistake that can be told apart, each once, and of nothing that follows from it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from models.definitions.language import DefinitionError, mistakes, parse
from stream.codec.definitions import check, plain, shipped_text

SHIPPED = plain(shipped_text())
WRONG = """\
version: 1
name: Shop
cuts: {recency_days: [14, 33, 72, 180], orders: [1, 2, 3, 5], spend: [250, 500, 950, 2100], value: [670, 2050, 5800]}
dimensions:
  lifecycle:
    segments:
      - name: new
        when: days_since_order < 2 dayz
      - name: active
        wen: orders >= 1
        when:
          all: [ordrs >= 3, orders >= 1, no clik for 3 days]
  value:
    segments:
      - {name: high, when: spend >= x}
      - {name: rest, when: dimension lifecycle is active}
"""


def test_every_mistake_is_told_in_the_order_of_the_text() -> None:
    """Of the top, of each segment and of each condition; what names a wrong segment is not wrong itself."""
    found = check(WRONG)
    assert [(one.line, one.path) for one in found] == [
        (2, "name"),
        (8, "dimensions.lifecycle.segments[0].when"),
        (10, "dimensions.lifecycle.segments[1].wen"),
        (12, "dimensions.lifecycle.segments[1].when.all[0]"),
        (12, "dimensions.lifecycle.segments[1].when.all[2]"),
        (15, "dimensions.value.segments[0].when"),
    ]


def test_each_alone_is_what_reading_stops_at() -> None:
    """Several mistakes in one document are those that it has one at a time: gathering changes no answer."""
    edits: dict[str, Callable[[Any], object]] = {
        "name": lambda one: one.update(name="Shop"),
        "cuts": lambda one: one.pop("cuts"),
        "dimensions.lifecycle.segments[0].when": lambda one: _first(one, "lifecycle").update(when="ordrs >= 1"),
        "dimensions.rfm.segments[0].name": lambda one: _first(one, "rfm").update(name="A B C !"),
    }
    whole = copy.deepcopy(SHIPPED)
    for path, edit in edits.items():
        alone = copy.deepcopy(SHIPPED)
        edit(alone)
        edit(whole)
        with pytest.raises(DefinitionError) as caught:
            parse(alone)
        assert [(one.path, one.problem) for one in mistakes(alone)] == [(caught.value.path, caught.value.problem)]
        assert caught.value.path == path
    assert {one.path for one in mistakes(whole)} == set(edits)
    assert mistakes(SHIPPED) == []


def _first(document: Any, dimension: str) -> Any:
    return document["dimensions"][dimension]["segments"][0]


@pytest.mark.parametrize("condition", ["clicks in 30 dayz >= 3", "days_since_order < 2 dayz", "no click for 3 das"])
def test_a_unit_that_is_nearly_one_is_told(condition: str) -> None:
    """As for every other word."""
    (one,) = check(WRONG[: WRONG.index("dimensions")].replace("Shop", "shop") + _dimension(condition))
    assert "did you mean days?" in one.problem


def _dimension(condition: str) -> str:
    return f"dimensions: {{one: {{segments: [{{name: a, when: {condition!r}}}]}}}}\n"


def test_what_is_missing_is_shown() -> None:
    """Without cut points: what they look like. The example is one that is taken."""
    text = "version: 1\n" + _dimension("orders >= 1")
    (one,) = check(text)
    assert one.path == "cuts"
    before, example = one.problem.split(", for example ")
    assert before == "is missing"
    assert check(f"{text}cuts: {example}\n") == []


def test_a_key_that_is_there_twice_is_named_and_not_shown() -> None:
    """Its two values may be pages long."""
    (one,) = check("version: 1\ndimensions: {a: 1}\ndimensions: {b: 2}\n")
    assert (one.line, one.problem) == (3, 'not YAML: the key "dimensions" is there twice')
