"""Memberships at a moment as Parquet: a row a customer, for notebooks and other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.customers.row import NEVER_MS
from models.events import MINOR_PER_MAJOR
from stream.backtest.partition_run import Customers
from stream.backtest.result import Outcome
from stream.errors import SegstreamError

TIME = pa.timestamp("ms", "UTC")


def write_members(path: Path, customers: Customers, outcome: Outcome, variant: int, at_ms: int) -> int:
    """Write everybody with `<dimension>`, `<dimension>_since` and `<dimension>_valid_until`; returns how many rows.

    Raises
    ------
    SegstreamError : the file cannot be written.
    """
    columns = {
        "customer_id": pa.array(customers.ids, pa.string()),
        "partition": pa.array(customers.partition),
        "at": pa.array(np.full(len(customers), at_ms), pa.int64()).cast(TIME),
        "first_at": _time(customers.first_ms),
        "newest_at": _time(customers.newest_ms),
        "first_order_at": _time(customers.first_order_ms),
        "last_order_at": _time(customers.last_order_ms),
        "orders": pa.array(customers.orders),
        "spend": pa.array(customers.spend_minor / MINOR_PER_MAJOR),
    }
    for d, dimension in enumerate(outcome.dimensions):
        names, codes = outcome.names(d), customers.segments[variant][:, d]
        values = pa.DictionaryArray.from_arrays(np.minimum(codes, len(names) - 1).astype(np.int32), names)
        columns[dimension] = values.dictionary_decode()
        columns[f"{dimension}_since"] = _time(customers.since_ms[variant][:, d])
        columns[f"{dimension}_valid_until"] = _time(customers.valid_until_ms[variant][:, d])
    table = pa.table(columns).filter(pa.array(customers.first_ms > 0))
    try:
        pq.write_table(table, path, compression="zstd")
    except OSError as error:
        raise SegstreamError(f"{path} cannot be written ({error.strerror})", "give another path") from error
    return len(table)


def _time(ms: NDArray[np.int64]) -> pa.Array:
    """Times, null where there is none."""
    return pa.array(ms, pa.int64(), mask=(ms <= 0) | (ms >= NEVER_MS)).cast(TIME)
