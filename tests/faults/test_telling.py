"""Laws of the figures, the page that shows them, the turns of the scenarios and the slow proxy."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from stream.clock import monotonic_s
from stream.kafka.broker import HOST, free_port
from tests.faults.figures import Figures, as_json, by_scenario, markdown, plain
from tests.faults.page import rewritten
from tests.faults.play import scenario_of
from tests.faults.proxy import PRODUCE, HeldWrites
from tests.faults.scenarios import SCENARIOS
from tests.faults.steps import STEPS

RUNS = (
    Figures("a", 0, events=1_000, hits=2, copies=3, recovery_s=2.0),
    Figures("b", 1, events=10, recovery_s=9.0, lost=1, failure="AssertionError: c7\nmore"),
    Figures("a", 2, events=500, hits=1, copies=4, recovery_s=1.0),
)


def test_rows_sum_the_runs_of_a_scenario() -> None:
    """Counts are added, of recoveries the longest counts, and the last row has everything."""
    rows = {row.scenario: row for row in by_scenario(RUNS)}
    assert list(rows) == ["a", "b", "all"]
    assert (rows["a"].runs, rows["a"].events, rows["a"].hits, rows["a"].copies) == (2, 1_500, 3, 7)
    assert (rows["a"].recovery_s, rows["a"].failed, rows["b"].failed) == (2.0, 0, 1)
    assert (rows["all"].events, rows["all"].recovery_s, rows["all"].lost) == (1_510, 9.0, 1)


def test_a_failure_is_told_everywhere() -> None:
    """No form of the result hides it."""
    rows = by_scenario(RUNS)
    assert "FAILED: AssertionError: c7" in RUNS[1].line()
    assert [row["failed"] for row in json.loads(as_json(RUNS))["scenarios"]] == [0, 1, 1]
    for table in (plain(rows), markdown(rows, {"a": "what a does"})):
        assert re.findall(r"[01](?= *\|?$)", table, re.MULTILINE) == ["0", "1", "1"]


def test_the_command_writes_between_the_markers_only() -> None:
    """The rest of the page stays, and a page without the place is refused."""
    page = "before\n<!-- faults: by hand never -->\nold\n<!-- /faults -->\nafter\n"
    assert rewritten(page, "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="has no"):
        rewritten("nothing", "new")


def test_every_scenario_has_its_turn() -> None:
    """As many seeds as scenarios try each once; every numbered step has one."""
    names = [one.name for one in SCENARIOS]
    assert sorted(scenario_of(seed).name for seed in range(len(names))) == sorted(names)
    assert len(set(names)) == len(names)
    assert {f"zombie {step}" for step in STEPS} <= set(names)


def test_only_produce_requests_are_held_back() -> None:
    """Everything arrives as it was sent and in order; what is no write waits for nothing of its own."""
    delay_s = 0.2

    def request(kind: int, text: bytes) -> bytes:
        body = kind.to_bytes(2) + text
        return len(body).to_bytes(4) + body

    async def run(sent: list[bytes]) -> tuple[bytes, float, int]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while piece := await reader.read(1024):
                writer.write(piece)
            writer.close()

        port, behind = free_port(), free_port()
        async with (
            await asyncio.start_server(echo, HOST, behind),
            HeldWrites(port, behind, lambda _: asyncio.sleep(delay_s)) as proxy,
        ):
            reader, writer = await asyncio.open_connection(HOST, port)
            started_s = monotonic_s()
            for one in sent:
                writer.write(one)
            answer = await reader.readexactly(sum(map(len, sent)))
            seconds = monotonic_s() - started_s
            writer.close()
            await writer.wait_closed()
            return answer, seconds, proxy.held_count

    fetch, produce = request(1, b"fetch"), request(PRODUCE, b"x" * 5_000)
    assert asyncio.run(run([fetch, fetch]))[::2] == (fetch * 2, 0)
    answer, seconds, held = asyncio.run(run([produce, fetch, produce]))
    assert answer == produce + fetch + produce
    assert held == 2
    assert seconds >= 2 * delay_s
