"""CDNOW's sample, calibrated 39 weeks: what the shipped lifecycle says of who buys in the next 39."""

from __future__ import annotations

import subprocess  # pip, as `make quality` calls it
import sys
from pathlib import Path

import pytest

from stream.backtest.mapping import parse
from stream.backtest.partition_run import Variant
from stream.backtest.reading import FileSource
from stream.backtest.run import backtest
from stream.backtest.score import moments_for, score
from stream.backtest.target import parse as parse_target
from stream.codec.definitions import load
from stream.settings import Settings
from tests.house.tree import REPO
from tests.unit.test_backtest import DAY_MS, task

START_MS, AT_MS = 852_076_800_000, 875_663_999_999  # 1997-01-01, and the last moment of 1997-09-30
WITHIN_MS = 39 * 7 * DAY_MS
RECENCY = 0.7714  # the AUC of plain recency over all 2,357 customers, as published: eight of them paid nothing
FETCH_SECONDS = 60.0  # half a megabyte


@pytest.fixture(scope="module")
def sample() -> Path:
    """The data set, out of the package that holds it, which nothing else of us needs: fetched once into the cache."""
    folder = Settings.load().cache_folder() / "quality"
    path = folder / "lifetimes" / "datasets" / "CDNOW_sample.txt"
    if not path.exists():
        package = (REPO / "tests/quality/packages.txt").read_text("utf-8").splitlines()[0]
        wanted = ["--no-deps", "--only-binary", ":all:", "--target", str(folder), package]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=FETCH_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip(f"the data set comes with {package}, which cannot be had from here")
    return path


def test_the_lifecycle_tells_who_comes_back_at_least_as_well_as_recency(sample: Path, tmp_path: Path) -> None:
    """Its AUC, with the dates of its memberships, is that of plain recency or better."""
    text = sample.read_text("utf-8")
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
    definitions, _ = load("")
    target = parse_target("purchase", definitions)
    variants = (Variant(definitions, trained=False),)  # no model says anything of the lifecycle
    result = backtest(
        [FileSource(path, mapping=mapping)], task(variants=variants, moments=tuple(moments), target=target)
    )
    found = score(result, result.variants[0], 0, moments, target)
    area = {one.name: one.auc for one in found.predictors}
    assert found.positives == 684
    assert area["lifecycle, with its dates"] >= max(RECENCY, area["recency alone"])
