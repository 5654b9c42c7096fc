"""`segstream topics create|check`: the table of topics on a real Kafka."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import typer

from stream.cli.options import Brokers, Json, Partitions, Prefix, Replication
from stream.settings import Settings

app = typer.Typer(help="Create the topics, or check the existing ones.")


@app.command()
def create(
    *,
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
    replication: Replication = None,
    as_json: Json = False,
) -> None:
    """Create the topics that are missing.

    Existing ones are never changed: `segstream topics check` says what is wrong with them.
    """
    from stream.kafka import topic_admin  # brings the Kafka driver, not needed for --help

    settings = Settings.load(brokers=brokers, prefix=prefix, partitions=partitions, replication=replication)
    created = asyncio.run(topic_admin.create(settings))
    if as_json:
        typer.echo(json.dumps({"created": created}))
        return
    for name in created:
        typer.echo(f"created {name}")
    typer.echo(f"{len(created)} topics created on {settings.brokers}")


@app.command()
def check(
    *,
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
    replication: Replication = None,
    as_json: Json = False,
) -> None:
    """Compare the real topics with what they should be.

    Exit code 1 if something is wrong; every finding says what to do.
    """
    from stream.kafka import topic_admin  # brings the Kafka driver, not needed for --help

    settings = Settings.load(brokers=brokers, prefix=prefix, partitions=partitions, replication=replication)
    findings = asyncio.run(topic_admin.check(settings))
    if as_json:
        typer.echo(json.dumps({"findings": [dataclasses.asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            typer.echo(f"{finding.topic}: {finding.problem}\n  {finding.advice}")
        typer.echo(f"{len(findings)} findings" if findings else "all topics are as they should be")
    if findings:
        raise typer.Exit(1)
