"""`segstream verify`: executes the journal again and compares with the published changes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.options import Brokers, Group, Json, Partitions, Prefix
from stream.settings import Settings, help_of

if TYPE_CHECKING:
    from stream.worker.verification import Report

app = typer.Typer()


@app.command()
def verify(
    *,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", min=0, help="Only this partition; may be repeated.")
    ] = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="No worker runs: every change must be published already.")
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    group: Group = None,
    partitions: Partitions = None,
    definitions: Annotated[str | None, typer.Option("--definitions", help=help_of("definitions"))] = None,
    as_json: Json = False,
) -> None:
    """Execute the journal again and compare every published change, byte for byte.

    It only reads, so it may run beside live workers; give it their settings. Exit code 1 and the first
    difference with its address if there is one.
    """
    settings = Settings.load(
        brokers=brokers, prefix=prefix, group=group, partitions=partitions, definitions=definitions
    )
    outside = [number for number in partition or [] if number >= settings.partitions]
    if outside:
        raise typer.BadParameter(f"there are {settings.partitions} partitions, from 0 on", param_hint="--partition")
    from stream.worker.verification import verify as run

    reports = asyncio.run(run(settings, partition or range(settings.partitions), settled=settled))
    if as_json:
        typer.echo(json.dumps({"partitions": [dataclasses.asdict(report) for report in reports]}))
    else:
        for report in reports:
            typer.echo(_line(report))
    if any(report.difference for report in reports):
        raise typer.Exit(1)


def _line(report: Report) -> str:
    counts = (
        f"partition {report.partition}: {report.entries} entries, {report.events} events, "
        f"{report.changes} changes equal, {report.copies} copies, {report.pending} not published yet"
    )
    return counts if report.difference is None else f"{counts}\n  DIFFERENCE: {report.difference}"
