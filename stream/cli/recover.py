"""`segstream recover`: what a worker cannot decide by itself; shows what would be done, and with --yes does it."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream import clock
from stream.cli.options import Brokers, Group, Json, Partitions, Prefix
from stream.cli.verify import Partition, chosen_partitions
from stream.settings import Settings, help_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stream.worker.repair import Plan

app = typer.Typer()


@app.command()
def recover(
    *,
    partition: Partition = None,
    new_engine: Annotated[
        bool,
        typer.Option(
            "--new-engine", help="Published changes stay; what this version computes otherwise corrects them."
        ),
    ] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Give up input records that cannot be read again.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="MARKER", help="Build on this marker (an offset), or on first: the journal alone."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it nothing is written.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record: it is kept in the journal.")] = "",
    brokers: Brokers = None,
    prefix: Prefix = None,
    group: Group = None,
    partitions: Partitions = None,
    definitions: Annotated[str | None, typer.Option("--definitions", help=help_of("definitions"))] = None,
    as_json: Json = False,
) -> None:
    """Look at what keeps workers from recovering, and get over it by a decision that is written down.

    Stop all workers first and give it their settings. Partitions that a worker recovers by itself are left alone.
    Exit code 1 when a partition still needs a decision, 0 when none does.
    """
    settings = Settings.load(
        brokers=brokers, prefix=prefix, group=group, partitions=partitions, definitions=definitions
    )
    chosen = chosen_partitions(settings, partition)
    if start is not None and start != "first" and not start.isdecimal():
        raise typer.BadParameter("give first or the offset of a marker", param_hint="--from")
    if start is not None and len(chosen) != 1:
        raise typer.BadParameter("markers are those of one partition: give it with --partition", param_hint="--from")
    from stream.worker.repair import Choices, repair

    choices = Choices(new_engine, skip_missing, start or "")
    who = f"{name_of(os.getuid())}@{os.uname().nodename}"
    plans = repair(settings, chosen, choices, write=yes, worker=who, reason=reason, wall_ms=clock.wall_ms())
    if asyncio.run(_told(plans, done=yes, as_json=as_json)):
        raise typer.Exit(1)


def name_of(uid: int) -> str:
    """Whose uid it is, for the record; in a container it may be nobody's."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


async def _told(plans: AsyncIterator[Plan], *, done: bool, as_json: bool) -> bool:
    """Print each plan when it is done, as JSON all that were; returns whether a partition still needs a decision."""
    values, needed = [], False
    try:
        async for plan in plans:
            needed |= plan.problem is not None or (plan.decided and not done)
            if as_json:
                values.append(_values(plan, done=done))
            else:
                typer.echo("\n".join(_lines(plan, done=done)))
    finally:
        if as_json:
            typer.echo(json.dumps({"partitions": values}))
    return needed


def _values(plan: Plan, *, done: bool) -> dict[str, Any]:
    found = plan.corrections
    return {
        "partition": plan.partition,
        "problem": plan.problem and {"message": plan.problem.message, "advice": plan.problem.advice},
        "done": plan.decided and done,
        "marker": plan.basis,
        "entries": plan.entries,
        "events": plan.events,
        "kept": found.kept,
        "issued": len(found.issued),
        "corrected": found.corrected,
        "dead_letters": len(plan.dead_letters),
        "lost": [
            {"topic": one.topic, "start": one.start, "end": one.end, "expected": one.expected, "found": one.found}
            for one in plan.lost
        ],
    }


def _lines(plan: Plan, *, done: bool) -> list[str]:
    if plan.problem is not None:
        return [f"partition {plan.partition}: {plan.problem.message}", f"  {plan.problem.advice}"]
    if not plan.decided:
        return [f"partition {plan.partition}: a worker recovers it by itself, {plan.events} events to execute again"]
    found = plan.corrections
    basis = f"marker {plan.basis}" if plan.basis >= 0 else "the journal's first entry"
    said, letters = "published" if done else "would publish", len(plan.dead_letters)
    return [
        f"partition {plan.partition}: from {basis}, {plan.entries} entries with {plan.events} events",
        *(
            f"  gone: {one.topic} offsets {one.start} to {one.end}, {one.found} of {one.expected} records are there"
            for one in plan.lost
        ),
        f"  {found.kept} published changes stay as they are",
        f"  {said} {len(found.issued)} changes, {found.corrected} to correct earlier ones; {letters} dead letters",
        "  sealed with a checkpoint: workers can start" if done else "  nothing was written: --yes does it",
    ]
