"""`segstream definitions test`: the cases beside definitions, played through the core."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from stream.definitions.formats import Format, junit_of


def play_cases(
    given: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="YAML, or Markdown with fences; none: the shipped.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print what was found.")] = Format.TEXT,
    covered: Annotated[bool, typer.Option("--covered", help="Fail too where something is not covered.")] = False,
) -> None:
    """Play the cases of definitions: `tests:` in the file, or in one beside it named like it with .tests.yaml.

    A case gives events of one customer and expects segments, changes, reasons or deadlines. Exit code 1 if one fails,
    or if there is none.
    """
    from stream.definitions.cases import annotations_of, document_of, lines_of, run, verdicts_of

    reports = [report for file in given or [""] for report in run(file)]
    if form is Format.JSON:
        typer.echo(json.dumps({"files": [document_of(report) for report in reports]}))
    elif form is Format.JUNIT:
        suite = ", ".join(dict.fromkeys(report.file for report in reports))
        typer.echo(junit_of(suite, [verdict for report in reports for verdict in verdicts_of(report)]))
    else:
        told = annotations_of if form is Format.GITHUB else lines_of
        for report in reports:
            for line in told(report):
                typer.echo(line)
    uncovered = covered and any(report.coverage is None or any(report.coverage.gaps()) for report in reports)
    if uncovered or any(report.failed for report in reports):
        raise typer.Exit(1)
