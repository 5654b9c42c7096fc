"""What differs between two definitions, in words; which ids are spent; what the topic's records are."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.definitions.analysis.remarks import WARNING, remarks_on
from models.definitions.edits import edits, spent, touched
from models.definitions.language import DefinitionError, parse
from stream.cli import main
from stream.codec.definitions import plain, refusals, remarks, shipped_text
from stream.codec.enactments import APPLY, MESSAGE_MAX, Enactment, decode_record, encode_enactment
from stream.definitions.difference import Difference, sentence
from stream.worker.documents import DEFINITIONS_TOPIC, Documents
from tests.property.strategies import documents
from tests.property.test_untrusted_documents import Record

SHIPPED = plain(shipped_text())


def edited(**changed: Any) -> Any:
    """The shipped document with some segments of lifecycle changed, by name; None removes one."""
    document = copy.deepcopy(SHIPPED)
    segments = document["dimensions"]["lifecycle"]["segments"]
    for segment in list(segments):
        change = changed.get(segment["name"], {})
        if change is None:
            segments.remove(segment)
        else:
            segment.update(change)
    return document


def difference(old: Any, new: Any) -> Difference:
    """Between two documents."""
    return Difference(("old", parse(old).digest), ("new", parse(new).digest), old, new)


def test_a_threshold_is_told_with_before_and_after() -> None:
    """Of a long condition only the comparison that moved is named."""
    new = edited(active={"when": {"all": ["days_since_order < 45", "orders >= 2"]}})
    newer = edited(active={"when": {"all": ["days_since_order < 60", "orders >= 2"]}})
    (edit,) = edits(new, newer)
    assert sentence(edit) == "active: enters when days_since_order < 60 (was 45)"
    assert touched(newer, [edit]) == ["lifecycle"]


def with_audiences(**audiences: Any) -> Any:
    """The shipped document with some audiences."""
    return {**copy.deepcopy(SHIPPED), "audiences": audiences}


def test_audiences_are_told_by_their_conditions() -> None:
    """What is added, changed, removed, renamed with an id and without; an audience that asks for one that moved."""
    vip, asking = {"when": "spend >= 500"}, {"when": "in audience big"}
    old = with_audiences(vip=vip, fresh={"when": "orders >= 1"}, idle={"when": "no click for 9 days"})
    moved = {"when": "spend >= 900", "id": "vip"}
    new = with_audiences(big=moved, idle={**old["audiences"]["idle"], "dwell_days": 2}, first={"when": "orders >= 1"})
    new["audiences"]["asking"] = asking
    found = difference(old, new)
    assert [(edit.dimension, sentence(edit)) for edit in found.edits] == [
        ("audience:vip", "enters when spend >= 900 (was 500)"),
        ("audience:vip", "is now called 'big', was 'vip': the id stays, nobody gets a change"),
        ("audience:idle", "least days in it 2 (said nothing before)"),
        ("audience:first", "was called audience:fresh: to subscribers one dimension ends and another begins"),
        ("audience:asking", "added, enters when in audience big"),
    ]
    assert found.hints() == ["give 'first' the `id: fresh`: then its customers stay"]
    assert found.touched == ["audience:vip", "audience:idle", "audience:first", "audience:asking"]
    assert sentence(difference(new, SHIPPED).edits[0]).startswith("removed (enters when spend >= 900): everybody in it")


def test_what_comes_and_goes_is_named() -> None:
    """Segments and dimensions, added and removed, an order, a dwell, a cut, and who leaves."""
    new = edited(returned=None, new={"dwell_days": 3})
    del new["dimensions"]["value"]
    new["dimensions"]["lifecycle"]["segments"].append({"name": "lost", "when": "always"})
    new["cuts"]["recency_days"] = [10, 33, 72, 180]
    text = difference(SHIPPED, new).text()
    for words in (
        "cuts.recency_days [10, 33, 72, 180] (was [14, 33, 72, 180])",
        "new: least days in it 3 (said nothing before)",
        "returned: removed (it enters when",
        "lost: added, enters when always",
        "value\n  removed (segments top, high, medium, low, none)",
        "Everybody leaves: value.",
        "Nobody moves in: engagement, intent, behaviour.",
    ):
        assert words in text
    assert set(difference(SHIPPED, new).touched) >= {"lifecycle", "rfm"}


def test_an_unnamed_rename_is_asked_about_and_an_id_settles_it() -> None:
    """The same condition under another name looks like a rename; with the id it is one, and nobody moves."""
    renamed = edited(dormant={"name": "asleep"})
    assert "give it `id: dormant`" in difference(SHIPPED, renamed).hints()[0]
    kept = edited(dormant={"name": "asleep", "id": "dormant"})
    found = difference(SHIPPED, kept)
    assert [sentence(one) for one in found.edits] == [
        "dormant: is now called 'asleep', was 'dormant': the id stays, nobody gets a change"
    ]
    assert (found.hints(), found.touched) == ([], [])


def test_a_dimension_under_another_name_is_told_so() -> None:
    """A dimension is known by its name: to subscribers one ends and another begins."""
    new = copy.deepcopy(SHIPPED)
    new["dimensions"]["interest"] = new["dimensions"].pop("intent")
    (edit,) = edits(SHIPPED, new)
    assert sentence(edit) == "was called intent: to subscribers one dimension ends and another begins"
    assert difference(SHIPPED, new).effect()[2] == "Everybody leaves: intent."


@given(documents(), documents())
def test_differences_are_whole(old: Any, new: Any) -> None:
    """Equal documents have none, others have some; every edit can be said in words, and every form holds it."""
    assert not edits(old, old)
    found = difference(old, new)
    assert bool(found.edits) == (old != new)
    assert all(sentence(one) in found.text() and sentence(one) in found.markdown() for one in found.edits)
    assert [one["words"] for one in found.values()["edits"]] == [sentence(one) for one in found.edits]
    orjson.dumps(found.values())


def test_an_id_that_retired_is_not_given_again() -> None:
    """To nobody else; going back to a document that was in force is no new use."""
    without = edited(dormant=None)
    again = edited(dormant={"when": "orders >= 1"})
    first, second, third = parse(SHIPPED), parse(without), parse(again)
    assert spent([first, second], second, third) == [("lifecycle", "dormant")]
    assert spent([first, second], second, first) == []
    assert spent([first], first, third) == []  # it lives: edited, not given to another


def test_in_force_is_what_was_enacted_last() -> None:
    """Of what is there and can be judged by; a worker's own file only when it is new."""
    own, first, second = (parse({**SHIPPED, "name": name}) for name in ("own", "first", "second"))
    known = Documents(own)
    assert known.definitions == own
    assert known.enacts_own(chosen=False)
    enacts = [Record(encode_enactment(Enactment(one.digest, 1, APPLY))[1]) for one in (first, second, first)]
    assert known.add(DEFINITIONS_TOPIC, enacts[:2]) == 0
    assert known.definitions == own
    for one in ("first", "second"):
        known.add(DEFINITIONS_TOPIC, [Record(orjson.dumps({**SHIPPED, "name": one}))])
    assert known.definitions == second
    known.add(DEFINITIONS_TOPIC, enacts[2:])
    assert known.definitions == first
    assert known.enacts_own(chosen=True)
    assert not known.enacts_own(chosen=False)
    returned = Documents(second)
    returned.add(DEFINITIONS_TOPIC, enacts)
    assert not returned.enacts_own(chosen=True)


@given(st.integers(0, 2**53), st.text(max_size=MESSAGE_MAX))
def test_an_enactment_survives_its_record(at_ms: int, message: str) -> None:
    """What is written is read."""
    made = Enactment("0123456789abcdef", at_ms, APPLY, message)
    assert decode_record(encode_enactment(made)[1]) == made


@pytest.mark.parametrize(
    "value",
    [
        {"enacts": "0123"},
        {"enacts": "0123456789abcdef", "at": -1, "by": APPLY, "message": ""},
        {"enacts": "0123456789abcdef", "at": 1, "by": "somebody", "message": ""},
        {"enacts": "0123456789abcdef", "at": 1, "by": APPLY, "message": "x" * (MESSAGE_MAX + 1)},
        {"enacts": "0123456789abcdef", "at": 1, "by": APPLY},
        ["enacts"],
    ],
)
def test_what_is_no_enactment_is_refused(value: Any) -> None:
    """Whoever may write there can name a version and nothing else."""
    with pytest.raises((ValueError, DefinitionError)):
        decode_record(orjson.dumps(value))


def test_a_faulty_file_is_refused_before_anything_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and the place of the mistake; no broker is there to be asked."""
    path = tmp_path / "segments.yaml"
    path.write_text(shipped_text().replace("days_since_order", "days_since_ordr"), "utf-8")
    assert main(["definitions", "apply", str(path), "--brokers", "nowhere:1"]) == 1
    assert "did you mean 'days_since_order'?" in capsys.readouterr().err


def test_what_is_proved_to_be_an_error_is_refused_like_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A segment that nobody can enter: exit code 1 with its line, before any broker is asked; a warning is none."""
    path = tmp_path / "segments.yaml"
    lines = shipped_text().replace("when: orders == 0", "when: always", 1).splitlines()
    path.write_text("\n".join(lines), "utf-8")
    assert main(["definitions", "apply", str(path), "--brokers", "nowhere:1"]) == 1
    said = capsys.readouterr().err
    assert "nobody can enter" in said
    line = int(said.removeprefix(f"{path}:").split(":")[0])
    assert "name: " in lines[line - 1]
    warned = shipped_text().replace("when: orders == 0", "when: {all: [orders == 0, orders >= 0]}", 1)
    assert [one.level for one in remarks(warned)] == [WARNING]
    assert refusals(warned) == []


def test_what_was_adopted_once_is_still_read() -> None:
    """Stricter rules are for files: a journal may name a document of before, and a recovery must execute it."""
    segments = [{"name": "all", "when": "always"}, {"name": "none", "when": 'profile.plan == "pro'}]
    document = {**SHIPPED, "attributes": {"plan": "string"}, "dimensions": {"plan": {"segments": segments}}}
    assert [one.rule for one in remarks_on(parse(document, recorded=True))] == ["shadowed"]
    with pytest.raises(DefinitionError, match="has a quote without its partner"):
        parse(document)
    known = Documents(parse(SHIPPED))
    digest = parse(document, recorded=True).digest
    record = Record(encode_enactment(Enactment(digest, 1, APPLY))[1])
    assert known.add(DEFINITIONS_TOPIC, [Record(orjson.dumps(document)), record]) == 0
    assert known.definitions.digest == digest


def test_a_difference_of_files_is_printed_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    """As text, as JSON for programs, and as Markdown."""
    said = []
    for form in ("text", "json", "markdown"):
        assert main(["definitions", "diff", "shipped", "shipped", "--format", form]) == 0
        said.append(capsys.readouterr().out)
    assert all("The same document: nobody is judged anew." in one for one in said)
    assert orjson.loads(said[1])["edits"] == []
