"""A large Parquet file out of a small simulation: every customer several times, with ids and hours of their own.

Simulating costs 20 us an event, and a backtest reads millions a second: what it is measured with is copied, not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.customers.row import DAY_MS
from stream.codec import plain_json

TEXTS = ("topic", "event_id", "customer_id", "order_id", "campaign_id", "currency", "action")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in TEXTS),
        ("ts", pa.int64()),
        ("amount", pa.float64()),
        ("machine_open", pa.bool_()),
        ("attributes", pa.string()),
    ]
)
OWN = ("event_id", "customer_id", "order_id")  # of each copy, not of the original
STEP_MS = 7_919_000  # by how much a copy is later than the one before, within a day: a prime number of seconds
WINDOW_MS = DAY_MS // 4  # of stream time in memory at a time
GROUP_ROWS = 1 << 20  # of a row group: what a reader holds of each column is bounded by it


def multiply(events: Iterable[Any], copies: int, path: Path) -> int:
    """Write events (topic, payload) `copies` times in time order; returns how many rows that is."""
    original = _table(events).sort_by("ts")
    ts_ms = original.column("ts").to_numpy()
    shifts = [(STEP_MS * copy) % DAY_MS for copy in range(copies)]
    count = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        held: list[Any] = []
        for rows, copy in _windows(ts_ms, shifts):
            part = pa.concat_tables([_copied(original, *one, shifts[one[1]]) for one in zip(rows, copy, strict=True)])
            held.append(part.sort_by("ts"))
            count += len(part)
            if sum(map(len, held)) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(held))
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held))
    return count


def _table(events: Iterable[Any]) -> Any:
    rows = []
    for one in events:
        payload = one.payload
        row = {name: payload.get(name) for name in SCHEMA.names}
        if payload.get("attributes") is not None:
            row["attributes"] = plain_json.encode(payload["attributes"]).decode()
        rows.append({**row, "topic": one.topic})
    return pa.Table.from_pylist(rows, SCHEMA)


def _windows(ts_ms: NDArray[np.int64], shifts: list[int]) -> Iterator[tuple[list[slice], list[int]]]:
    """For each window of time the rows of each copy that fall into it, and the numbers of the copies."""
    end_ms = int(ts_ms[-1]) + max(shifts) + 1
    for start_ms in range(int(ts_ms[0]), end_ms, WINDOW_MS):
        borders = [np.searchsorted(ts_ms, [start_ms - shift, start_ms + WINDOW_MS - shift]) for shift in shifts]
        found = [(slice(int(a), int(b)), copy) for copy, (a, b) in enumerate(borders) if b > a]
        if found:
            yield [rows for rows, _ in found], [copy for _, copy in found]


def _copied(original: Any, rows: slice, copy: int, shift_ms: int) -> Any:
    part = original.slice(rows.start, rows.stop - rows.start)
    for i, name in enumerate(SCHEMA.names):
        if name in OWN:
            part = part.set_column(i, name, pc.binary_join_element_wise(part.column(name), str(copy), "-"))
        elif name == "ts":
            part = part.set_column(i, name, pc.add(part.column(name), shift_ms))
    return part
