"""`segstream health`: how each segment is doing, and which of the usual tests it fails by which number."""

from __future__ import annotations

import asyncio
import enum
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.options import At, Brokers, Definitions, Json, Mapping, Partitions, PastEvents, Prefix
from stream.cli.past import files_of_any_schema, moment_ms, task_of, variants_of, watching
from stream.settings import Settings

if TYPE_CHECKING:
    from models.health import Health

app = typer.Typer()


class Format(enum.StrEnum):
    """How the answer is printed: for people, for programs, for Prometheus."""

    TEXT = "text"
    JSON = "json"
    PROMETHEUS = "prometheus"


@app.command()
def health(
    *,
    events: PastEvents = None,
    at: At = None,
    mapping: Mapping = None,
    definitions: Definitions = None,
    form: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TEXT,
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
    as_json: Json = False,
) -> None:
    """Say how segments are: size, revenue, growth, entries and exits, flaps, overlap, stability, response to e-mail.

    With --events past events are run first; without, the rows and the published changes of a live system are read, as
    beside live workers as `segstream verify`. Flap rates from 5 % on are warnings, from 30 % alarms.
    """
    settings = Settings.load(definitions=definitions, brokers=brokers, prefix=prefix, partitions=partitions)
    at_ms = moment_ms(at, events)
    found = _of_events(settings, events, mapping, at_ms) if events else asyncio.run(_of_topics(settings))
    if as_json or form is Format.JSON:
        from stream.health.words import plain

        typer.echo(json.dumps(plain(found)))
    elif form is Format.PROMETHEUS:
        from stream.health.exposition import exposition

        typer.echo(exposition(found), nl=False)
    else:
        from stream.health.words import told

        typer.echo(told(found))


def _of_events(settings: Settings, events: list[str], mapping: str | None, at_ms: int | None) -> Health:
    from stream.backtest.run import backtest
    from stream.health.measured import health_of

    task = replace(task_of(settings, variants_of((settings.definitions, None))), until_ms=at_ms)
    with watching("health") as watch:
        result = backtest(files_of_any_schema(events, mapping), task, watch)
    return health_of(result.customers, result.variants[0], result.first_ms, result.last_ms)


async def _of_topics(settings: Settings) -> Health:
    from stream.health.live import standing_of
    from stream.health.measured import health_of

    return health_of(*await standing_of(settings))
