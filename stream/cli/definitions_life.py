"""`segstream definitions diff|apply|history|rollback`: how definitions change, and what did."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.options import Brokers, Json, Partitions, Prefix
from stream.cli.times import span_ms
from stream.errors import SegstreamError
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.codec.enactments import Enactment
    from stream.definitions.difference import Difference
    from stream.worker.life import Life, Version

LIVE, SHIPPED = "live", "shipped"
LOOK_SECONDS = 0.5  # between two looks at the newest checkpoints
_VERSION = re.compile("[0-9a-f]{4,16}")

Message = Annotated[str, typer.Option("--message", "-m", help="Why: kept in the history.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Wait = Annotated[bool, typer.Option("--wait", help="Until every partition has judged all customers by them.")]
Timeout = Annotated[str, typer.Option("--timeout", metavar="SPAN", help="How long --wait waits at most.")]


class Form(enum.StrEnum):
    """How a difference is printed: for people, for programs, for a pull request."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `segstream definitions`."""
    for command in (diff, apply, history, rollback):
        app.command()(command)


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A file, `shipped`, `live`, or a version's digest.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.TEXT,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Say in words what differs between two definitions, and which customers it concerns."""
    settings = Settings.load(brokers=brokers, prefix=prefix)
    typer.echo(_printed(asyncio.run(_difference(settings, before, after)), form))


def apply(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A definitions file, or `shipped`.")],
    *,
    message: Message = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
) -> None:
    """Put a definitions file in force, in all workers, without a restart; says first what changes.

    Exit code 1 if the file has what `definitions check` calls an error, or gives a retired segment's id to another.
    """
    from stream.codec.definitions import load, refusals, text_of

    path = "" if file == SHIPPED else file
    found = refusals(text_of(path))
    for one in found:
        typer.echo(f"{file}:{one.line}:{one.column}: {one.path}: {one.problem}", err=True)
    if found:
        raise typer.Exit(1)
    definitions, document = load(path)
    settings = Settings.load(brokers=brokers, prefix=prefix, partitions=partitions)

    async def work(of: Life) -> int:
        spent = of.spent_by(definitions)
        for dimension, segment in spent:
            typer.echo(f"{file}: {dimension}: the id {segment!r} was that of a segment that retired", err=True)
        if spent:
            typer.echo("give the new segment an id of its own (`id: ...`): its name may be the old one", err=True)
            return 1
        return await _enact(of, document, _enactment(definitions.digest, "apply", message), dry_run=dry_run)

    _finish(settings, work, wait=wait and not dry_run, timeout=timeout)


def rollback(
    digest: Annotated[
        str, typer.Argument(metavar="[DIGEST]", help="A version of `history`; none: the one before the present.")
    ] = "",
    *,
    message: Message = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
) -> None:
    """Put an earlier version in force again: it is published anew, and nothing is taken out of the history."""
    settings = Settings.load(brokers=brokers, prefix=prefix, partitions=partitions)

    async def work(of: Life) -> int:
        chosen = of.digest_of(digest) if digest else _before(of.versions)
        return await _enact(of, of.value(chosen), _enactment(chosen, "rollback", message), dry_run=dry_run)

    _finish(settings, work, wait=wait and not dry_run, timeout=timeout)


def history(
    *,
    brokers: Brokers = None,
    prefix: Prefix = None,
    partitions: Partitions = None,
    as_json: Json = False,
) -> None:
    """List the versions that were in force, the newest last, and how many partitions have adopted it."""
    settings = Settings.load(brokers=brokers, prefix=prefix, partitions=partitions)
    typer.echo(asyncio.run(_history(settings, as_json=as_json)))


async def _history(settings: Settings, *, as_json: bool) -> str:
    from stream.worker.life import life

    async with life(settings) as of:
        versions = of.versions
        standings = await of.standings()
    rows = [_row(version) for version in versions]
    adopted = sum(one.has(versions[-1].enactment.digest) for one in standings) if versions else 0
    if as_json:
        return json.dumps({"versions": rows, "partitions": len(standings), "adopted": adopted})
    if not rows:
        return "no definitions are in force yet"
    lines = [
        f"{'*' if row['in_force'] else ' '} {row['digest']}  {row['at']}  {row['by']:8}  {row['name']}"
        + (f": {row['message']}" if row["message"] else "")
        for row in rows
    ]
    return "\n".join([*lines, f"adopted and checkpointed by {adopted} of {len(standings)} partitions"])


def _row(version: Version) -> dict[str, Any]:
    enactment = version.enactment
    at = dt.datetime.fromtimestamp(enactment.at_ms / 1000, dt.UTC).isoformat(timespec="seconds")
    return {
        "digest": enactment.digest,
        "name": version.definitions.name,
        "at": at.replace("+00:00", "Z"),
        "by": enactment.by,
        "message": enactment.message,
        "in_force": version.in_force,
    }


def _before(versions: list[Version]) -> str:
    if len(versions) < 2:  # noqa: PLR2004 - the present one, and one before it
        raise SegstreamError("there is no version before the present one", "`segstream definitions history` lists them")
    return versions[-2].enactment.digest


def _enactment(digest: str, by: str, message: str) -> Enactment:
    from stream.clock import wall_ms
    from stream.codec.enactments import MESSAGE_MAX, Enactment

    if len(message) > MESSAGE_MAX:
        raise SegstreamError(f"the message has {len(message)} characters", f"keep it within {MESSAGE_MAX}")
    return Enactment(digest, wall_ms(), by, message)


async def _enact(of: Life, document: bytes, enactment: Enactment, *, dry_run: bool) -> int:
    """Print what changes, and put it in force unless that is so already, or nothing shall be done."""
    from stream.codec.definitions import document_of

    new = document_of(document)
    if of.present is None:
        typer.echo(f"{enactment.digest} will be the first definitions in force")
    else:
        from stream.definitions.difference import Difference

        old = of.document(LIVE)
        typer.echo(Difference(_called(old), _called(new), old, new).text())
        if enactment.digest == of.present.enactment.digest:
            return 0
    if dry_run:
        typer.echo("dry run: nothing was published")
        return 0
    await of.enact(document, enactment)
    typer.echo(f"published: {enactment.digest} is in force")
    return 0


def _finish(settings: Settings, work: Callable[[Life], Awaitable[int]], *, wait: bool, timeout: str) -> None:
    """Do the work with what the topics tell, wait if that was wished, and end with its exit code."""
    seconds = span_ms(timeout) / 1000

    async def run() -> int:
        from stream.worker.life import life

        async with life(settings) as of:
            code = await work(of)
            if wait and code == 0:
                await of.read()
                await _adopted(of, seconds)
            return code

    code = asyncio.run(run())
    if code:
        raise typer.Exit(code)


async def _adopted(of: Life, seconds: float) -> None:
    """Wait until the newest checkpoint of every partition says that all are judged by what is in force."""
    from stream.clock import monotonic_s

    digest, deadline_s, told = of.digest_of(LIVE), monotonic_s() + seconds, ""
    while True:
        standings = await of.standings()
        done = sum(one.has(digest) for one in standings)
        waiting = sum(one.waiting for one in standings if one.definitions == digest)
        line = f"adopted by {done} of {len(standings)} partitions" + (
            f", {waiting} customers to judge" if waiting else ""
        )
        if line != told:
            typer.echo(line)
            told = line
        if done == len(standings):
            return
        if monotonic_s() > deadline_s:
            raise SegstreamError(
                f"{len(standings) - done} partitions have not adopted {digest} within {seconds:g} s",
                "it stays in force: see whether workers run, and segstream_adoption_pending_rows",
            )
        await asyncio.sleep(LOOK_SECONDS)


def _printed(difference: Difference, form: Form) -> str:
    if form is Form.JSON:
        return json.dumps(difference.values(), ensure_ascii=False)
    return difference.markdown() if form is Form.MARKDOWN else difference.text()


async def _difference(settings: Settings, before: str, after: str) -> Difference:
    from stream.definitions.difference import Difference

    published = [name for name in (before, after) if _is_version(name)]
    if published:
        from stream.worker.life import life

        async with life(settings) as of:
            documents = {name: of.document(name) for name in published}
    else:
        documents = {}
    sides = [documents[name] if name in documents else _written(name) for name in (before, after)]
    return Difference(_called(sides[0]), _called(sides[1]), sides[0], sides[1])


def _is_version(name: str) -> bool:
    return name == LIVE or (_VERSION.fullmatch(name) is not None and not Path(name).exists())


def _written(name: str) -> Any:
    """The plain values of a file that has no mistakes."""
    from stream.codec.definitions import document_of, load

    return document_of(load("" if name == SHIPPED else name)[1])


def _called(document: Any) -> tuple[str, str]:
    """The name and the digest of a document."""
    from models.definitions.language import parse

    parsed = parse(document, recorded=True)  # a file was checked before
    return parsed.name, parsed.digest
