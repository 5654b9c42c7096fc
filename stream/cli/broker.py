"""`segstream broker`: the dev broker in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.progress import download_bar
from stream.settings import Settings, help_of

app = typer.Typer()


@app.command()
def broker(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Port on 127.0.0.1; 0 for any free one.")
    ] = 9092,
    datadir: Annotated[str | None, typer.Option("--datadir", metavar="FOLDER", help=help_of("datadir"))] = None,
) -> None:
    """Run a real Apache Kafka on this machine until Ctrl-C.

    The first start fetches Kafka (about 60 MB) into the cache; later ones need no network. It listens on
    127.0.0.1 only and is meant for development, not for anybody's data.
    """
    from stream.kafka.broker import DevBroker  # heavy, and not needed for --help
    from stream.kafka.jars import KAFKA_VERSION

    settings = Settings.load(datadir=datadir)
    folder = Path(settings.datadir).expanduser().resolve() if settings.datadir else None
    for sign in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # a supervisor's stop ends it in order; a script's shell ignores Ctrl-C
        signal.signal(sign, signal.default_int_handler)
    with download_bar(f"Apache Kafka {KAFKA_VERSION}") as progress:
        running = DevBroker(settings.cache_folder(), port=port, folder=folder, progress=progress)
        try:
            running.start()
        except BaseException:
            running.close()
            raise
    with running:
        try:  # from the first line on: who reads it may press Ctrl-C at once
            typer.echo(f"Kafka {KAFKA_VERSION} answers on {running.address}; Ctrl-C ends it")
            typer.echo(f"data and log: {running.folder}" + ("" if folder else " (removed at the end)"))
            typer.echo(f"next: SEGSTREAM_BROKERS={running.address} segstream topics create")
            running.wait()
        except KeyboardInterrupt:
            typer.echo("stopping", err=True)
