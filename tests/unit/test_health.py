"""The health of segments: figures against a hand's, against the run they come from, and live against published."""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.changes import CHANGE
from models.definitions.language import parse
from models.health import Course, Everybody, flapping, health, ratio
from stream.backtest.partition_run import Variant
from stream.backtest.reading import FileSource
from stream.backtest.run import backtest
from stream.backtest.tally import Tally
from stream.cli import main
from stream.cli.past import task_of
from stream.codec.definitions import load, shipped_text
from stream.codec.definitions import plain as plain_yaml
from stream.codec.plain_json import encode
from stream.health.exposition import exposition
from stream.health.live import standing_in
from stream.health.measured import health_of
from stream.health.words import plain, told
from stream.metrics.catalogue import HEALTH
from stream.settings import Settings
from stream.simulate import events
from stream.subscriber import View
from stream.worker.census import NOTHING, Census
from stream.worker.replica import Replica
from stream.worker.standing import standing
from stream.worker.verification import documents_of
from tests.golden.recording import CHANGES, SETTINGS
from tests.house.tree import REPO
from tests.still import StillLog
from tests.unit.test_verification import lived

DAY_MS = 86_400_000
NOW_MS = 1_750_000_000_000


def people(**columns: Any) -> Everybody:
    """Ten customers who bought once for 10 each, unless told otherwise."""
    usual: dict[str, Any] = {
        "newest_ms": np.full(10, NOW_MS - 90 * DAY_MS), "last_order_ms": np.full(10, NOW_MS - 90 * DAY_MS),
        "orders": np.ones(10, np.int64), "spend_minor": np.full(10, 1000), "emails_sent": np.zeros(10, np.int64),
        "engaged": np.zeros(10, np.int64), "unsubscribes": np.zeros(10, np.int64),
    }  # fmt: skip
    return Everybody(NOW_MS, **(usual | columns))


def course(codes: list[int], sizes: list[list[int]] | None = None, **more: Any) -> Course:
    """A dimension of two segments, run for 100 days."""
    counted = np.bincount(codes, minlength=3)
    usual: dict[str, Any] = {
        "flows": np.zeros((3, 3), np.int64), "flaps": np.zeros(3, np.int64), "stay_days": np.full(3, math.nan),
    }  # fmt: skip
    days = np.array(sizes) if sizes else np.tile(counted, (100, 1))
    return Course("d", ["none", "a", "b"], np.array(codes), days, days=100.0, **(usual | more))


def test_figures_are_those_of_a_hand() -> None:
    """Two of ten spend nine tenths; of 25 entries in 100 days five were returns; half of the e-mails are read."""
    spend = np.array([4500, 4500, *[125] * 8])
    flows = np.array([[0, 20, 8], [0, 0, 4], [0, 5, 0]])
    found = health(
        people(spend_minor=spend, emails_sent=np.full(10, 4), engaged=np.array([2, 2, *[0] * 8])),
        [course([1, 1, *[2] * 8], flows=flows, flaps=np.array([0, 5, 1]), stay_days=np.array([math.nan, 12.5, 3.0]))],
    )
    first, second = found.dimensions[0].segments
    assert (first.customers, first.share, first.revenue, first.revenue_share) == (2, 0.2, 90.0, 0.9)
    assert (first.average_revenue, first.stay_days, first.email_response) == (45.0, 12.5, 0.5)
    assert (first.entries_per_day, first.exits_per_day, first.flap_rate, first.flapping) == (0.25, 0.04, 0.2, "warning")
    assert (second.email_response, found.top_fifth_revenue_share) == (0.0, 0.9)
    assert (first.growth, found.dimensions[0].stability, found.dimensions[0].shift) == (0.0, 0.0, "")


def test_the_stability_index_is_the_sum_over_segments() -> None:
    """From half and half to a tenth and nine tenths over the last month: (q - p) ln(q / p), and called shifted."""
    found = health(people(), [course([1] + [2] * 9, [[0, 5, 5]] * 70 + [[0, 1, 9]] * 30)]).dimensions[0]
    expected = (0.1 - 0.5) * math.log(0.1 / 0.5) + (0.9 - 0.5) * math.log(0.9 / 0.5)
    assert found.stability == pytest.approx(expected, abs=1e-6)
    assert (found.shift, found.period_days, len(found.periods)) == ("shifted", 30, 3)
    assert found.stability == pytest.approx(sum(one.stability or 0 for one in found.segments), abs=1e-5)
    assert found.segments[0].growth == pytest.approx(1 / 5 - 1)


@pytest.mark.parametrize(
    ("test", "changed"),
    [
        ("measurable", {"orders": np.zeros(10, np.int64)}),
        ("accessible", {}),
        ("differentiable", {"emails_sent": np.ones(10, np.int64)}),
    ],
)
def test_each_test_can_fail_alone(test: str, changed: dict[str, Any]) -> None:
    """Nobody bought; nobody takes e-mail or was seen; nobody differs from anybody."""
    spend = np.array([5000] * 5 + [100] * 5) if test != "differentiable" else np.full(10, 1000)
    seen = {} if test == "accessible" else {"newest_ms": np.full(10, NOW_MS)}
    one = health(people(spend_minor=spend, **changed, **seen), [course([1] * 5 + [2] * 5)]).dimensions[0].segments[0]
    assert [failed.name for failed in one.failed] == [test]


def test_small_and_restless_segments_fail_by_their_number() -> None:
    """An empty segment is not substantial; one that is left within a week in a third of the cases, not actionable."""
    flows = np.array([[0, 0, 0], [0, 0, 9], [0, 0, 0]])
    found = health(people(), [course([2] * 10, flows=flows, flaps=np.array([0, 0, 3]))]).dimensions[0].segments
    assert [(one.name, one.number) for one in found[0].failed] == [("substantial", 0.0)]
    assert ("actionable", 0.333333) in [(one.name, one.number) for one in found[1].failed]
    assert [flapping(rate) for rate in (None, 0.0499, 0.05, 0.2999, 0.3)] == ["", "", "warning", "warning", "alarm"]


def test_who_enters_an_audience_again_within_a_week_flaps() -> None:
    """In, out after a day, in again a day later: one flap of two entries; a month later it is none. No index of one."""
    text = shipped_text().split("dimensions:")[0] + "dimensions: {vip: {segments: [{name: in, when: orders >= 1}]}}"
    tally = Tally(parse(plain_yaml(text)), NOW_MS, keep_entries=False)
    moves = [(0, 1, 0), (1, 0, 1), (0, 1, 2), (1, 0, 3), (0, 1, 40)]
    changes = np.zeros(len(moves), CHANGE)
    for name, column in zip(("previous", "segment", "decided_ms"), np.array(moves).T, strict=True):
        changes[name] = NOW_MS + column * DAY_MS if name == "decided_ms" else column
    tally.add(changes, 1)
    assert tally.totals.flaps.tolist() == [2, 1]
    one = replace(course([1] * 10), names=["none", "in"], flaps=tally.totals.flaps, flows=tally.totals.flows,
                  sizes=np.tile([0, 10], (100, 1)), stay_days=np.full(2, math.nan))  # fmt: skip
    found = health(people(), [one]).dimensions[0]
    assert (found.flap_rate, found.segments[0].flap_rate, found.stability) == (0.333333, 0.333333, None)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 10**6)), min_size=1, max_size=60))
def test_shares_are_shares(rows: list[tuple[int, int, int]]) -> None:
    """Of customers and revenue, over whoever has a segment; a dimension is wholly like itself, and overlaps whole."""
    first, _, spend = np.array(rows).T
    count = len(rows)
    nothing = np.zeros(count, np.int64)
    everybody = Everybody(NOW_MS, nothing, nothing, nothing, spend, nothing, nothing, nothing)
    found = health(everybody, [course(first.tolist()), course(first.tolist())])
    assert sum(one.customers for one in found.dimensions[0].segments) == int((first > 0).sum())
    assert sum(one.share for one in found.dimensions[0].segments) == pytest.approx(
        found.dimensions[0].covered, abs=1e-5
    )
    assert found.likeness[0].cramers_v == pytest.approx(1.0 if len(set(first.tolist())) > 1 else 0.0)
    assert [one.jaccard for one in found.overlaps] == [1.0] * len(set(first.tolist()) - {0})


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some months of a few customers."""
    path = tmp_path_factory.mktemp("health") / "events.jsonl"
    rows = [{"topic": one.topic, **one.payload} for one in events(7, 40, 120, 1_735_689_600_000)]
    path.write_bytes(b"\n".join(encode(row) for row in rows) + b"\n")
    return path


def test_a_run_and_its_health_say_the_same(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Customers, revenue and entries are those of `backtest`; every figure of the exposition is in the catalogue."""
    result = backtest([FileSource(past)], task_of(Settings(), (Variant(load("")[0]),)))
    found = health_of(result.customers, result.variants[0], result.first_ms, result.last_ms)
    days = (result.last_ms - result.first_ms) / DAY_MS
    for d, dimension in enumerate(found.dimensions):
        figures = result.segment_figures(0, d)
        for one in dimension.segments:
            told_there = figures[one.segment]
            assert (one.customers, one.revenue) == (told_there["customers"], told_there["spend"])
            assert one.entries_per_day == round((told_there["entries"] or 0) / days, 4)
    text = exposition(found)
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert names == {metric.name for metric in HEALTH}
    assert all(re.fullmatch(r'\w+(\{(\w+="[^"]*",?)+\})? \S+', line) for line in text.splitlines() if line[0] != "#")
    assert not any(customer in text for customer in result.customers.ids)
    assert main(["health", "--events", str(past), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(plain(found)))
    assert "lifecycle" in told(found)


def test_the_year_in_the_documents_is_that_of_the_report() -> None:
    """docs/health.json, explain.json and report.html are of one run: the same customers and revenue, to the cent."""
    found = json.loads((REPO / "docs/health.json").read_text("utf-8"))
    report = (REPO / "docs/report.html").read_text("utf-8").partition('<script type="application/json" id="document">')
    document = json.loads(report[2].partition("</script>")[0])
    assert (found["customers"], found["revenue"]) == (document["figures"]["customers"], document["figures"]["spend"])
    explained = json.loads((REPO / "docs/explain.json").read_text("utf-8"))
    assert explained["definition"] == document["outputs"][0]["definitions"]
    assert explained["as_of"] == document["figures"]["last"]
    for ours, theirs in zip(found["dimensions"], document["dimensions"], strict=True):
        there = {one["name"]: (one["customers"], one["spend"]) for one in theirs["segments"]}
        for one in ours["segments"]:
            assert there.get(one["segment"], (0, 0.0)) == (one["customers"], one["revenue"]), one["segment"]


def test_live_is_read_from_rows_and_published_changes() -> None:
    """After a crash with a journal ahead of its checkpoint: members are those that a subscriber knows, and entries
    those that were published. A worker's gauges say the same.
    """
    log = lived(then_die=True)
    customers, outcome, first_ms, last_ms = asyncio.run(standing_in(log, SETTINGS))
    view = View()
    entries: dict[tuple[str, str], int] = {}
    for record in log.shelf(CHANGES).records:
        change = json.loads(record.value or b"")
        if view.take_change(0, change) == "applied":
            key = change["dimension"], change["segment"]
            entries[key] = entries.get(key, 0) + 1
    found = health_of(customers, outcome, first_ms, last_ms)
    assert found.customers == len(view)
    sizes = counted(log)
    for dimension in found.dimensions:
        for one in dimension.segments:
            members = sum(view.segments(who).get(dimension.dimension) == one.segment for who in view.customers())
            known = dimension.dimension != "behaviour"  # the unassigned of clusters are in no change
            assert not known or one.customers == members
            gauges = sizes.get((dimension.dimension, one.segment), NOTHING).tolist()
            assert gauges[:2] == [one.customers, round(one.revenue * 100)]
            assert one.email_response == ratio(gauges[3], gauges[2])
            assert not known or round(one.entries_per_day * (last_ms - first_ms) / DAY_MS) == entries.get(
                (dimension.dimension, one.segment), 0
            )


def counted(log: StillLog) -> dict[tuple[str, str], Any]:
    """What a worker's census counts of the same log, some rows at a time."""

    async def replica() -> Replica:
        return await standing(log, SETTINGS, 0, await documents_of(log, SETTINGS))

    census, engine = Census(), asyncio.run(replica()).engine
    assert engine is not None
    while not census.sizes:
        census.advance(engine)
    return census.sizes
