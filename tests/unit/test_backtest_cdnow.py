"""CDNOW's sample, calibrated 39 weeks: what the shipped lifecycle says of who buys in the next 39."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from stream.backtest.mapping import parse
from stream.backtest.reading import FileSource
from stream.backtest.run import backtest
from stream.backtest.score import moments_for, score
from tests.unit.test_backtest import DAY_MS, task

START_MS, AT_MS = 852_076_800_000, 875_663_999_999  # 1997-01-01, and the last moment of 1997-09-30
WITHIN_MS = 39 * 7 * DAY_MS
RECENCY = 0.7714  # the AUC of plain recency over all 2,357 customers, as published: eight of them paid nothing
PACKAGE = importlib.util.find_spec("lifetimes")  # it holds the data; `pip install --no-deps lifetimes` is enough


@pytest.mark.skipif(PACKAGE is None, reason="the data set comes with the package lifetimes, which nothing else needs")
def test_the_lifecycle_tells_who_comes_back_at_least_as_well_as_recency(tmp_path: Path) -> None:
    """Its AUC, with the dates of its memberships, is that of plain recency or better."""
    assert PACKAGE is not None
    text = (Path(str(PACKAGE.origin)).parent / "datasets" / "CDNOW_sample.txt").read_text("utf-8")
    rows = sorted((line.split() for line in text.splitlines()), key=lambda row: row[2])
    path = tmp_path / "cdnow.csv"
    lines = [f"{i},{row[0]},{row[2]},{row[4]}" for i, row in enumerate(rows)]
    path.write_text("\n".join(["id,customer,date,amount", *lines]), encoding="utf-8")
    fields = {
        "event_id": "id", "order_id": "id", "customer_id": "customer",
        "ts": {"column": "date", "pattern": "%Y%m%d"}, "amount": "amount",
    }  # fmt: skip
    mapping = parse({"events": [{"topic": "purchases", "without": ["currency"], "fields": fields}]})
    moments = moments_for(START_MS, AT_MS, WITHIN_MS)
    result = backtest([FileSource(path, mapping=mapping)], task(moments=tuple(moments)))
    found = score(result, result.variants[0], 0, moments)
    area = {one.name: one.auc for one in found.predictors}
    assert found.positives == 684
    assert area["lifecycle, with its dates"] >= max(RECENCY, area["recency alone"])
