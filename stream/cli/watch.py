"""`segstream watch`: segment changes as they happen, in words or JSON."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.options import Brokers, Json, Prefix
from stream.clock import monotonic_s
from stream.codec import plain_json
from stream.otherwise import otherwise
from stream.settings import Settings
from stream.words import sentence

if TYPE_CHECKING:
    from stream.kafka.follow import Followed

app = typer.Typer()

POLL_MS = 200  # one look for records; also how late --seconds may end


@dataclass(slots=True)
class Filter:
    """Which changes to show; an empty list lets everything pass. A segment passes when entered or left."""

    customers: list[str]
    dimensions: list[str]
    segments: list[str]
    seen_seq: dict[int, int] = field(default_factory=dict)

    def fresh(self, partition: int, change: dict[str, Any]) -> bool:
        """Whether the change is not a copy: `seq` only ever rises within a partition."""
        if change["seq"] <= self.seen_seq.get(partition, 0):
            return False
        self.seen_seq[partition] = change["seq"]
        return True

    def passes(self, change: dict[str, Any]) -> bool:
        """Whether the change is wanted."""
        named = {change.get("previous_segment"), change.get("segment")}
        return (
            (not self.customers or change.get("customer_id") in self.customers)
            and (not self.dimensions or change.get("dimension") in self.dimensions)
            and (not self.segments or not named.isdisjoint(self.segments))
        )


@app.command()
def watch(
    *,
    customer: Annotated[
        list[str] | None, typer.Option("--customer", help="Only this customer; may be repeated.")
    ] = None,
    dimension: Annotated[
        list[str] | None, typer.Option("--dimension", help="Only this dimension; may be repeated.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", help="Only changes into or out of it; may be repeated.")
    ] = None,
    from_beginning: Annotated[
        bool,
        typer.Option("--from-beginning", help="Start with the oldest change that is kept, not with the next one."),
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="End after so many changes.")] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="End after so many seconds.")] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Follow segment changes until Ctrl-C, --limit or --seconds.

    Each is one line: who, in which dimension, from where to where, why, until when it holds if nothing happens, and
    what would have led elsewhere.
    """
    settings = Settings.load(brokers=brokers, prefix=prefix)
    wanted = Filter(customer or [], dimension or [], segment or [])
    try:
        asyncio.run(
            _follow(settings, wanted, limit=limit, seconds=seconds, from_beginning=from_beginning, as_json=as_json)
        )
    except KeyboardInterrupt:  # the usual way to end
        pass
    except BrokenPipeError:  # the reader has seen enough (`| head`); spare the interpreter the flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _follow(
    settings: Settings,
    wanted: Filter,
    *,
    limit: int | None,
    seconds: float | None,
    from_beginning: bool,
    as_json: bool,
) -> None:
    from stream.kafka.follow import Follower

    follower = Follower(settings, "segment-changes", "read_uncommitted", client_id="watch")
    try:
        await follower.start()
        follower.seek(await (follower.first_offsets() if from_beginning else follower.end_offsets()))
        deadline_s = None if seconds is None else monotonic_s() + seconds
        shown = 0
        while deadline_s is None or monotonic_s() < deadline_s:
            for record in await follower.records(POLL_MS):
                line = _line(record, wanted, as_json=as_json)
                if line is None:
                    continue
                sys.stdout.write(line + "\n")
                shown += 1
                if shown == limit:
                    break
            sys.stdout.flush()
            if limit is not None and shown >= limit:
                return
    finally:
        await follower.stop()


def _line(record: Followed, wanted: Filter, *, as_json: bool) -> str | None:
    """The line to show for a record, or None."""
    if record.value is None:
        return None
    change: dict[str, Any] = plain_json.decode(record.value)
    if not wanted.fresh(record.partition, change) or not wanted.passes(change):
        return None
    return record.value.decode() if as_json else "; ".join(filter(None, (sentence(change), otherwise(change))))
