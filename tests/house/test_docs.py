"""The documents cannot drift: what they show is run, parsed, resolved, or compared with the program."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from models.events import TOPICS
from stream.cli import main
from stream.cli.commands import app_of
from stream.codec.block import block_of
from stream.codec.definitions import check, load
from stream.codec.enactments import decode_record
from stream.codec.events import REASONS, decode
from stream.codec.journal import Adopt, Batch, Position
from stream.metrics.catalogue import CATALOGUE, HEALTH
from stream.settings import Settings, variables
from stream.worker.replica import Replica, Rule
from tests.house.tables import REASON_MEANINGS, TABLES, rewritten
from tests.house.tree import PACKAGES, REPO, sources

GENERATED = REPO / "docs" / "reference"
PAGES = sorted(
    page
    for page in [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "examples").rglob("*.md")]
    if GENERATED not in page.parents
)
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
ADVICE = re.compile(r"docs/operations\.md, '(?P<heading>[^']+)'")
PATH = re.compile(r"`(?P<path>(?:models|stream|tests|docs|examples|deploy)/[\w./-]+)`")
VARIABLE = re.compile(r"SEGSTREAM_[A-Z_]*[A-Z]")
METRIC = re.compile(r"`(segstream_[a-z_]+)`")
MAKE_TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
ASSIGNMENT = re.compile(r"SEGSTREAM_\w+=\S+")
MAIN_PROGRAMS = ("segstream", ".venv/bin/segstream")
OTHER_PROGRAMS = ("docker",)  # cannot be run here; `tests/house/test_deploy.py` looks at their files


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str


def blocks(*languages: str) -> list[Any]:
    """Every block in one of the languages, with an id that says where it is."""
    found = []
    for page in PAGES:
        text, name = page.read_text("utf-8"), str(page.relative_to(REPO))
        for match in FENCE.finditer(text):
            if match["language"] in languages:
                line = 1 + text.count("\n", 0, match.start())
                found.append(pytest.param(Block(name, line, match["language"], _dedented(match)), id=f"{name}:{line}"))
    return found


def _dedented(match: re.Match[str]) -> str:
    width = len(match["indent"])
    return "".join(line[width:] if line.strip() else line for line in match["text"].splitlines(keepends=True))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    return {
        re.sub(r"[^\w\- ]", "", match["text"].lower()).replace(" ", "-")
        for match in HEADING.finditer(page.read_text("utf-8"))
    }


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block: Block) -> None:
    """Every block is executed as a module; one that needs a broker keeps that for `__main__`."""
    exec(compile(block.text, f"{block.page}:{block.line}", "exec"), {"__name__": "documents"})  # noqa: S102 - our text


@pytest.mark.parametrize("block", blocks("json"))
def test_json_parses(block: Block) -> None:
    """What is shown as JSON is JSON."""
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_definitions_in_pages_are_right(block: Block) -> None:
    """A reader copies them."""
    assert "dimensions:" not in block.text or check(block.text) == []


@pytest.mark.parametrize("file", sorted((REPO / "examples").glob("*.yaml")), ids=lambda file: file.name)
def test_example_definitions_are_right(file: Path) -> None:
    """As above, for whole files."""
    assert check(file.read_text("utf-8")) == []


SECRET_FILES = {f"{name}_FILE": name for name in variables() if f"{name}_FILE" in variables()}


@pytest.mark.parametrize("block", blocks("sh"))
def test_commands_exist_with_these_flags(block: Block) -> None:
    """Nothing is started: the program parses each line, the Makefile has the target."""
    exported: dict[str, str] = {}
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:  # together they are settings that would be taken; a secret's file need not be here
            exported |= dict(word.split("=", 1) for word in words[1:])
            assert set(exported) <= variables()
            continue
        while words and ASSIGNMENT.fullmatch(words[0]):
            Settings.load(dict([words.pop(0).split("=", 1)]))
        if not words:
            continue
        if words[0] == "make":
            makefile = (REPO / "Makefile").read_text("utf-8")
            assert {word for word in words[1:] if "=" not in word} <= set(MAKE_TARGET.findall(makefile))
            assert all(f"$({word.split('=')[0]})" in makefile for word in words[1:] if "=" in word)
        elif words[0] in MAIN_PROGRAMS:
            parse(words[1:])
        else:
            assert words[0] in OTHER_PROGRAMS, f"{block.page}:{block.line}: {line}"
    given = {name: value for name, value in exported.items() if name not in SECRET_FILES}
    Settings.load(given | {SECRET_FILES[name]: "secret" for name in exported if name in SECRET_FILES})


def parse(arguments: list[str]) -> None:
    """Parse a command line of segstream without running it; raises for what the program would refuse."""
    command: Any = app_of()
    while arguments and getattr(command, "commands", None) is not None:
        command = command.commands[arguments.pop(0)]
    command.make_context(command.name, arguments)


@pytest.mark.parametrize("block", blocks("console"))
def test_commands_print_what_is_shown(
    block: Block, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console block is a command and its whole output."""
    monkeypatch.chdir(REPO)
    command, _, shown = block.text.partition("\n")
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "segstream"
    main(words[1:])
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist, and so do the headings in them."""
    dead = set()
    for match in LINK.finditer(FENCE.sub("", page.read_text("utf-8"))):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        there = (page.parent / target).resolve() if target else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.add(match["target"])
    assert dead == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_names_in_pages_are_names_of_the_program(page: Path) -> None:
    """Files, settings and metrics that a page names are there."""
    text = page.read_text("utf-8")
    files = {match["path"] for match in PATH.finditer(text)}
    assert {path for path in files if not (REPO / path).exists()} == set()
    assert set(VARIABLE.findall(text)) - variables() == set()
    assert set(METRIC.findall(text)) - {metric.name for metric in (*CATALOGUE, *HEALTH)} == set()


def test_advice_names_a_heading_that_is_there() -> None:
    """Whoever is told to see docs/operations.md finds the place."""
    headings = {match["text"] for match in HEADING.finditer((REPO / "docs/operations.md").read_text("utf-8"))}
    named = {
        match["heading"]
        for path in sources(*PACKAGES)
        for match in ADVICE.finditer(re.sub(r'"\n\s+f?"', "", path.read_text("utf-8")))
    }
    assert named
    assert named - headings == set()


@pytest.mark.parametrize("page", TABLES)
def test_tables_are_as_the_program_has_them(page: str) -> None:
    """If this fails: `python -m tests.house.tables`."""
    assert (REPO / page).read_text("utf-8") == rewritten(page)


def test_every_reason_and_field_has_a_meaning() -> None:
    """No empty cell, and no meaning of what is no more."""
    assert tuple(REASON_MEANINGS) == REASONS
    assert [page for page in TABLES if "|  |" in rewritten(page)] == []


def test_every_decision_is_in_the_list() -> None:
    """And numbered without a hole."""
    folder = REPO / "docs" / "decisions"
    pages = sorted(page.name for page in folder.glob("0*.md"))
    assert [name[:4] for name in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert [name for name in pages if f"({name})" not in (folder / "README.md").read_text("utf-8")] == []


def example(heading: str) -> dict[str, Any]:
    """The first JSON block after a heading of docs/events.md."""
    text = (REPO / "docs/events.md").read_text("utf-8")
    match = FENCE.search(text, text.index(f"# {heading}\n"))
    while match is not None and match["language"] != "json":
        match = FENCE.search(text, match.end())
    assert match is not None
    found: dict[str, Any] = json.loads(match["text"])
    return found


@pytest.mark.parametrize("topic", TOPICS)
def test_example_events_are_accepted(topic: str) -> None:
    """What a reader copies as an event is one."""
    assert decode(TOPICS.index(topic), block_of([_record(example(topic))])).refused == []


def test_the_example_change_has_the_fields_of_a_change() -> None:
    """The page's example, the page's table, the README's example and a change made now have the same fields."""
    made = _change(example("purchases"))
    shown = example("Changes")
    assert list(made) == list(shown)
    assert made["reasons"][0].keys() == shown["reasons"][0].keys()
    assert made["trigger"].keys() == shown["trigger"].keys()
    section = (REPO / "docs/events.md").read_text("utf-8").split("## Changes\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(made)
    readme = [json.loads(param.values[0].text) for param in blocks("json") if param.values[0].page == "README.md"]
    assert readme == [shown]


def _record(value: dict[str, Any]) -> Any:
    return SimpleNamespace(offset=0, key=None, value=json.dumps(value).encode(), timestamp=0)


def _change(event: dict[str, Any]) -> dict[str, Any]:
    """The first change that an event leads to in an empty partition."""
    document = load("")[1]
    replica = Replica(0, Rule(1, 2**60, 10, 86_400_000, 7), lambda _: decode_record(document), lambda *_: 0)
    replica.execute(0, Adopt(0, "definitions", "", 0, 0), {})
    kind = TOPICS.index("purchases")
    batch = Batch(0, (Position(kind, 0, 1, 1, 0),), 0, 0)
    outcome = replica.execute(1, batch, {kind: decode(kind, block_of([_record(event)]))})
    change: dict[str, Any] = json.loads(outcome.changes[0][1])
    return change
