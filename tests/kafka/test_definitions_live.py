"""Definitions edited under load, with the commands: nobody is left where the definitions in force do not put them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from models.definitions.document import RULES, Definitions
from models.engine import Judge
from models.events import TOPICS
from stream.cli import EXIT_FINDINGS
from stream.codec.block import block_of, digest
from stream.codec.definitions import plain, shipped_text
from stream.codec.events import decode
from stream.codec.journal import Adopt, Batch, Claim, Position, Tick
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from stream.worker.replica import Replica, rule_of
from tests.kafka.agreement import Memberships, everything_agrees, memberships_of_topic, segments_of
from tests.kafka.worker import Sent, crew, feed, final_times, parsed, read_all, remains, settle, story, told
from tests.unit.test_replica import Record

pytestmark = pytest.mark.kafka

PARTS = 4  # of the events: before the first edit, and after each
CUSTOMERS = 60
RATE = 4_000.0  # events a second: some are on their way whenever definitions change


def second() -> dict[str, Any]:
    """The shipped definitions with a threshold moved, a segment renamed, one removed, and a dimension removed."""
    document: dict[str, Any] = plain(shipped_text())
    del document["dimensions"]["intent"]
    segments = {one["name"]: one for one in document["dimensions"]["engagement"]["segments"]}
    segments["engaged"]["when"] = "recent_engaged in 30 days >= 1"
    segments["passive"] |= {"id": "passive", "name": "half asleep"}
    del segments["unresponsive"]
    document["dimensions"]["engagement"]["segments"] = list(segments.values())
    return document


def third() -> dict[str, Any]:
    """The second, with the id of the removed segment given to another."""
    document = second()
    document["dimensions"]["engagement"]["segments"].insert(0, {"name": "unresponsive", "when": "orders >= 1000"})
    return document


async def command(settings: Settings, *arguments: str, code: int = 0) -> str:
    """What a command says; it must end with the code."""
    flags = ["--brokers", settings.brokers, "--prefix", settings.prefix, "--partitions", str(settings.partitions)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream.cli", "definitions", *arguments, *flags, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, errors = await process.communicate()
    assert process.returncode == code, said + errors
    return (errors if code else said).decode()


def evaluated(settings: Settings, sent: list[Sent], judges: dict[int, Judge]) -> Memberships:
    """Where a fresh evaluation of all events puts everybody, by the rules in force and in one piece."""
    found: Memberships = {}
    for partition, final_ms in final_times(settings, sent).items():
        judge = judges[partition]
        replica = Replica(partition, rule_of(settings), {"d": judge.definitions}.__getitem__, partition_of)
        replica.execute(0, Claim("w", "", "g", "", 0), {})
        replica.execute(1, Adopt(0, "definitions", "d", 0, 0), {})
        by_kind: dict[int, list[Record]] = {}
        for i, (topic, payload) in enumerate(sent):
            if partition_of(payload["customer_id"], settings.partitions) == partition:
                by_kind.setdefault(TOPICS.index(topic), []).append(Record(i, json.dumps(payload).encode()))
        positions = tuple(Position(k, 0, len(sent), len(some), digest(block_of(some))) for k, some in by_kind.items())
        inputs = {kind: decode(kind, block_of(some)) for kind, some in by_kind.items()}
        replica.execute(2, Batch(0, positions, final_ms, final_ms), inputs)
        engine = replica.engine
        assert engine is not None
        while len(engine.table.due_slots(final_ms, 1)):
            replica.execute(3, Tick(0, final_ms, 1000, final_ms), {})
        for customer_id, slot in engine.table.items():
            found[customer_id] = segments_of(engine.table.rows[slot], engine.judge)
    return found


def settled(memberships: Memberships, definitions: Definitions) -> Memberships:
    """Without clusters, and without what depends on the way there."""
    names = {
        one.name
        for one in definitions.dimensions
        if one.kind == RULES and all(segment.stay == segment.enter and not segment.dwell_ms for segment in one.segments)
    }
    return {who: {d: s for d, s in one.items() if d in names} for who, one in memberships.items()}


def test_definitions_are_edited_under_load(settings: Settings, tmp_path: Path) -> None:
    """Applied, rolled back and applied again while events come: the memberships are those of a fresh evaluation,
    every move was told, and the journal repeats it all.
    """
    path = tmp_path / "second.yaml"
    path.write_text(json.dumps(second()), "utf-8")
    settings, sent = told(settings, sample_rotation=50), story(seed=23, customers=CUSTOMERS, days=200)

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            size = -(-len(sent) // PARTS)
            await feed(settings, sent[:size])
            edits = (("apply", str(path), "--message", "less"), ("rollback", "--wait"), ("apply", str(path), "--wait"))
            said = []
            for number, edit in enumerate(edits, 1):
                feeding = asyncio.ensure_future(feed(settings, sent[number * size : (number + 1) * size], rate=RATE))
                said.append(await command(settings, *edit))
                await feeding
            refused = tmp_path / "third.yaml"
            refused.write_text(json.dumps(third()), "utf-8")
            told_why = await command(settings, "apply", str(refused), code=EXIT_FINDINGS)
            assert "engagement: the id 'unresponsive' was that of a segment that retired" in told_why
            await settle(log, final_times(settings, sent), worker)
            versions = json.loads(await command(settings, "history", "--json"))
            await worker.stop()
            assert "passive: is now called 'half asleep'" in said[0]
            assert "intent\n  removed" in said[2]
            assert [one["by"] for one in versions["versions"]] == ["worker", "apply", "rollback", "apply"]
            assert versions["adopted"] == settings.partitions
            await everything_agrees(settings, sent, log)
            judges = {
                one.replica.partition: one.replica.engine.judge for one in await remains(settings) if one.replica.engine
            }
            definitions = judges[0].definitions
            assert "intent" not in [one.name for one in definitions.dimensions]
            found = settled(await memberships_of_topic(settings), definitions)
            assert found == settled(evaluated(settings, sent, judges), definitions)
            _moves_were_told(parsed(await read_all(settings, "segment-changes")))

    asyncio.run(run())


def _moves_were_told(changes: list[dict[str, Any]]) -> None:
    """What was edited away was left by its name; what was only renamed moved nobody."""
    edited = [one for one in changes if one["trigger"]["kind"] == "definition"]
    last = {one["customer_id"]: one for one in changes if one["dimension"] == "intent"}
    assert len(last) > CUSTOMERS / 2  # whoever came after it was removed was never in it
    assert {(one["segment"], one["trigger"]["kind"]) for one in last.values()} == {(None, "definition")}
    assert any(one["previous_segment"] == "unresponsive" for one in edited)
    assert not any("half asleep" in (one["segment"], one["previous_segment"]) for one in changes)
    assert {one["label"] for one in changes if one["segment"] == "passive"} <= {None, "half asleep"}
