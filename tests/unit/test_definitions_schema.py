"""The JSON Schema of definitions files: what the parser accepts it accepts, and the limits are the parser's."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from models.cases.language import parse_cases
from models.definitions.comparison import FORMS
from models.definitions.language import DefinitionError, parse
from models.definitions.schema import schema
from stream.cli import main
from stream.codec.definitions import CASES_SUFFIX, gallery_names, gallery_text, plain
from tests.core import document, segments
from tests.house.tree import REPO
from tests.unit.test_cases import CASE, FAULTS, OWN

FILES = sorted([*(REPO / "examples").glob("*.yaml"), *(REPO / "models" / "definitions" / "gallery").glob("*.yaml")])
# What hangs on names that the document declares, on a calendar or on sums is beyond a shape.
BEYOND = (
    "is no time", "lies ", "more happened", "of an e-mail", "must be an amount",
    "did you mean 'visits'", "did you mean 'stale'", "mean 'country'",
)  # fmt: skip
EXTRA = "zzqx"  # near no name


@cache
def validator() -> Any:
    """The schema, itself checked against its dialect."""
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def is_valid(written: Any) -> bool:
    """Whether the schema accepts plain values."""
    return bool(validator().is_valid(written))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_our_own_files_are_valid(file: Path) -> None:
    """The gallery with the cases beside it, and the examples."""
    written = plain(file.read_text("utf-8"))
    if file.name.endswith(CASES_SUFFIX):
        written = {**plain(gallery_text(file.name.removesuffix(CASES_SUFFIX))), **written}
    assert [error.message for error in validator().iter_errors(written)] == []
    assert set(gallery_names()) <= {one.name.removesuffix(".yaml") for one in FILES}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_comparison_is_valid(form: str) -> None:
    """As the parser reads them, with white space around them."""
    written = document({"d": segments(("a", f" {form} "))}, attributes={"country": "string"}, categories=["shoes"])
    assert is_valid(written)


def test_a_whole_case_is_valid() -> None:
    """Every key that a case may have."""
    assert is_valid({**OWN, "tests": [CASE]})


WRONG: list[tuple[list[Any], Any]] = [
    (["version"], 2),
    (["name"], "Shop"),
    (["attributes"], {"country": "text"}),
    (["attributes"], {f"a{i}": "number" for i in range(9)}),
    (["cuts", "orders"], [1, 2, 3]),
    (["cuts", "orders"], [1, 2, 3, -4]),
    (["dimensions"], {}),
    (["dimensions"], {f"d{i}": OWN["dimensions"]["buyer"] for i in range(17)}),
    (["dimensions", "visits", "segments"], []),
    (["dimensions", "visits", "dwell_days"], 366),
    (["dimensions", "visits", "segments", 0, "when"], "days_since_clik < 7"),
    (["dimensions", "visits", "segments", 0, "when"], "days_since_click ~ 7"),
    (["dimensions", "visits", "segments", 0, "when"], {"all": []}),
    (["dimensions", "visits", "segments", 0, "when"], {"all": ["always"], "any": ["always"]}),
    (["dimensions", "visits", "segments", 0, "stay"], 7),
    (["dimensions", "like", "margin"], 1),
    (["dimensions", "like", "kind"], "clusters"),
    (["budget"], "vip.share <= 10%"),
]


@pytest.mark.parametrize(("place", "wrong"), WRONG, ids=str)
def test_a_mistake_of_the_shape_is_refused_by_both(place: list[Any], wrong: Any) -> None:
    """An editor marks what the parser would refuse."""
    written = copy.deepcopy(OWN)
    inside = written
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = wrong
    assert not is_valid(written)
    with pytest.raises(DefinitionError):
        parse(written)


@pytest.mark.parametrize(("place", "faulty", "path", "words"), FAULTS, ids=lambda one: str(one)[:40])
def test_most_faulty_cases_are_refused(place: list[Any], faulty: Any, path: str, words: str) -> None:
    """All but those that hang on what the definitions declare, on times and on sums."""
    written: Any = {**copy.deepcopy(OWN), "tests": [copy.deepcopy(CASE)]}
    inside = written
    for key in ["tests", 0, *place][:-1]:
        inside = inside[key]
    inside[(["tests", 0, *place])[-1]] = faulty
    assert path
    assert not is_valid(written) or words.startswith(BEYOND)


def objects(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of every mapping of a document whose keys the schema names."""
    found = []
    if isinstance(node, dict):
        found += [place] + [one for key, inner in node.items() for one in objects(inner, (*place, key))]
    elif isinstance(node, list):
        found += [one for i, inner in enumerate(node) for one in objects(inner, (*place, i))]
    return found


def test_an_unknown_key_is_refused_wherever_the_parser_refuses_it() -> None:
    """And the names that the parser then lists are those that the schema has there."""
    whole = {**OWN, "budget": [], "tests": [{**CASE, "cuts": OWN["cuts"]}]}
    named = {frozenset(node["properties"]) for node in nodes(schema()) if isinstance(node.get("properties"), dict)}
    named.add(frozenset(("all", "any", "not")))  # three alternatives of one key each
    checked = 0
    for place in objects(whole):
        written: Any = copy.deepcopy(whole)
        inside = written
        for key in place:
            inside = inside[key]
        inside[EXTRA] = "always"
        try:
            parse_cases(written["tests"], parse(written))
        except DefinitionError as refused:
            known = re.search("is not known here; known: (.*)$", refused.problem)
            if known is not None and "profile" not in place:  # whose names are those that the document declares
                assert not is_valid(written), place
                assert frozenset(known[1].split(", ")) in named
                checked += 1
    assert checked >= 10


def nodes(node: Any) -> list[dict[str, Any]]:
    """Every mapping of the schema."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return ([node] if isinstance(node, dict) else []) + [one for each in inner for one in nodes(each)]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as the page of the reference."""
    assert main(["definitions", "schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == schema()
    assert printed == (REPO / "docs" / "reference" / "segments.schema.json").read_text("utf-8")
