"""Flags that several commands share: typed once, with the help of the setting they stand for."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.settings import help_of

Brokers = Annotated[str | None, typer.Option("--brokers", metavar="HOST:PORT", help=help_of("brokers"))]
Prefix = Annotated[str | None, typer.Option("--prefix", help=help_of("prefix"))]
Group = Annotated[str | None, typer.Option("--group", help=help_of("group"))]
Partitions = Annotated[int | None, typer.Option("--partitions", help=help_of("partitions"))]
Replication = Annotated[int | None, typer.Option("--replication", help=help_of("replication"))]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of words.")]
Definitions = Annotated[str | None, typer.Option("--definitions", metavar="FILE", help=help_of("definitions"))]
PastEvents = Annotated[
    list[str] | None,
    typer.Option("--events", metavar="FILE", help="Past events and not Kafka; TOPIC=FILE; may be repeated."),
]
At = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="With --events: as of then; else after the last event.")
]
Mapping = Annotated[
    str | None,
    typer.Option("--mapping", metavar="NAME|FILE", help="Fields of a foreign schema; a ready one is recognised."),
]
