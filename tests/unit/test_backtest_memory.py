"""A backtest's memory: bounded by the limits of its reading, whatever the size of the file and its order."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.backtest.partition_run import Variant
from stream.backtest.reading import FileSource
from stream.backtest.result import Result
from stream.backtest.run import backtest
from stream.codec.definitions import load
from tests.house.tree import REPO
from tests.unit.test_backtest import START_MS, task

CUSTOMERS = 500
ROWS = 15_000
TIMES = 4
GROWTH_MAX = 1.1  # some numbers of each run on disk; in memory it would be twice as much
LIMITS = {  # so small that even the smaller file is hundreds of times larger
    "stream.backtest.reading.BATCH_ROWS": 2_000,
    "stream.backtest.order.RUN_BYTES": 100_000,
    "stream.backtest.order.PIECE_ROWS": 50,
}


def shuffled(path: Path, rows: int) -> Path:
    """Orders over the same hundred days in no order."""
    chance = np.random.default_rng(7)
    ts_ms = START_MS + chance.permutation(np.linspace(0, 100 * 86_400_000, rows).astype(np.int64))
    numbers = np.arange(rows).astype(str)
    columns = {
        "event_id": pa.array(numbers),
        "order_id": pa.array(numbers),
        "customer_id": pa.array(chance.integers(0, CUSTOMERS, rows).astype(str)),
        "ts": pa.array(ts_ms),
        "amount": pa.array(np.full(rows, 9.5)),
        "currency": pa.array(np.full(rows, "EUR")),
    }
    pq.write_table(pa.table(columns), path, row_group_size=2_000)
    return path


def run(path: Path) -> tuple[Result, int]:
    """The result, and the most that was held on the way, in bytes; arrow holds a batch of rows beside it."""
    variant = Variant(load(str(REPO / "examples/minimal.yaml"))[0], trained=False)
    tracemalloc.start()
    try:
        result = backtest(
            [FileSource(path, topic="purchases")], task(variants=(variant,), partitions=1, customers_max=CUSTOMERS)
        )
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_four_times_the_file_takes_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorted on disk and read in pieces: the same changes as with all of it in memory."""
    small, large = shuffled(tmp_path / "small.parquet", ROWS), shuffled(tmp_path / "large.parquet", TIMES * ROWS)
    in_memory, _ = run(small)
    for name, value in LIMITS.items():
        monkeypatch.setattr(name, value)
    bounded, peak = run(small)
    assert bounded.variants[0].digest == in_memory.variants[0].digest
    result, larger = run(large)
    assert result.events == TIMES * ROWS
    assert larger < GROWTH_MAX * peak
