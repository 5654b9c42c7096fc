"""`segstream backtest EVENTS...`: what would have been, under these definitions."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from stream.cli.options import Json
from stream.cli.progress import share_bar
from stream.clock import wall_ms
from stream.settings import Settings, help_of

if TYPE_CHECKING:
    from stream.backtest.result import Result
    from stream.backtest.run import Task

app = typer.Typer()

EXIT_INTERRUPTED = 130  # the shell's word for "ended by Ctrl-C"


@app.command()
def backtest(
    events: Annotated[
        list[str],
        typer.Argument(metavar="EVENTS...", help="Parquet, CSV or JSON-lines files; TOPIC=FILE says a file's topic."),
    ],
    *,
    definitions: Annotated[
        str | None, typer.Option("--definitions", metavar="A.yaml", help=help_of("definitions"))
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option("--mapping", metavar="NAME|FILE", help="Fields of a foreign schema: a ready mapping, or a file."),
    ] = None,
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic of every row, if there is no such column.")
    ] = None,
    partitions: Annotated[
        int, typer.Option("--partitions", min=1, max=1024, help="Logical partitions: the outcome hangs on them.")
    ] = 4,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes to spread them over: the outcome does not.")
    ] = 1,
    vectors: Annotated[
        int, typer.Option("--vectors", min=1, help="Customers that the trainer looks at a day, at most.")
    ] = 64,
    as_json: Json = False,
) -> None:
    """Run past events through the kernel, with the trainer on their own time, and say what came of it.

    Files are in the words of the input schemas, or --mapping says how. The same events and definitions give the same
    digest, whatever the number of processes. Exit code 1 if some rows did not fit, 130 after Ctrl-C, which leaves a
    partial answer.
    """
    from stream.backtest.run import Watch
    from stream.backtest.run import backtest as run

    task = _task(definitions, partitions, processes, vectors)
    asked = _Asked()
    with share_bar("backtest") as progress, asked:
        result = run(_sources(events, topic, mapping), task, Watch(progress or (lambda *_: None), asked.stop, _say))
    typer.echo(json.dumps(result.summary()) if as_json else _words(result))
    if not result.complete:
        typer.echo(f"interrupted: everything is as of {result.summary()['last']}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    if result.fit.misfit_count:
        raise typer.Exit(1)


class _Asked:
    """Ctrl-C asks to stop between two blocks; a second one stops at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def stop(self) -> bool:
        return self._asked

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, *_: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _sources(events: list[str], topic: str | None, mapping: str | None) -> list[Any]:
    from models.events import TOPICS
    from stream.backtest.mapping import load
    from stream.backtest.reading import FileSource

    loaded = load(mapping) if mapping else None
    found = []
    for number, given in enumerate(events):
        name, _, path = given.partition("=")
        if name not in TOPICS or not path:
            name, path = topic or "", given
        found.append(FileSource(Path(path), number, name or None, loaded))
    return found


def _task(definitions: str | None, partitions: int, processes: int, vectors: int) -> Task:
    from models.clusters.settings import TrainerSettings
    from stream.backtest.partition_run import Variant
    from stream.backtest.play import Schedule
    from stream.backtest.run import Task
    from stream.codec.definitions import load
    from stream.worker.training import WARMUP_VECTORS_MAX, WORDS

    settings = Settings.load(definitions=definitions)
    schedule = Schedule(settings.sample_interval_ms, settings.sample_rotation, settings.snapshot_interval_ms, vectors)
    trainer = TrainerSettings(
        learner=settings.learner,
        clusters=settings.clusters,
        seed=settings.seed,
        warmup_vectors=WARMUP_VECTORS_MAX,
        words=WORDS,
    )
    return Task(
        variants=(Variant(load(settings.definitions)[0]),),
        schedule=schedule,
        trainer=trainer,
        newest_ms=wall_ms() + settings.future_ms_max,
        partitions=partitions,
        processes=processes,
        customers_max=settings.customers_max,
    )


def _words(result: Result) -> str:
    """The answer for people: a table for each dimension."""
    figures = result.summary()
    lines = [
        (
            f"{result.events:,} events of {figures['customers']:,} customers, {figures['first'][:10]} to "
            f"{figures['last'][:10]}: {figures['changes']:,} changes"
        ),
        (
            f"{figures['events_per_s']:,} events/s ({figures['events_per_s_core']:,} a core), "
            f"{figures['peak_rss_mb']:,.0f} MB, digest {figures['digest']}"
        ),
    ]
    for name, segments in figures["segments"].items():
        lines += ["", f"{name:24} customers   share        spend   entries   flaps  days in"]
        for segment, one in segments.items():
            days = "" if one["stay_days"] is None else f"{one['stay_days']:.1f}"
            lines.append(
                f"  {segment:22} {one['customers']:9,} {one['share']:7.1%} {one['spend']:12,.0f} "
                f"{one['entries']:9,} {one['flaps']:7,} {days:>8}"
            )
    if result.fit.misfit_count:
        lines += ["", f"{result.fit.misfit_count:,} rows did not fit:"]
        lines += [f"  {count:,} x {reason}" for reason, count in sorted(result.fit.misfits.items())]
        lines.append("for example " + ", ".join(f"row {row} ({reason})" for row, reason in result.fit.examples))
    return "\n".join(lines)
