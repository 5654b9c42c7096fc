"""`segstream bench ...`: figures that anyone can measure again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.bench.aims import aims_of, verdict, with_aims
from stream.cli.options import Json
from stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AUDIENCES = 64  # as many as a document may have; the core is not loaded for a help text

app = typer.Typer(help="Measure the worker and its parts; docs/performance.md says how to read the figures.")

Events = Annotated[int, typer.Option("--events", min=1_000, help="Events measured, after a warm-up.")]
Customers = Annotated[int, typer.Option("--customers", min=100, help="Different customers.")]
CUSTOMERS = 20_000  # as many as a busy shop has in a week
LOAD_EVENTS, LOAD_CUSTOMERS = 3_000_000, 100_000  # a quarter of a minute at full rate: ten checkpoints have time
PART_EVENTS = 400_000  # of the inner path or its parts: some seconds
CHECKPOINT_SECONDS = Settings().checkpoint_seconds  # a run of 20 s has few of them; fewer seconds show what they cost


@app.command()
def throughput(
    *,
    events: Events = LOAD_EVENTS,
    customers: Customers = LOAD_CUSTOMERS,
    plain_seconds: Annotated[
        float, typer.Option("--plain-seconds", min=1, help="How long the plain Faust app is measured.")
    ] = 20.0,
    as_json: Json = False,
) -> None:
    """Measure one worker against a plain Faust app doing a simpler job, on one broker that is started for it."""
    from stream.bench.stream_of_events import Load
    from stream.bench.throughput import run

    with _telling() as tell:
        figures = run(Settings.load().cache_folder(), Load(events, customers), plain_seconds, tell)
    _show("throughput", figures, {"events": events, "customers": customers}, as_json=as_json)


@app.command()
def latency(
    *,
    rate: Annotated[float, typer.Option("--rate", min=1, help="Events a second.")] = 1_000.0,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="How long.")] = 20.0,
    customers: Customers = CUSTOMERS,
    checkpoint_seconds: Annotated[
        float, typer.Option("--checkpoint-seconds", min=0.1, help="Between two checkpoints of a partition.")
    ] = CHECKPOINT_SECONDS,
    as_json: Json = False,
) -> None:
    """Measure from a paced producer's event to its published change, on a broker that is started for it."""
    from stream.bench.latency import run

    with _telling() as tell:
        figures = run(Settings.load().cache_folder(), rate, seconds, customers, tell, checkpoint_seconds)
    _show(
        "latency",
        figures,
        {"rate": rate, "customers": customers, "checkpoint_seconds": checkpoint_seconds},
        as_json=as_json,
    )


@app.command()
def training(
    *,
    rate: Annotated[float, typer.Option("--rate", min=1, help="Events a second.")] = 1_000.0,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="How long each of six phases.")] = 10.0,
    customers: Customers = CUSTOMERS,
    as_json: Json = False,
) -> None:
    """Measure the latency of events with the trainer idle and at full rate in turn, in one run of one worker."""
    from stream.bench.training import run

    with _telling() as tell:
        figures = run(Settings.load().cache_folder(), rate, seconds, customers, tell)
    _show("training", figures, {"rate": rate, "customers": customers}, as_json=as_json)


@app.command()
def sweep(
    *,
    customers: Annotated[int, typer.Option("--customers", min=1_000, help="Rows of the table.")] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Measure how long the passing of an hour takes for all customers; no Kafka."""
    from stream.bench.parts import sweep as run

    _show("sweep", run(customers), {"customers": customers}, as_json=as_json)


@app.command()
def recovery(
    *,
    customers: Annotated[int, typer.Option("--customers", min=1_000, help="Customers of the checkpoint.")] = 1_000_000,
    debt: Annotated[
        int | None,
        typer.Option("--debt", min=1_000, help="Events after it; as many as the settings allow if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a worker's way back after SIGKILL, from its claims to live, on a broker that is started for it."""
    from stream.bench.recovery import run

    with _telling() as tell:
        figures = run(Settings.load().cache_folder(), customers, debt, tell)
    _show("recovery", figures, {"customers": customers, "debt": debt}, as_json=as_json)


@app.command()
def scaling(
    *,
    events: Annotated[int, typer.Option("--events", min=1_000, help="Events of each point.")] = 1_200_000,
    customers: Annotated[
        list[int] | None, typer.Option("--customers", min=1_000, help="Customers of a point; give it several times.")
    ] = None,
    publish: Annotated[
        Path | None, typer.Option("--publish", help="Folder whose performance.md, scaling.json and .svg are written.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure one and two workers against 10 thousand to a million customers, and the pause when one is added."""
    from stream.bench.publish import publish as write
    from stream.bench.scaling import CUSTOMERS as SIZES
    from stream.bench.scaling import run

    with _telling() as tell:
        figures = run(Settings.load().cache_folder(), events, customers or SIZES, tell)
    if publish is not None:
        write(publish, figures)
    _show("scaling", figures, {"events": events, "points": customers}, as_json=as_json)


@app.command()
def checkpoint(
    *,
    events: Events = PART_EVENTS,
    customers: Annotated[int, typer.Option("--customers", min=1_000, help="Customers of the partition.")] = 100_000,
    as_json: Json = False,
) -> None:
    """Measure what checkpoints add to an event: rows copied and packed, memberships written; no Kafka."""
    from stream.bench.checkpoint import run

    _show("checkpoint", run(events, customers), {"events": events, "customers": customers}, as_json=as_json)


@app.command()
def memory(
    *,
    customers: Annotated[int, typer.Option("--customers", min=1_000, help="Customers of the worker.")] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Measure a worker's memory at its peak, with checkpoints under way, on a broker that is started for it."""
    from stream.bench.memory import run

    with _telling() as tell:
        figures = run(Settings.load().cache_folder(), customers, tell)
    _show("memory", figures, {"customers": customers}, as_json=as_json)


@app.command()
def kernel(
    *,
    events: Events = PART_EVENTS,
    customers: Customers = CUSTOMERS,
    audiences: Annotated[
        int, typer.Option("--audiences", min=0, max=AUDIENCES, help="Audiences beside the shipped dimensions.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Measure the kernel alone: events applied, all dimensions decided; no Kafka, no JSON."""
    from stream.bench.parts import kernel as run

    _show("kernel", run(events, customers, audiences), {}, as_json=as_json)


@app.command()
def decode(*, events: Events = PART_EVENTS, customers: Customers = CUSTOMERS, as_json: Json = False) -> None:
    """Measure the decoding of input records into columns, and their digest."""
    from stream.bench.parts import decode as run

    _show("decode", run(events, customers), {}, as_json=as_json)


@app.command()
def path(
    *,
    events: Events = PART_EVENTS,
    customers: Customers = CUSTOMERS,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print where the time goes, function by function.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a worker's inner path stage by stage without Kafka: decode, cut, kernel, changes."""
    from stream.bench.parts import path as run

    figures, table = run(events, customers, profile=profile)
    if table:
        typer.echo(table, err=True)
    _show("path", figures, {}, as_json=as_json)


def _show(bench: str, figures: dict[str, object], parameters: Mapping[str, object], *, as_json: bool) -> None:
    """Print what was measured with these parameters, beside what is aimed at with them."""
    aims = aims_of(bench, parameters)
    if as_json:
        typer.echo(json.dumps(with_aims(figures, aims)))
        return
    machine = figures.pop("machine", None)
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        typer.echo(f"{name:<{width}}  {_number(value):>12}  {verdict(aims.get(name), value)}".rstrip())
    if isinstance(machine, dict):
        typer.echo(
            f"\n{machine['cores']} cores, {machine['processor']}, Python {machine['python']}, {machine['system']}"
        )


def _number(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Say what happens on standard error, on one line, and only on a terminal."""
    shown = sys.stderr.isatty()

    def tell(text: str) -> None:
        if shown:
            sys.stderr.write(f"\r{text} ...\x1b[K")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        tell("")
        if shown:
            sys.stderr.write("\r\x1b[K")
