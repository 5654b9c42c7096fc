"""Laws of the demo's verdict and of what the viewer sees on the way."""

from __future__ import annotations

import io
import json
from collections import Counter, deque
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import generate_latest
from rich.console import Console

from stream.codec.definitions import load
from stream.demo.live import LiveScreen
from stream.demo.player import Player
from stream.demo.report import Result, result_of, summary
from stream.demo.run import Standing
from stream.demo.screen import PlainScreen, progress_line
from stream.demo.tally import Tally
from stream.metrics.registry import Metrics
from stream.metrics.scrape import Figures
from stream.settings import Settings
from stream.simulate.retail import RetailYear

YEAR = RetailYear(
    records={"clicks": [(1_000, b"k", b"v")]}, counts={"clicks": 1}, customers=1, zero_amount_count=0,
    start_ms=0, end_ms=86_400_000,
)  # fmt: skip


def standing_of() -> Standing:
    """A play of one event and what it changed, all told."""
    metrics, tally = Metrics(), Tally(["lifecycle", "value"], "ada")
    player = Player(Settings(), YEAR, 1.0)
    player.sent["clicks"] += 1
    player.refusals.clear()
    player.started_s, player.ended_s = 0.0, 2.0
    moves = [("lifecycle", None, "prospect"), ("lifecycle", "prospect", "new"), ("value", None, "low")]
    for number, (dimension, previous, segment) in enumerate(moves):
        tally.take(
            {
                "customer_id": "ada", "dimension": dimension, "previous_segment": previous, "segment": segment,
                "seq": number + 1, "trigger": {"kind": "event"}, "decided_at": "2011-01-05T09:00:00.000Z",
                "reasons": [{"feature": "orders", "before": 0, "after": 1, "threshold": 1}],
            }
        )  # fmt: skip
        metrics.changes.labels(dimension, "event").inc()
    metrics.events_applied.labels("clicks").inc()
    metrics.adoptions.labels("model").inc(2 * player.partitions)
    metrics.change_latency_seconds.observe(0.0123)
    tally.pick()
    found = Figures(generate_latest(metrics.registry).decode())
    looks = deque([(1.0, found), (2.0, found)])
    return Standing(player, tally, looks, told_count=tally.count, exit_code=0)


@pytest.fixture
def result() -> Result:
    """A result without fault."""
    return result_of(standing_of(), {"lifecycle": {"new": 1}, "value": {"low": 1}})


def test_a_whole_year_has_no_findings(result: Result) -> None:
    """Everything sent is accounted for."""
    assert result.findings() == []


def test_who_was_never_in_a_cluster_is_counted() -> None:
    """Memberships say `unassigned` of everybody who has no cluster; no change does."""
    standing = standing_of()
    standing.looks[-1] = (2.0, Figures("segstream_customers 3.0\n"))
    assert result_of(standing, None, ["value"]).segments["value"] == {"low": 1, "unassigned": 2}


@pytest.mark.parametrize(
    "fault",
    [
        {"applied": {}},
        {"refused": {"malformed": 1}, "applied": {}},
        {"duplicates": 1},
        {"counted_changes": 4},
        {"told": 4},
        {"snapshots": 0},
        {"segments": {"lifecycle": {"new": 1}, "value": {}}, "kept": None},
        {"kept": {"lifecycle": {"new": 1}, "value": {"high": 1}}},
        {"exit_code": -9},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_whatever_does_not_add_up_is_a_finding(result: Result, fault: dict[str, Any]) -> None:
    """One fault, one finding."""
    assert len(replace(result, **fault).findings()) == 1


def test_the_document_holds_what_was_promised(result: Result) -> None:
    """The names are an interface: a program reads the last line."""
    document = json.loads(json.dumps(result.document()))
    promised = {
        "events", "customers", "changes", "dead_letters", "duplicates", "model_version", "events_per_s",
        "latency_p50_ms", "latency_p99_ms", "segments",
    }  # fmt: skip
    assert promised <= set(document)
    assert document["segments"] == {"lifecycle": {"new": 1}, "value": {"low": 1}}


def test_the_summary_tells_the_story_and_every_finding(result: Result) -> None:
    """What is wrong is said last, where it is read."""
    standing = standing_of()
    assert "2011-01-05  lifecycle: prospect -> new: 1 order (was 0)" in summary(result, standing)
    assert "Not as it should be" not in summary(result, standing)
    assert (
        summary(replace(result, snapshots=0), standing).splitlines()[-1].strip() == "0 model snapshots adopted, not 1"
    )


def test_without_a_terminal_a_stage_is_told_once() -> None:
    """A log is not flooded by waiting."""
    out = io.StringIO()
    screen = PlainScreen(out)
    for text in ("starting", "starting", "recovering", "starting"):
        screen.stage(text)
    screen.draw(standing_of())
    screen.draw(standing_of())
    assert out.getvalue().splitlines() == ["starting", "recovering", "starting", progress_line(standing_of())]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (160, 50)])
def test_the_live_view_fits_the_terminal(width: int, height: int) -> None:
    """No line wraps and nothing scrolls: a view that scrolls cannot be redrawn in place."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, no_color=True)
    definitions, _ = load("")
    order = {one.name: [segment.name for segment in one.segments] for one in definitions.dimensions}
    screen, standing = LiveScreen(order, console), standing_of()
    for name in order:
        standing.tally.sizes.setdefault(name, Counter())
    standing.tally.sizes["behaviour"] = Counter({f"cluster-{number}": 1_000 * number for number in range(1, 8)})
    try:
        lines = console.render_lines(screen.view(standing), pad=False)
    finally:
        screen.close()
    assert len(lines) <= height
    text = "\n".join("".join(segment.text for segment in line) for line in lines)
    assert "lifecycle: prospect -> new: 1 order (was 0)" in text
    assert "latency p50" in text
