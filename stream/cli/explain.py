"""`segstream explain CUSTOMER`: where a customer is, by which conditions, until when, and what would change it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.options import At, Brokers, Definitions, Json, Mapping, Partitions, PastEvents, Prefix
from stream.cli.past import files_of_any_schema, moment_ms, task_of, variants_of, watching
from stream.errors import SegstreamError
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.explanation import Subject

app = typer.Typer()


@app.command()
def explain(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    dimension: Annotated[
        list[str] | None, typer.Option("--dimension", help="Only this dimension; may be repeated.")
    ] = None,
    events: PastEvents = None,
    at: At = None,
    mapping: Mapping = None,
    definitions: Definitions = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
    as_json: Json = False,
) -> None:
    """Explain a customer's segments: every condition with its value and verdict, and what would lead elsewhere.

    The row is that of the workers: the newest checkpoint and the journal after it, read beside them as `segstream
    verify` does, or past events run by the same kernel. Each counterfactual was tried on a copy of the row.
    """
    settings = Settings.load(definitions=definitions, brokers=brokers, prefix=prefix, partitions=partitions)
    at_ms = moment_ms(at, events)
    if events:
        subject = _of_events(settings, customer, events, mapping, at_ms)
    else:
        subject = asyncio.run(_of_topics(settings, customer))
    names = [one.name for one in subject.judge.definitions.dimensions]
    if unknown := [one for one in dimension or [] if one not in names]:
        raise SegstreamError(f"there is no dimension {unknown[0]!r}", f"the definitions have {', '.join(names)}")
    from stream.explanation import explain as run
    from stream.explanation import told

    found = run(subject, tuple(dimension or ()))
    typer.echo(json.dumps(found) if as_json else told(found))


def _of_events(settings: Settings, customer: str, events: list[str], mapping: str | None, at_ms: int | None) -> Subject:
    import numpy as np

    from models.engine import judge_of
    from stream.backtest.run import backtest
    from stream.explanation import Subject

    task = task_of(settings, variants_of((settings.definitions, None)))
    task = dataclasses.replace(task, customer=customer, until_ms=at_ms)
    with watching("explain") as watch:
        result = backtest(files_of_any_schema(events, mapping), task, watch)
    if result.row is None or not result.row["first_ms"][0]:
        raise _unknown(customer)
    outcome = result.variants[0]
    judge = judge_of(outcome.definitions, outcome.models[-1] if outcome.models else None, task.retention_ms)
    return Subject(customer, result.last_ms, result.row.view(np.recarray), judge)


async def _of_topics(settings: Settings, customer: str) -> Subject:
    from stream.kafka.log import KafkaLog
    from stream.kafka.partitioner import partition_of
    from stream.worker.standing import standing_of

    number = partition_of(customer, settings.partitions)
    typer.echo(f"reading partition {number}: all its rows, and the journal after its checkpoint", err=True)
    log = KafkaLog(settings)
    try:
        found = await standing_of(log, settings, customer)
    finally:
        await log.stop()
    if found is None:
        raise _unknown(customer)
    from stream.explanation import Subject

    return Subject(customer, *found)


def _unknown(customer: str) -> SegstreamError:
    return SegstreamError(f"nothing is known of {customer!r}", "check the id; who was silent for too long has left")
