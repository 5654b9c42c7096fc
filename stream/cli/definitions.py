"""`segstream definitions check|show`: what is wrong with a segments.yaml, or what it declares."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.codec.definitions import Finding, check, plain, shipped_text, text_of
from stream.errors import SegstreamError

if TYPE_CHECKING:
    from models.definitions.document import Definitions, Dimension

app = typer.Typer(help="Check a segments.yaml.")

MARKDOWN = (".md", ".markdown")
SHIPPED = "shipped definitions"
WIDTH = 100  # of the summary: fits beside an editor
_FENCE = re.compile(r"^(?P<indent>[ ]*)```ya?ml[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
_HAS_DIMENSIONS = re.compile(r"^[ ]*dimensions:", re.MULTILINE)


class Format(enum.StrEnum):
    """How findings are printed: for people, for programs, as annotations of a pull request."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One definitions document of a file, and where in the file it begins (lines and columns from 0)."""

    text: str
    line: int = 0
    column: int = 0

    def findings(self) -> list[Finding]:
        """What is wrong with it, at the places of the file."""
        return [
            dataclasses.replace(found, line=found.line + self.line, column=found.column + self.column)
            for found in check(self.text)
        ]


@app.command(name="check")
def check_file(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A YAML file, or Markdown with YAML in fences; none: the shipped.")
    ] = "",
    form: Annotated[Format, typer.Option("--format", help="How to print what was found.")] = Format.TEXT,
) -> None:
    """Say what is wrong with a definitions file, with line and column, or what it declares.

    In Markdown every ```yaml fence with `dimensions:` is checked. Exit code 1 if something is wrong.
    """
    snippets = snippets_of(file)
    name = file or SHIPPED
    found = [one for snippet in snippets for one in snippet.findings()]
    if form is Format.JSON:
        documents = [] if found else [summary(snippet.text) for snippet in snippets]
        findings = [dataclasses.asdict(one) for one in found]
        typer.echo(json.dumps({"file": name, "findings": findings, "documents": documents}))
    else:
        for one in found:
            typer.echo(_github(name, one) if form is Format.GITHUB else _line(name, one))
        if not found:
            for snippet in snippets:
                typer.echo(_declared(name, summary(snippet.text)))
    if found:
        raise typer.Exit(1)


@app.command()
def show() -> None:
    """Print the shipped definitions: a file to begin your own with."""
    typer.echo(shipped_text(), nl=False)


def snippets_of(file: str) -> list[Snippet]:
    """Return the definitions documents of a file.

    Raises
    ------
    SegstreamError : the file cannot be read, or it is Markdown without any.
    """
    text = text_of(file)
    if Path(file).suffix.lower() not in MARKDOWN:
        return [Snippet(text)]
    found = list(_fenced(text))
    if not found:
        raise SegstreamError(
            f"{file} holds no definitions", "put them in a ```yaml fence with a `dimensions:` key, or give a YAML file"
        )
    return found


def _fenced(text: str) -> Iterator[Snippet]:
    for match in _FENCE.finditer(text):
        if _HAS_DIMENSIONS.search(match["text"]):
            indent = len(match["indent"])
            yield Snippet(textwrap.dedent(match["text"]), text.count("\n", 0, match.start("text")), indent)


def summary(text: str) -> dict[str, Any]:
    """Return what a document without mistakes declares: its digest, dimensions, features and attributes."""
    from models.definitions.compile import compile_plan
    from models.definitions.language import parse

    definitions: Definitions = parse(plain(text))
    _, terms = compile_plan(definitions)
    return {
        "name": definitions.name,
        "digest": definitions.digest,
        "dimensions": {dimension.name: _segments(dimension) for dimension in definitions.dimensions},
        "features": sorted({term.feature.name for term in terms}),
        "attributes": dict(definitions.attributes),
    }


def _segments(dimension: Dimension) -> list[str]:
    return [segment.name for segment in dimension.segments]


def _declared(file: str, document: dict[str, Any]) -> str:
    """What a document declares, in a few lines."""
    dimensions: dict[str, list[str]] = document["dimensions"]
    counts = {
        "dimension": len(dimensions),
        "segment": sum(len(names) for names in dimensions.values()),
        "feature": len(document["features"]),
    }
    told = f"{file}: " + ", ".join(f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in counts.items())
    width = max(len(name) for name in [*dimensions, "features"]) + 2
    rows = [(name, ", ".join(names) or "clusters") for name, names in dimensions.items()]
    rows.append(("features", ", ".join(document["features"]) or "none"))
    lines = [
        textwrap.fill(text, WIDTH, initial_indent=f"  {name:{width}}", subsequent_indent=" " * (width + 2))
        for name, text in rows
    ]
    return "\n".join([f"{told}, digest {document['digest']}", *lines])


def _line(file: str, found: Finding) -> str:
    where = f"{found.path}: " if found.path else ""
    return f"{file}:{found.line}:{found.column}: {where}{found.problem}"


def _github(file: str, found: Finding) -> str:
    """A workflow command: its message must not hold a line break, nor a bare percent sign."""
    text = f"{found.path}: {found.problem}" if found.path else found.problem
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::error file={file},line={found.line},col={found.column}::{text}"
