"""`segstream simulate`: seeded customers whose true segment is known, as JSON lines or into Kafka."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from stream.cli.counter import counter
from stream.cli.options import Brokers, Prefix
from stream.clock import monotonic_s
from stream.codec import plain_json
from stream.errors import SegstreamError
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.simulate import SimulatedEvent

app = typer.Typer()

EXIT_INTERRUPTED = 130  # the shell's word for "ended by Ctrl-C"
LINES_A_WRITE = 1_000  # gathers small lines; some 200 KB
PACE_SECONDS = 0.02  # at a given rate: how long lines gather before they are written


@app.command()
def simulate(
    *,
    customers: Annotated[int, typer.Option("--customers", min=1, help="How many customers.")] = 100,
    days: Annotated[int, typer.Option("--days", min=1, help="How many days of their lives.")] = 365,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Same seed, same events; default: the setting.")
    ] = None,
    start: Annotated[str, typer.Option("--start", metavar="DATE", help="First day, ISO 8601 in UTC.")] = "2025-01-01",
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Write each customer's archetype and true lifecycle."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the events there instead of standard output."),
    ] = None,
    duplicates: Annotated[
        float,
        typer.Option("--duplicates", min=0, max=1, help="Share of events sent twice, as a retrying producer does."),
    ] = 0.0,
    copies: Annotated[
        int, typer.Option("--copies", min=1, help="With --out FILE.parquet: every customer so many times.")
    ] = 1,
    retail: Annotated[
        bool, typer.Option("--retail", help="The year of the demo instead: real purchases, simulated company.")
    ] = False,
    into_kafka: Annotated[bool, typer.Option("--produce", help="Send the events to the input topics.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, help="Events a second; without it, no limit.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Generate the clicks, purchases, e-mails and profiles of simulated customers, in time order.

    Events are JSON lines with a `topic`, as `segstream produce` reads them; --produce sends them itself. To a
    file named .parquet they are written as such, --copies times, each copy with ids and hours of its own. The truth
    file has one JSON object a customer; its `lifecycle` is certain at the end of a run of 240 days or
    more.
    """
    from stream.simulate import events

    settings = Settings.load(brokers=brokers, prefix=prefix, seed=seed)
    if into_kafka and out is not None:
        raise SegstreamError("--produce and --out exclude each other", "leave one of them out")
    as_parquet = out is not None and out.suffix == ".parquet"
    if copies > 1 and not as_parquet:
        raise SegstreamError("--copies is for Parquet files", "name a file: --out events.parquet")
    start_ms = _start_ms(start)
    if truth is not None:
        _write_truth(truth, settings.seed, customers, days, start_ms)
    made = events(settings.seed, customers, days, start_ms, duplicate_share=duplicates)
    if retail:
        made = _retail(settings.seed)
    try:
        if out is not None and as_parquet:
            from stream.backtest.multiply import multiply

            typer.echo(f"{multiply(made, copies, out):,} events written to {out}", err=True)
        elif into_kafka:
            asyncio.run(_produce(settings, made, rate))
        else:
            _print(made, out, rate)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _retail(seed: int) -> Iterator[SimulatedEvent]:
    from stream.simulate import SimulatedEvent, retail_year

    for ts_ms, topic, _, value in retail_year(seed).in_time_order():
        yield SimulatedEvent(topic, ts_ms, plain_json.decode(value))


def _start_ms(text: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SegstreamError(f"--start cannot be {text!r}", "give a date such as 2025-01-01") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return int(moment.timestamp()) * 1000


def _write_truth(path: Path, seed: int, customers: int, days: int, start_ms: int) -> None:
    from stream.simulate import truth

    with _opened(path) as file:
        for one in truth(seed, customers, days, start_ms):
            file.write(plain_json.encode(one._asdict()) + b"\n")


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        raise SegstreamError(f"{path} cannot be written ({error.strerror})", "give another path") from error


def _print(made: Iterator[SimulatedEvent], out: Path | None, rate: float | None) -> None:
    if out is not None:
        with _opened(out) as file:
            count = asyncio.run(_write(made, file, rate))
        typer.echo(f"{count:,} events written to {out}", err=True)
        return
    try:
        asyncio.run(_write(made, sys.stdout.buffer, rate))
    except BrokenPipeError:  # the reader has seen enough (`| head`); spare the interpreter the flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _write(made: Iterator[SimulatedEvent], file: IO[bytes], rate: float | None) -> int:
    """Write one JSON line an event, at the given rate, and return how many."""
    started_s, count = monotonic_s(), 0
    slice_lines = LINES_A_WRITE if rate is None else max(1, min(LINES_A_WRITE, int(rate * PACE_SECONDS)))
    with counter("events") as progress:
        while lines := [plain_json.encode({"topic": one.topic, **one.payload}) for one in islice(made, slice_lines)]:
            file.write(b"\n".join(lines) + b"\n")
            file.flush()
            count += len(lines)
            if progress is not None:
                progress(count)
            if rate is not None:
                await asyncio.sleep(max(count / rate - (monotonic_s() - started_s), 0))
    return count


async def _produce(settings: Settings, made: Iterator[SimulatedEvent], rate: float | None) -> None:
    from stream.kafka.bulk import BulkProducer, keyed

    started_s = monotonic_s()
    records = keyed((one.topic, one.payload["customer_id"], plain_json.encode(one.payload)) for one in made)
    async with BulkProducer(settings) as producer:
        with counter("events") as progress:
            count = await producer.run(records, rate=rate, on_progress=progress)
    typer.echo(f"{count:,} events sent to {settings.brokers} in {monotonic_s() - started_s:.1f} s")
