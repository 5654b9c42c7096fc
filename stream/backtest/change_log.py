"""The full change log of a backtest as Parquet: for each change the very bytes that live publishes, and columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.changes import TRIGGERS, Change
from models.engine import Engine, Judge
from models.events import TOPICS
from stream.backtest.fitted import ROWS_OF_A_SOURCE, Fitted
from stream.codec.changes import Address, ChangeWriter

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("seq", pa.int64()),
        ("dimension", pa.string()),
        ("previous_segment", pa.string()),
        ("segment", pa.string()),
        ("trigger", pa.string()),
        ("occurred_at", pa.timestamp("ms", "UTC")),
        ("decided_at", pa.timestamp("ms", "UTC")),
        ("value", pa.binary()),  # the record's value as the worker would publish it
    ]
)
ROWS_HELD_MAX = 50_000  # changes before they are written: some 50 MB


class ChangeLog:
    """Writes `part-N.parquet` of one partition into a folder; `close` completes it."""

    def __init__(self, folder: str, partition: int) -> None:
        self.partition = partition
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._writer: Any = pq.ParquetWriter(Path(folder) / f"part-{partition}.parquet", SCHEMA, compression="zstd")
        self._writers: ChangeWriter | None = None
        self._held: list[tuple[Any, ...]] = []

    def add(self, changes: NDArray[np.void], engine: Engine, records: Fitted | None) -> None:
        """Write CHANGE records as the worker would; `records` are the events they refer to."""
        ids, generation = engine.table.ids(changes["slot"]), engine.adoption.generation
        columns = [changes[name].tolist() for name in Change._fields]
        for customer_id, *values in zip(ids, *columns, strict=True):
            change = Change(*values)
            judge = engine.judge if change.generation == generation else engine.older
            address = self._address(records, change.event) if records is not None and change.event >= 0 else None
            d = change.dimension
            self._held.append(
                (
                    customer_id,
                    change.seq,
                    judge.definitions.dimensions[d].name,
                    judge.segment_name(d, change.previous),
                    judge.segment_name(d, change.segment),
                    TRIGGERS[change.trigger],
                    change.occurred_ms,
                    change.decided_ms,
                    self._writer_of(judge).write(change, customer_id, address),
                )
            )
        if len(self._held) >= ROWS_HELD_MAX:
            self._write()

    def _writer_of(self, judge: Judge) -> ChangeWriter:
        if self._writers is None or self._writers.judge is not judge:
            self._writers = ChangeWriter(judge, self.partition)
        return self._writers

    def _address(self, records: Fitted, event: int) -> Address:
        record = records[event]
        return (
            record["event_id"].decode(),
            TOPICS[int(record["kind"])],
            self.partition,
            (int(record["row"]) - 1) % ROWS_OF_A_SOURCE,
        )

    def _write(self) -> None:
        columns = list(zip(*self._held, strict=True)) or [()] * len(SCHEMA)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._held.clear()

    def close(self) -> None:
        """Write what is held, and the file's end."""
        self._write()
        self._writer.close()
