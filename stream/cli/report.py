"""`segstream report verify FILE`: whether a report says what its inputs give."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.options import Json
from stream.cli.progress import share_bar

app = typer.Typer(help="Check a report that `segstream backtest --report` wrote.")

EXIT_FINDINGS = 1


@app.callback()
def report() -> None:
    """Check a report that `segstream backtest --report` wrote."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The report.")],
    *,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the inputs are, if their names are not whole.")
    ] = Path(),
    run: Annotated[bool, typer.Option("--run/--no-run", help="Make the run again and compare every figure.")] = True,
    as_json: Json = False,
) -> None:
    """Recompute what a report says: the page from its figures, digests of inputs and definitions, and the whole run.

    Exit code 1 if anything differs, or if something could not be checked.
    """
    from stream.backtest.run import Watch
    from stream.report.verify import verify as checks

    found = []
    with share_bar("backtest") as progress:
        watch = Watch(progress or (lambda *_: None))
        for one in checks(file, folder, again=run, watch=watch):
            found.append(one)
            if not as_json:
                word = {True: "fine", False: "WRONG", None: "not checked"}[one.fine]
                typer.echo(f"{one.name}: {word}: {one.told}")
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
    if not all(one.fine for one in found):
        raise typer.Exit(EXIT_FINDINGS)
