"""`segstream personas`: who the clusters of the model are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.options import Brokers, Json, Prefix
from stream.errors import SegstreamError
from stream.settings import Settings

if TYPE_CHECKING:
    from models.clusters.snapshot import Snapshot

app = typer.Typer(help="Who the clusters of the model are.")


@app.command()
def personas(
    *,
    newest: Annotated[
        bool, typer.Option("--newest", help="The newest model, also if it is held; else the one in force.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", dir_okay=False, help="Read a model document and not Kafka.")
    ] = None,
    approve: Annotated[
        str | None, typer.Option("--approve", metavar="MODEL", help="Let a held model be adopted, named by its digest.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Print the personas of the model as Markdown (or JSON): size, revenue, what sets them apart, how to address them.

    `--approve` shows the model it approves; workers adopt it within a second. One that is older than the model in
    force is refused.
    """
    settings = Settings.load(brokers=brokers, prefix=prefix)
    snapshot = _read(file) if file else asyncio.run(_find(settings, approve, newest=newest))
    from stream.personas import markdown, values

    typer.echo(json.dumps(values(snapshot)) if as_json else markdown(snapshot), nl=as_json)


def _read(file: Path) -> Snapshot:
    from stream.codec.definitions import decode_snapshot

    try:
        return decode_snapshot(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SegstreamError(f"{file} is no model: {error}", "give a record of segment-models") from None


async def _find(settings: Settings, approve: str | None, *, newest: bool) -> Snapshot:
    from stream.worker import published

    if approve:
        return await published.approve(settings, approve)
    documents = await published.models(settings)
    snapshot = documents.newest if newest else documents.snapshot
    if snapshot is None:
        raise SegstreamError("no model has been published yet", "the first comes after some weeks of stream time")
    return snapshot
