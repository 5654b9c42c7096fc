"""`segstream definitions check|show|schema`: what is wrong with a segments.yaml, or what it may say."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.definitions.analysis.population import OVERLAP_LEAST, OVERLAP_MAX, SEGMENTS_MAX, SHARE_MIN, Limits
from models.definitions.analysis.remarks import ERROR, WARNING
from models.definitions.document import AUDIENCE
from stream.cli import definitions_life
from stream.cli.definitions_cases import play_cases
from stream.cli.past import files_of_any_schema, task_of, watching
from stream.codec.definitions import Finding, gallery_text, plain
from stream.definitions.formats import Format, Verdict, github_of, junit_of, line_of
from stream.definitions.snippets import SHIPPED, snippets_of
from stream.settings import Settings

if TYPE_CHECKING:
    from models.definitions.document import Definitions, Dimension

app = typer.Typer(help="Check and test a segments.yaml, and change what is in force.")
app.command(name="test")(play_cases)
definitions_life.register(app)

WIDTH = 100  # of the summary: fits beside an editor


@app.command(name="check")
def check_file(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A YAML file, or Markdown with YAML in fences; none: the shipped.")
    ] = "",
    form: Annotated[Format, typer.Option("--format", help="How to print what was found.")] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    events: Annotated[
        list[str] | None,
        typer.Option("--events", metavar="EVENTS", help="Past events to run it over; TOPIC=FILE; may be repeated."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option("--mapping", metavar="NAME|FILE", help="Fields of a foreign schema, as for backtest.")
    ] = None,
    share_min: Annotated[
        float, typer.Option(min=0, max=1, help="With --events: the least share of the customers in a segment.")
    ] = SHARE_MIN,
    segments_max: Annotated[
        int, typer.Option(min=1, help="With --events: populated segments in one dimension.")
    ] = SEGMENTS_MAX,
    overlap_max: Annotated[
        float, typer.Option(min=OVERLAP_LEAST, max=1, help="With --events: Jaccard of segments, V of dimensions.")
    ] = OVERLAP_MAX,
) -> None:
    """Say what is wrong with a definitions file, with line and column, or what it declares.

    What is valid is looked through for conditions that can never hold, segments that nobody can enter, and exits
    tighter than entries; with --events also for segments that are too small, too many, or the same. In Markdown every
    ```yaml fence with `dimensions:` is checked. Exit code 1 if something is wrong.
    """
    snippets = snippets_of(file)
    name = file or SHIPPED
    found = [one for snippet in snippets for one in snippet.findings()]
    if events and not any(one.level == ERROR for one in found):
        limits = Limits(share_min, segments_max, overlap_max)
        found += [one for snippet in snippets for one in snippet.placed(_over(snippet.text, events, mapping, limits))]
    fatal = {ERROR, WARNING} if strict else {ERROR}
    failed = any(one.level in fatal for one in found)
    documents = [] if any(one.level == ERROR for one in found) else [summary(snippet.text) for snippet in snippets]
    if form is Format.JSON:
        findings = [dataclasses.asdict(one) for one in found]
        typer.echo(json.dumps({"file": name, "findings": findings, "documents": documents}))
    elif form is Format.JUNIT:
        typer.echo(junit_of(name, _verdicts(name, found, fatal)))
    else:
        for one in found:
            text = f"{one.path}: {one.problem}" if one.path else one.problem
            annotation = github_of(name, one.line, one.column, one.level, text)
            typer.echo(annotation if form is Format.GITHUB else line_of(name, one))
        for document in documents:
            typer.echo(_declared(name, document))
    if failed:
        raise typer.Exit(1)


def _over(text: str, events: list[str], mapping: str | None, limits: Limits) -> list[Finding]:
    """What past events show: see stream/definitions/population.py."""
    from stream.definitions.population import found_in

    settings = Settings.load()
    with watching("check") as watch:
        return found_in(
            text, files_of_any_schema(events, mapping), lambda variants: task_of(settings, variants), limits, watch
        )


def _verdicts(file: str, found: list[Finding], fatal: set[str]) -> list[Verdict]:
    """Findings for a build server; a file without any is one thing that passed."""
    told = [
        Verdict(
            f"{one.rule}: {one.path}", f"{file}:{one.line}",
            failure=one.problem if one.level in fatal else "", note="" if one.level in fatal else one.problem,
        )
        for one in found
    ]  # fmt: skip
    return told or [Verdict("check", file)]


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A document of the gallery, such as rfm; none: the shipped.")] = "shipped",
) -> None:
    """Print a document of the gallery: a file to begin your own with."""
    typer.echo(gallery_text(name), nl=False)


@app.command(name="schema")
def show_schema() -> None:
    """Print the JSON Schema of definitions files, for editors."""
    from models.definitions.schema import schema

    typer.echo(json.dumps(schema(), indent=2, ensure_ascii=False))


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
    audiences = [name for name in dimensions if name.startswith(AUDIENCE)]
    counts = {
        "dimension": len(dimensions) - len(audiences),
        "audience": len(audiences),
        "segment": sum(len(names) for name, names in dimensions.items() if name not in audiences),
        "feature": len(document["features"]),
    }
    told = f"{file}: " + ", ".join(f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in counts.items() if n)
    width = max(len(name) for name in [*dimensions, "features"]) + 2
    rows = [(name, ", ".join(names) or "clusters") for name, names in dimensions.items()]
    rows.append(("features", ", ".join(document["features"]) or "none"))
    lines = [
        textwrap.fill(text, WIDTH, initial_indent=f"  {name:{width}}", subsequent_indent=" " * (width + 2))
        for name, text in rows
    ]
    return "\n".join([f"{told}, digest {document['digest']}", *lines])
