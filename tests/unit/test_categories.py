"""Categories: the newest click on each that is declared, from the record's bytes into the row, and over adoptions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.cases.language import parse_cases
from models.cases.play import play
from models.customers.places import numbers
from models.customers.row import CATEGORIES_MAX, CATEGORY_TIMES, DAY_MS
from models.definitions.language import DefinitionError, parse
from models.events import CLICK
from stream.backtest.directory import Directory
from stream.backtest.fitted import Shape
from stream.backtest.fitting import Fitter
from stream.codec import state
from stream.codec.block import Record, block_of
from stream.codec.events import category_places, decode
from tests.core import HOUR_MS, T0, Core, click, document, segments

NAMES = ["shoes", "garden tools"]
SHOES, GARDEN = 1, 2


def made(*names: str, when: str = "clicks on shoes in 1 day >= 1") -> dict[str, Any]:
    """A document with one segment that asks of a category."""
    return document({"d": segments(("s", when))}, categories=list(names))


def kept(core: Core) -> list[int]:
    """The category times of the first customer."""
    return [int(t) for t in numbers(core.rows[0], CATEGORY_TIMES, CATEGORIES_MAX)]


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        ("shoes", "list of names"),
        ([""], "list of names"),
        (["a'b"], "list of names"),
        (["x" * 41], "list of names"),
        ([3], "list of names"),
        ([f"c{i}" for i in range(9)], "a row keeps 8"),
        (["shoes", "shoes"], "there twice"),
    ],
    ids=str,
)
def test_a_faulty_list_of_categories_is_refused(categories: Any, words: str) -> None:
    """Names that a click can carry and a condition can write."""
    with pytest.raises(DefinitionError, match=words):
        parse({**made("shoes"), "categories": categories})


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("clicks on shoes in 1 day >= 2", "only >= 1 and == 0"),
        ("clicks on shoes >= 1", "need a window"),
        ("clicks on shoos in 1 day >= 1", "did you mean 'shoes'"),
        ("days_since_order on shoes < 1", "the newest click, and nothing for"),
        ("orders on shoes in 1 day >= 1", "the newest click, and nothing for"),
        ("no order on shoes for 1 day", "the newest click, and nothing for"),
        ("profile.age on shoes >= 1", "knows no categories"),
    ],
)
def test_what_a_row_does_not_keep_of_a_category_is_refused(when: str, words: str) -> None:
    """Of a category there is the newest click and nothing else."""
    with pytest.raises(DefinitionError, match=words):
        parse(made("shoes", when=when))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("clicks on shoes in 1 day >= 1", "days_since_click on shoes < 1"),
        ("clicks on 'garden tools' in 2 hours > 0", 'days_since_click on "garden tools" < 2 hours'),
        ("clicks on shoes in 7 days == 0", "no click on shoes for 7 days"),
    ],
)
def test_clicks_on_a_category_are_times_since_one(written: str, meant: str) -> None:
    """At least one in a window is a newest one younger than the window."""
    both = [parse(made(*NAMES, when=when)).dimensions for when in (written, meant)]
    assert both[0] == both[1]


def test_a_click_on_a_category_counts_to_the_millisecond() -> None:
    """It lets in, and its age lets out; another category does neither."""
    core = Core(made(*NAMES))
    core.apply(click(T0, category=GARDEN))
    assert core.segment("d") is None
    core.apply(click(T0 + HOUR_MS, category=SHOES), click(T0 + 2 * HOUR_MS))
    core.apply(click(T0 + HOUR_MS // 2, category=SHOES))  # late: the newest stays
    assert kept(core)[:3] == [T0 + HOUR_MS, T0, 0]
    until = T0 + HOUR_MS + DAY_MS
    core.tick(until + DAY_MS)
    assert core.history("d") == [("s", T0 + HOUR_MS), (None, until)]


def test_categories_keep_their_clicks_over_an_adoption() -> None:
    """In another order they are the same; one that is gone is forgotten, and a new one knows nothing."""
    core = Core(made(*NAMES))
    core.apply(click(T0, category=SHOES), click(T0 + 1, category=GARDEN))
    core.adopt(made("hats", "garden tools", "shoes"), None, T0 + 2)
    core.rejudge([0], T0 + 2)
    assert kept(core)[:4] == [0, T0 + 1, T0, 0]
    core.adopt(made("shoes"), None, T0 + 3)
    core.rejudge([0], T0 + 3)
    assert kept(core)[:3] == [T0, 0, 0]


def test_a_new_category_warms_as_long_as_it_is_asked_for() -> None:
    """Until the longest span of its conditions after its adoption; others and a model change nothing of it."""
    core = Core(made("shoes"))
    core.apply(click(T0, category=SHOES))
    core.adopt(made("shoes", "hats", when="no click on hats for 14 days"), None, T0)
    until = {"hats": T0 + 14 * DAY_MS}
    assert core.engine.warming == until
    core.adopt(None, None, T0 + DAY_MS)
    assert core.engine.warming == until
    core.adopt(made("shoes", "hats"), None, T0 + 20 * DAY_MS)
    assert core.engine.warming == {}


def columns(*fields: str) -> Any:
    """Decoded clicks with these further fields, as JSON."""
    head = f'"event_id":"e","customer_id":"c","ts":{T0},"action":"view"'
    values = [f"{{{head},{field}}}".encode() for field in fields]
    return decode(CLICK, block_of([Record(i, b"c", value, T0) for i, value in enumerate(values)]))


def test_a_category_is_read_alike_by_both_readers() -> None:
    """As a plain text, with escapes, beside what only the slow reader takes; and what is no text is none."""
    found = columns(
        '"category":"shoes"', '"category": "shoes" ,"a":[]', '"category":"\\u0073hoes"', '"category":"garden tools"',
        '"category":"hats"', '"category":""', '"category":null', '"category":7', '"category":["shoes"]',
        '"category":"sh\\u00f6es"', '"category":{"a":"shoes"}', '"page":"shoes"',
    )  # fmt: skip
    assert found.refused == []
    assert category_places(found.rows["category"], NAMES).tolist() == [1, 1, 1, 2, *[0] * 8]


def test_a_backtest_reads_the_same_categories() -> None:
    """Of columns in files, and of what the codec decoded."""
    texts = ["shoes", "garden tools", None, "hats"]
    fields = {"event_id": ["a", "b", "c", "d"], "customer_id": ["c"] * 4, "ts": [T0] * 4, "action": ["view"] * 4}
    batch = {name: pa.array(values) for name, values in {**fields, "category": texts}.items()}
    fitter = Fitter(Shape(categories=tuple(NAMES)), Directory(1), T0)
    assert fitter.fit(batch, np.arange(4), "clicks")["category"].tolist() == [1, 2, 0, 0]
    decoded = columns(*(f'"category":{json.dumps(text)}' for text in texts))
    assert fitter.fit_decoded(decoded, np.arange(4))["category"].tolist() == [1, 2, 0, 0]


def test_a_marker_without_warming_is_one_without_categories() -> None:
    """Checkpoints from before there were any can be read."""
    fields = [2, "f", 1, 1, {}, 0, [0], 0, "d", "", "d", "", 0, 0, 0, 0, 0, 0, 0]
    before = state.encode(state.Marker(*fields))  # type: ignore[arg-type]  # in the order of the fields
    whole = state.decode_marker(before)
    whole.warming = {"hats": T0}
    assert state.decode_marker(before).warming == {}
    assert state.decode_marker(state.encode(whole)).warming == {"hats": T0}


def test_a_case_can_give_a_click_on_a_category() -> None:
    """Cases beside definitions speak of categories as conditions do."""
    definitions = parse(made(*NAMES))
    case: dict[str, Any] = {"name": "looks", "given": [{"at": "-2 hours", "click": "view", "category": "shoes"}]}
    case["expect"] = {"segments": {"d": "s"}, "deadlines": {"d": {"valid_until": "22 hours"}}}
    (read,) = parse_cases([case], definitions)
    assert read.given[0].category == SHOES
    assert int(play(read).changes[-1]["segment"]) == 1
    with pytest.raises(DefinitionError, match="not declared"):
        parse_cases([{**case, "given": [{"at": "-2 hours", "click": "view", "category": "hats"}]}], definitions)
