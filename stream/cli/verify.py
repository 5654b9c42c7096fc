"""`segstream verify`: executes the journal again and compares with what was published."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.options import Brokers, Group, Json, Partitions, Prefix
from stream.settings import Settings, help_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.codec.state import Kept
    from stream.worker.verification import Report

app = typer.Typer()
STARTS = re.compile(r"first|oldest|latest(-\d+)?|\d+")
Partition = Annotated[
    list[int] | None, typer.Option("--partition", min=0, help="Only this partition; may be repeated.")
]


@app.command()
def verify(
    *,
    partition: Partition = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MARKER",
            help="Where to begin: first (the journal's first entry), oldest, latest, latest-N, or the offset of a "
            "marker. Without it: first while it is there, else oldest. With --to, latest is the newest before it.",
        ),
    ] = None,
    end: Annotated[
        int | None, typer.Option("--to", min=0, help="Journal offset to end before; else its end now.")
    ] = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="No worker runs: everything must be published already.")
    ] = False,
    list_only: Annotated[bool, typer.Option("--list", help="Only show the kept markers.")] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    group: Group = None,
    partitions: Partitions = None,
    definitions: Annotated[str | None, typer.Option("--definitions", help=help_of("definitions"))] = None,
    as_json: Json = False,
) -> None:
    """Execute the journal again and compare every published change and dead letter, byte for byte.

    It only reads, so it may run beside live workers; give it their settings. Exit code 1 and the first difference
    with its address if there is one, 2 when nothing can be said.
    """
    settings = Settings.load(
        brokers=brokers, prefix=prefix, group=group, partitions=partitions, definitions=definitions
    )
    if start is not None and not STARTS.fullmatch(start):
        raise typer.BadParameter("give first, oldest, latest, latest-N or an offset", param_hint="--from")
    chosen = chosen_partitions(settings, partition)
    from stream.worker.verification import Range, kept_of
    from stream.worker.verification import verify as run

    if list_only:
        _show_markers(asyncio.run(kept_of(settings, chosen)), as_json=as_json)
        return
    reports = asyncio.run(run(settings, chosen, chosen=Range(start or "", end, settled)))
    if as_json:
        typer.echo(json.dumps({"partitions": [dataclasses.asdict(report) for report in reports]}))
    else:
        for report in reports:
            typer.echo(_line(report))
    if any(report.difference for report in reports):
        raise typer.Exit(1)


def chosen_partitions(settings: Settings, given: Sequence[int] | None) -> Sequence[int]:
    """The partitions of a command: those given, or all."""
    outside = [number for number in given or [] if number >= settings.partitions]
    if outside:
        raise typer.BadParameter(f"there are {settings.partitions} partitions, from 0 on", param_hint="--partition")
    return given or range(settings.partitions)


def _line(report: Report) -> str:
    counts = (
        f"partition {report.partition}, journal {report.journal_start} to {report.journal_end}: "
        f"{report.entries} entries, {report.events} events, {report.changes} changes equal, {report.copies} copies, "
        f"{report.pending} not published yet, {report.dead_letters} dead letters"
    )
    return counts if report.difference is None else f"{counts}\n  DIFFERENCE: {report.difference}"


def _show_markers(markers: Mapping[int, Sequence[Kept]], *, as_json: bool) -> None:
    if as_json:
        found = {
            str(partition): [{"marker": one.offset, "journal": one.journal_next, "taken_at": _iso(one)} for one in kept]
            for partition, kept in markers.items()
        }
        typer.echo(json.dumps({"partitions": found}))
        return
    for partition, kept in markers.items():
        typer.echo(f"partition {partition}: {len(kept)} markers kept")
        for one in kept:
            typer.echo(f"  {one.offset:>10}  journal {one.journal_next:>10}  taken {_iso(one)}")


def _iso(one: Kept) -> str:
    return datetime.fromtimestamp(one.wall_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
