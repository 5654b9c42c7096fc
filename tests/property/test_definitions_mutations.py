"""Documents gone wrong anywhere are refused as DefinitionError, or work: nothing else happens."""

from __future__ import annotations

import copy
import math
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from models.definitions.analysis.remarks import LEVELS, remarks_on
from models.definitions.compile import STACK_MAX, compile_plan
from models.definitions.language import DefinitionError, digest, mistakes, parse
from models.definitions.schema import schema
from models.engine import judge_of
from tests.core import T0, Core, click, order, shipped_document
from tests.property.strategies import documents

SCHEMA = jsonschema.Draft202012Validator(schema())
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just(math.nan),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    st.tuples(st.integers(), st.text(max_size=3)), st.dates(), st.binary(max_size=4),
    st.dictionaries(st.integers(), st.none(), max_size=2),
)  # fmt: skip
SCRAPS = st.text(alphabet="<>=! .0123456789abcdefinprstuvw_'\"\n-", max_size=12)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to everything inside a document."""
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, inner in entries for place in places(inner, (*path, key))]


def container(document: Any, place: tuple[Any, ...]) -> Any:
    """The mapping or list that a path ends in."""
    for key in place[:-1]:
        document = document[key]
    return document


def mutate(data: st.DataObject, document: Any) -> None:
    """One change to a document: something removed, replaced, renamed, or a piece of text spoilt."""
    place = data.draw(st.sampled_from(places(document)))
    inside, key = container(document, place), place[-1]
    kind = data.draw(st.sampled_from(["remove", "replace", "rename", "spoil", "copy"]))
    if kind == "remove":
        del inside[key]
    elif kind == "rename" and isinstance(inside, dict):
        inside[data.draw(st.one_of(SCRAPS, ODD.filter(lambda odd: isinstance(odd, str | int | tuple))))] = inside.pop(
            key
        )
    elif kind == "spoil" and isinstance(inside[key], str):
        at = data.draw(st.integers(0, len(inside[key])))
        inside[key] = inside[key][:at] + data.draw(SCRAPS) + inside[key][data.draw(st.integers(at, len(inside[key]))) :]
    elif kind == "copy":
        inside[key] = copy.deepcopy(container(document, data.draw(st.sampled_from(places(document)))))
    else:
        inside[key] = data.draw(ODD)


def check(document: Any) -> bool:
    """Whether a document is accepted; what is accepted must compile and judge, what is not have a reason.

    What is accepted the schema accepts too. What is refused has mistakes when all are gathered, and nothing else has.
    """
    gathered = mistakes(document)
    try:
        definitions = parse(document)
    except DefinitionError as refused:
        assert gathered
        return not all(one.problem for one in (refused, *gathered))
    assert not gathered
    assert definitions.digest == parse(copy.deepcopy(document)).digest
    assert SCHEMA.is_valid(document)
    core = Core(definitions)
    core.apply(click(T0), order(T0 + 1))
    core.tick(T0 + 10**10)
    return True


@settings(max_examples=400)
@given(st.data())
def test_a_spoilt_document_is_refused_or_works(data: st.DataObject) -> None:
    """The shipped document mutated: refused with a reason, or fit to judge by; never a crash."""
    document = shipped_document()
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(data, document)
    check(document)


@settings(max_examples=150)
@given(ODD)
def test_what_is_no_document_is_refused(value: Any) -> None:
    """Anything else that YAML can hold is refused."""
    assert not check(value)


@settings(max_examples=150)
@given(st.data())
def test_a_spoilt_condition_is_refused_or_works(data: st.DataObject) -> None:
    """Text that is nearly a comparison is refused, or read as one."""
    document = data.draw(documents())
    for place in places(document):
        if place[-1] in ("when", "stay") and data.draw(st.booleans()):
            container(document, place)[place[-1]] = data.draw(
                st.one_of(SCRAPS, SCRAPS.map(lambda text: "orders " + text))
            )
    if check(document):
        assert all(one.level in LEVELS and one.problem for one in remarks_on(parse(document), steps=100))


@settings(max_examples=100)
@given(documents())
def test_a_legal_document_is_read_the_same_again(document: dict[str, Any]) -> None:
    """Legal documents are accepted; read twice they are equal, and their code fits the kernel's stack."""
    definitions = parse(document)
    assert definitions == parse(copy.deepcopy(document))
    assert definitions.digest == digest(document)
    plan, terms = compile_plan(definitions)
    assert len(terms) <= len(plan.code)
    assert int(plan.code.max()) < max(len(terms), 1)
    for segment in plan.segments:
        for start, end in (segment["enter"], segment["stay"]):
            assert depth(plan.code[start:end]) <= STACK_MAX
    assert judge_of(definitions, None).rules.model[0]["cluster_count"] == 0


def depth(code: Any) -> int:
    """The highest the stack gets while the postfix code is evaluated."""
    height = most = 0
    for operator in code:
        height += 1 if operator >= 0 or operator == -4 else 0 if operator == -3 else -1
        most = max(most, height)
    return most
