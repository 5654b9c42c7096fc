"""`segstream produce FILE`: events of a file into the input topics."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.counter import counter
from stream.cli.options import Brokers, Json, Prefix
from stream.clock import monotonic_s
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.sources import Reading

app = typer.Typer()

EXIT_INTERRUPTED = 130  # the shell's word for "ended by Ctrl-C"


@app.command()
def produce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Parquet, CSV or JSON lines, by its ending.")],
    *,
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic of every row, if there is no such column.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, help="Events a second; without it, no limit.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Send the events of a file to the input topics.

    Columns are the fields of the input schemas, plus `topic` unless --topic says it for every row. Each event
    goes to its customer's partition, its Kafka timestamp is now. Exit code 1 if some rows did not fit.
    """
    from stream.kafka.bulk import BulkProducer, keyed
    from stream.sources import Reading, read_events

    settings = Settings.load(brokers=brokers, prefix=prefix)
    reading = Reading()
    events = read_events(file, reading, topic)
    started_s = monotonic_s()

    async def send() -> None:
        async with BulkProducer(settings) as producer:
            with counter("events") as progress:
                records = keyed((event.topic, event.customer_id, event.value) for event in events)
                await producer.run(records, rate=rate, on_progress=progress)

    try:
        asyncio.run(send())
    except KeyboardInterrupt:
        typer.echo(f"interrupted after about {reading.fit_count:,} events", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    typer.echo(_summary(reading, monotonic_s() - started_s, settings.brokers, as_json=as_json))
    if reading.misfit_count:
        raise typer.Exit(1)


def _summary(reading: Reading, seconds: float, brokers: str, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(
            {
                "events": reading.fit_count,
                "misfits": dict(reading.misfits),
                "examples": [example._asdict() for example in reading.examples],
                "seconds": round(seconds, 3),
            }
        )
    lines = [f"{reading.fit_count:,} events sent to {brokers} in {seconds:.1f} s"]
    if reading.misfit_count:
        lines.append(f"{reading.misfit_count:,} rows did not fit:")
        lines += [f"  {count:,} x {reason}" for reason, count in reading.misfits.most_common()]
        lines.append("for example " + ", ".join(f"row {row} ({reason})" for row, reason in reading.examples))
    return "\n".join(lines)
