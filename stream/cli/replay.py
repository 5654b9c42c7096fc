"""`segstream replay`: executes a recorded journal again, into memory, a file or topics of another prefix."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.options import Brokers, Group, Json, Partitions, Prefix
from stream.cli.verify import chosen_partitions
from stream.clock import monotonic_s
from stream.errors import SegstreamError
from stream.settings import Settings, help_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.backtest.replay import Replayed

app = typer.Typer()


@app.command()
def replay(
    *,
    into_prefix: Annotated[
        str | None, typer.Option("--into-prefix", metavar="PREFIX", help="Write to topics of this prefix.")
    ] = None,
    into_file: Annotated[
        Path | None, typer.Option("--into-file", metavar="FILE.parquet", help="Write the records to a file.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.001, help="So many times stream time; without it, no limit.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="The replay-run-id of each record; default: one of its own.")
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", min=0, help="Only this partition; may be repeated.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    group: Group = None,
    partitions: Partitions = None,
    definitions: Annotated[str | None, typer.Option("--definitions", help=help_of("definitions"))] = None,
    as_json: Json = False,
) -> None:
    """Execute a recorded journal again: the same bytes as then, somewhere else.

    Without --into-prefix or --into-file nothing is written, and the digests say what came. Every record carries the
    header `replay-run-id`. It only reads from the recorded system, so it may run beside live workers; give it their
    settings.
    """
    settings = Settings.load(
        brokers=brokers, prefix=prefix, group=group, partitions=partitions, definitions=definitions
    )
    if into_prefix is not None and into_prefix == settings.prefix:
        raise SegstreamError("a replay into its own prefix would pass for live", "give another --into-prefix")
    name = run_id or uuid.uuid4().hex
    found = asyncio.run(_run(settings, chosen_partitions(settings, partition), into_prefix, into_file, speed, name))
    if as_json:
        told = [dataclasses.asdict(one) for one in found]
        typer.echo(json.dumps({"replay_run_id": name, "partitions": told}))
        return
    typer.echo(f"replay {name}")
    for one in found:
        typer.echo(
            f"partition {one.partition}: {one.entries} entries, {one.events} events, {one.changes} changes, "
            f"{one.dead_letters} dead letters, digest {one.digest}"
        )


async def _run(
    settings: Settings, numbers: Sequence[int], prefix: str | None, file: Path | None, speed: float | None, run_id: str
) -> list[Replayed]:
    from stream.backtest.replay import HEADER, FileSink, MemorySink, Pace, TopicSink
    from stream.backtest.replay import replay as run
    from stream.kafka.log import KafkaLog
    from stream.kafka.marked import MarkedProducer

    pace = Pace(speed, monotonic_s, asyncio.sleep) if speed is not None else None
    log = KafkaLog(settings)
    await log.start()
    try:
        async with AsyncExitStack() as stack:
            sink: Any = MemorySink()
            if prefix is not None:
                target = dataclasses.replace(settings, prefix=prefix)
                producer = MarkedProducer(target, (HEADER, run_id.encode()))
                sink = TopicSink(await stack.enter_async_context(producer))
            elif file is not None:
                sink = FileSink(file, run_id)
                stack.callback(sink.close)
            return await run(log, settings, numbers, sink, pace)
    finally:
        await log.stop()
