"""`segstream demo`: a year of real purchases through a real Kafka, in about a minute."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.options import Json
from stream.cli.progress import download_bar
from stream.settings import Settings, help_of

app = typer.Typer()

PLAY_SECONDS = 65.0  # with all starts and the end, under two minutes on two cores
EXIT_INTERRUPTED = 130  # the shell's word for "ended by Ctrl-C"


@app.command()
def demo(
    *,
    as_json: Json = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up afterwards, and print how to watch and send events.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="How long the year takes; the machine may need longer.")
    ] = PLAY_SECONDS,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help=help_of("seed"))] = None,
) -> None:
    """Play a year of a real shop through a real Kafka and watch segments change.

    Starts Kafka and a worker on this machine, sends 430,000 events (some of them broken or double, on purpose),
    and ends with what came of them. Exit code 1 if anything does not add up. Nothing is left running.
    """
    from stream.demo.stage import Wish, run  # heavy, and not needed for --help

    settings = Settings.load(seed=seed)
    try:
        code = run(Wish(seconds, keep, as_json, _command()), settings, download_bar)
    except KeyboardInterrupt:
        typer.echo("stopped: nothing is left running", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    raise typer.Exit(code)


def _command() -> str:
    """How this program was called, so that what is printed can be copied."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "segstream" else f"{sys.executable} -m stream.cli"
