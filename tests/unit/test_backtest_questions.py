"""What is asked of a backtest: comparisons, limits, scores, exports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.backtest.compare import compare, in_words
from stream.backtest.limits import parse
from stream.backtest.partition_run import Variant
from stream.backtest.result import Result
from stream.backtest.score import auc
from stream.cli import main
from stream.codec.definitions import load, shipped_text
from stream.errors import SegstreamError
from tests.unit.test_backtest import DAY_MS, START_MS, jsonl, members, rows, run

__all__ = ["jsonl", "rows"]  # fixtures


@pytest.fixture(scope="module")
def stricter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped definitions with another border of `active`, and a budget."""
    path = tmp_path_factory.mktemp("definitions") / "b.yaml"
    text = shipped_text().replace("when: days_since_order < 45", "when: days_since_order < 30")
    path.write_text(f'{text}\nbudget:\n  - "total.changes_per_day <= 1000000"\n', encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def both(jsonl: Path, stricter: Path) -> Result:
    """A run of the two."""
    variants = (Variant(load("")[0]), Variant(load(str(stricter))[0]))
    return run(jsonl, variants=variants, keep_entries=True)


def test_a_budget_is_no_part_of_the_definitions(stricter: Path) -> None:
    """Who changes a limit changes nobody's segment: the digest stays."""
    definitions, _ = load(str(stricter))
    assert definitions.budget
    without = stricter.with_name("without.yaml")
    without.write_text(stricter.read_text("utf-8").split("\nbudget:")[0], encoding="utf-8")
    assert load(str(without))[0].digest == definitions.digest


def test_each_variant_is_what_it_is_alone(both: Result, jsonl: Path, stricter: Path) -> None:
    """Running beside another changes nothing."""
    assert both.variants[0].digest == run(jsonl).variants[0].digest
    assert both.variants[1].digest == run(jsonl, variants=(Variant(load(str(stricter))[0]),)).variants[0].digest


def test_a_comparison_adds_up(both: Result) -> None:
    """Pairs are those who differ, and only the edited dimension has any."""
    found = compare(both)
    assert [one.name for one in found.dimensions if one.differ] == ["lifecycle"]
    lifecycle = found.dimensions[0]
    assert sum(pair.customers for pair in lifecycle.pairs) == lifecycle.differ > 0
    assert {(pair.before, pair.after) for pair in lifecycle.pairs} == {("active", "cooling")}
    assert any("active to cooling" in sentence for sentence in in_words(found))
    assert "churners" in {one.group for one in found.notices[0]}


@pytest.mark.parametrize(
    ("limit", "code"), [("lifecycle.differ > 99%", 0), ("active.size_change < 0%", 1), ("total.changes_per_day > 0", 1)]
)
def test_a_broken_limit_is_an_exit_code(
    limit: str, code: int, jsonl: Path, stricter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a pull request can fail."""
    arguments = ["backtest", str(jsonl), "--against", str(stricter), "--fail-if", limit, "--format", "markdown"]
    assert main(arguments) == code
    told = capsys.readouterr().out
    assert ("BROKEN" in told) == (code == 1)
    assert "### what it means" in told


@pytest.mark.parametrize(("limit", "code"), [("active.share <= 100%", 0), ("active.share <= 1%", 1)])
def test_a_budget_holds_without_a_comparison(
    limit: str, code: int, jsonl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a budget says must be, or the exit code is 1 and the answer says by how much."""
    path = tmp_path / "a.yaml"
    path.write_text(f'{shipped_text()}\nbudget: ["{limit}"]\n', encoding="utf-8")
    assert main(["backtest", str(jsonl), "--definitions", str(path), "--json"]) == code
    (verdict,) = json.loads(capsys.readouterr().out)["limits"]
    assert (verdict["limit"], verdict["broken"]) == (limit, code == 1)
    assert 0.01 < verdict["measured"] < 1


@pytest.mark.parametrize("text", ["", "vip > 3", "vip.size_change", "vip.beauty > 3", "vip.size > many"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    """With the measures that there are."""
    with pytest.raises(SegstreamError, match="is no limit"):
        parse(text)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_the_share_of_pairs_in_the_right_order(cases: list[tuple[int, bool]]) -> None:
    """Ties count half; the interval holds the area."""
    x, positive = np.array([float(a) for a, _ in cases]), np.array([b for _, b in cases])
    area, low, high = auc(x, positive)
    pairs = [(p > n) + (p == n) / 2 for p in x[positive] for n in x[~positive]]
    if not pairs:
        assert np.isnan(area)
    else:
        assert area == pytest.approx(sum(pairs) / len(pairs))
        assert low <= area <= high


def test_exported_members_are_the_members(jsonl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everybody, with the segment of each dimension."""
    assert main(["backtest", str(jsonl), "--members", str(tmp_path / "members.parquet"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    table = pq.read_table(tmp_path / "members.parquet").to_pylist()
    for dimension, segments in figures["segments"].items():
        counts = {name: sum(one[dimension] == name for one in table) for name in segments}
        assert counts == {name: one["customers"] for name, one in segments.items()}


def test_members_at_a_time_are_those_of_a_run_that_ends_there(jsonl: Path) -> None:
    """What comes later does not reach back."""
    at_ms = START_MS + 60 * DAY_MS
    whole, ended = run(jsonl, moments=(at_ms,)), run(jsonl, until_ms=at_ms)
    then = whole.at[0][1]
    assert dict(zip(then.ids, then.segments[0].tolist(), strict=True)) == members(ended)
    assert ended.last_ms == at_ms
    assert dataclasses.asdict(ended.speed).keys() == {"seconds", "cpu_s", "peak_rss_bytes"}
