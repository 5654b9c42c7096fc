"""What a score predicts: events of every kind and entries into segments, with nothing from after its time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stream.backtest.partition_run import Variant
from stream.backtest.result import Result
from stream.backtest.score import Score, moments_for, score
from stream.backtest.target import parse
from stream.codec.definitions import load
from stream.errors import SegstreamError
from tests.house.tree import REPO
from tests.unit.test_backtest import DAY_MS, START_MS, jsonl, lines, rows, run

__all__ = ["jsonl", "rows"]  # fixtures

DEFINITIONS, _ = load("")
AT_MS, WITHIN_MS = START_MS + 90 * DAY_MS, 20 * DAY_MS
VARIANTS = (Variant(DEFINITIONS, trained=False),)  # no figure here hangs on a model
Row = dict[str, Any]


def scored(path: Path, target: str, **more: Any) -> tuple[Result, Score]:
    """A run with everybody written down at the moments, and its score."""
    asked, moments = parse(target, DEFINITIONS), moments_for(START_MS, AT_MS, WITHIN_MS)
    result = run(path, variants=VARIANTS, moments=tuple(moments), target=asked, **more)
    return result, score(result, result.variants[0], 0, moments, asked)


def acted(topic: str, **wanted: str) -> Callable[[Row], bool]:
    """Whether a row is an event of the topic with these values."""
    return lambda row: row["topic"] == topic and all(row.get(name) == value for name, value in wanted.items())


@pytest.mark.parametrize(
    ("target", "is_it"),
    [
        ("purchase", lambda row: acted("purchases")(row) and row["amount"] > 0),
        ("purchase >= 60", lambda row: acted("purchases")(row) and row["amount"] >= 60),
        ("click", acted("clicks")),
        ("cart_add", acted("clicks", action="cart_add")),
        ("open", lambda row: acted("emails", action="open")(row) and not row.get("machine_open")),
        ("email_click", acted("emails", action="click")),
    ],
)
def test_an_event_is_counted_of_those_who_were_known(
    target: str, is_it: Callable[[Row], bool], rows: list[Row], jsonl: Path
) -> None:
    """Positives are the customers known at the time who did it after that and before the end."""
    result, found = scored(jsonl, target)
    known = set(result.at[-2][1].ids)
    there = {row["customer_id"] for row in rows if AT_MS < row["ts"] <= AT_MS + WITHIN_MS and is_it(row)} & known
    assert found.positives == len(there) > 0
    assert found.customers == len(known)
    assert found.outcome == target


def test_an_entry_is_counted_of_those_who_were_not_in(jsonl: Path, tmp_path: Path) -> None:
    """Positives are those whom a published change took into the segment; whoever was in it is not asked about."""
    result, found = scored(jsonl, "lifecycle.cooling", changes_folder=str(tmp_path / "log"))
    code = [one.name for one in DEFINITIONS.dimensions[0].segments].index("cooling") + 1
    now = result.at[-2][1]
    outside = {who for who, codes in zip(now.ids, now.segments[0][:, 0].tolist(), strict=True) if codes != code}
    entered = {
        row["customer_id"]
        for row in pq.read_table(tmp_path / "log").to_pylist()
        if (row["dimension"], row["segment"]) == ("lifecycle", "cooling")
        and AT_MS < row["decided_at"].timestamp() * 1000 <= AT_MS + WITHIN_MS
    }
    assert found.positives == len(entered & outside) > 0
    assert found.customers == len(outside) < len(now)
    assert "cooling" not in found.segments["lifecycle"]


@pytest.mark.parametrize("target", ["purchase", "lifecycle.cooling"])
def test_a_score_uses_nothing_from_after_its_time(target: str, rows: list[Row], jsonl: Path, tmp_path: Path) -> None:
    """Leaving out what came after T, but for the purchases that decide what is asked, changes no predictor."""
    end_ms = AT_MS + WITHIN_MS
    kept = [row for row in rows if row["ts"] <= AT_MS or (row["topic"] == "purchases" and row["ts"] <= end_ms)]
    _, whole = scored(jsonl, target)
    _, cut = scored(lines(tmp_path / "cut.jsonl", kept), target)
    assert cut.predictors == whole.predictors
    assert cut.positives == whole.positives


def test_an_audience_can_be_entered(jsonl: Path) -> None:
    """By the name that changes have for it, also where it is only a bit of the row."""
    definitions, _ = load(str(REPO / "examples/audiences.yaml"))
    asked, moments = parse("audience:abandoned cart", definitions), moments_for(START_MS, AT_MS, WITHIN_MS)
    variants = (Variant(definitions, trained=False),)
    result = run(jsonl, variants=variants, moments=tuple(moments), target=asked)
    found = score(result, result.variants[0], 0, moments, asked)
    assert 0 < found.positives < found.customers < len(result.at[-2][1])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("weather", "is neither an event nor a segment"),
        ("at risk", "is a segment of 2 dimensions"),
        ("behaviour.cluster-1", "is neither an event nor a segment"),
        ("click >= 3", "is neither an event nor a segment"),
        ("purchase >= many", "is neither an event nor a segment"),
    ],
)
def test_what_cannot_be_predicted_is_refused(text: str, problem: str) -> None:
    """With what can be."""
    with pytest.raises(SegstreamError, match=problem):
        parse(text, DEFINITIONS)
