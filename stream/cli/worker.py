"""`segstream worker`: consumes events, publishes segment changes."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.cli.options import Brokers, Group, Partitions, Prefix
from stream.settings import Settings, help_of

app = typer.Typer()


@app.command()
def worker(
    brokers: Brokers = None,
    prefix: Prefix = None,
    group: Group = None,
    partitions: Partitions = None,
    definitions: Annotated[str | None, typer.Option("--definitions", help=help_of("definitions"))] = None,
    clock: Annotated[str | None, typer.Option("--clock", help=help_of("clock"))] = None,
    metrics_port: Annotated[int | None, typer.Option("--metrics-port", help=help_of("metrics_port"))] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help=help_of("log_level"))] = None,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C. Start more with the same group to share the partitions."""
    settings = Settings.load(
        brokers=brokers, prefix=prefix, group=group, partitions=partitions, definitions=definitions, clock=clock,
        metrics_port=metrics_port, log_level=log_level,
    )  # fmt: skip
    from stream.worker.main import run  # heavy, and not needed for --help

    raise typer.Exit(run(settings))
