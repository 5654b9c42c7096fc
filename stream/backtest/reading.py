"""Files as streams of Fitted records: Parquet by row groups, CSV and JSON lines by blocks. Memory is bounded.

Together with `columns`, `fitting`, `mapping`, `export` and stream.sources the only users of pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from models.events import TOPICS
from stream.backtest.fitted import ROWS_OF_A_SOURCE, Fitted
from stream.backtest.fitting import Fitter, combine
from stream.backtest.mapping import FieldMapping, mapped
from stream.codec import plain_json
from stream.codec.block import block_of
from stream.codec.events import decode
from stream.errors import SegstreamError
from stream.sources import FIELDS, LINE_BYTES_MAX, REQUIRED

BATCH_ROWS = 131_072  # of Parquet at a time: some 20 MB, and large enough that calls into arrow cost nothing
BLOCK_BYTES = 1 << 24  # of text at a time: as above
NEEDED = ("topic", *dict.fromkeys(name for names in REQUIRED.values() for name in names), "machine_open")
"""Columns that are read of files in the words of our schemas; the others are passed over."""

TEXT_FIELDS = ("topic", "event_id", "customer_id", "action", "order_id", "currency", "campaign_id")
KINDS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip


class Record(NamedTuple):
    """A line as the codec wants records."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


@dataclass(slots=True)
class FileSource:
    """One file of events, read from its beginning by `records`.

    `topic` is that of every row (None: each row says it), `number` its place among the inputs, and `done` grows to
    `total` while it is read (rows of Parquet, bytes of the others).
    """

    path: Path
    number: int = 0
    topic: str | None = None
    mapping: FieldMapping | None = None
    done: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        """Look at the file: it must be there and of a known kind."""
        if not self.path.is_file():
            raise SegstreamError(f"there is no file {self.path}", "check the path")
        if self.path.suffix.lower() not in KINDS:
            raise SegstreamError(f"{self.path.name} is of no known kind", f"name it {', '.join(KINDS)}")
        if self.topic is not None and self.topic not in FIELDS:
            raise SegstreamError(f"{self.topic!r} is no input topic", f"give one of {', '.join(FIELDS)}")

    @property
    def name(self) -> str:
        """The file's name, for people."""
        return self.path.name

    def records(self, fitter: Fitter) -> Iterator[Fitted]:
        """Records in the file's order, some ten thousand at a time.

        Raises
        ------
        SegstreamError : the file cannot be read as what it is named.
        """
        self.done = 0
        read: Callable[[FileSource, Fitter], Iterator[Fitted]] = _READERS[KINDS[self.path.suffix.lower()]]
        try:
            made = read(self, fitter)
            yield from _combined(made, fitter) if self.mapping and self.mapping.combine else made
        except (OSError, pa.ArrowException) as error:
            raise SegstreamError(
                f"{self.path.name} cannot be read: {error}", "check the file, or write it again as Parquet in UTF-8"
            ) from error

    def numbers(self, first: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Row numbers among all inputs of the rows [first, first + count) of this file, counted from 0."""
        return np.arange(first + 1, first + 1 + count) + self.number * ROWS_OF_A_SOURCE


def _combined(made: Iterator[Fitted], fitter: Fitter) -> Iterator[Fitted]:
    held: Fitted | None = None
    for records in made:
        whole, held = combine(records, held, fitter.found, last=False)
        yield whole
    if held is not None:
        yield combine(held, None, fitter.found, last=True)[0]


def _fit(source: FileSource, fitter: Fitter, batch: Any, first: int) -> Fitted:
    """Records of one RecordBatch whose first row is number `first` from 0."""
    rows = source.numbers(first, len(batch))
    if source.mapping is None:
        return fitter.fit(dict(zip(batch.schema.names, batch.columns, strict=True)), rows, source.topic)
    parts = []
    for rule, columns, places in mapped(source.mapping, batch):
        numbers = rows if places is None else rows[np.asarray(places.to_numpy(), dtype=np.int64)]
        if rule is None:
            fitter.found.reject(numbers, "not_mapped")
            continue
        lent = (*rule.without, *(() if "attributes" in rule.fields else ("attributes",)))
        parts.append(fitter.fit(columns, numbers, rule.topic, lent, combined=source.mapping.combine))
    if len(parts) == 1:
        return parts[0]
    joined = np.concatenate([np.zeros(0, fitter.shape.dtype()), *parts])
    return joined[np.argsort(joined["row"], kind="stable")]


def _parquet(source: FileSource, fitter: Fitter) -> Iterator[Fitted]:
    there = set() if source.mapping else {*pq.read_schema(source.path).names} - {"event_id"}
    repeated = [name for name in TEXT_FIELDS if name in there]
    with pq.ParquetFile(source.path, read_dictionary=repeated) as file:
        source.total = file.metadata.num_rows
        wanted = source.mapping.columns if source.mapping else (*NEEDED, *_more(fitter))
        present = [name for name in file.schema_arrow.names if name in wanted]
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=present):
            yield _fit(source, fitter, batch, source.done)
            source.done += len(batch)


def _more(fitter: Fitter) -> tuple[str, ...]:
    """Columns that only some definitions ask of."""
    return ("category",) if fitter.shape.categories else ()


def columns_of(path: Path) -> list[str]:
    """The top-level columns of a Parquet or CSV file; none for JSON lines, whose rows may differ."""
    kind = KINDS.get(path.suffix.lower())
    try:
        if kind == "parquet":
            return list(pq.read_schema(path).names)
        return _header(path) if kind == "csv" else []
    except (OSError, ValueError, pa.ArrowException):
        return []  # the reading says what is wrong


def _header(path: Path) -> list[str]:
    with path.open("rb") as file:
        header = file.readline(LINE_BYTES_MAX).decode("utf-8-sig").strip()
    return [name.strip('"') for name in header.split(",")]


def _csv(source: FileSource, fitter: Fitter) -> Iterator[Fitted]:
    bad = 0

    def invalid(_: Any) -> str:
        nonlocal bad
        bad += 1
        return "skip"

    names = _header(source.path)
    wanted = source.mapping.columns if source.mapping else (*NEEDED, "attributes", *_more(fitter))
    options = pa_csv.ConvertOptions(
        include_columns=[name for name in names if name in wanted],
        column_types={name: pa.string() for name in names},
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    source.total = source.path.stat().st_size
    with source.path.open("rb") as file:
        reader = pa_csv.open_csv(
            file,
            pa_csv.ReadOptions(block_size=BLOCK_BYTES),
            pa_csv.ParseOptions(invalid_row_handler=invalid),
            options,
        )
        first = 0
        for batch in reader:
            source.done = file.tell()
            yield _fit(source, fitter, batch, first)
            first += len(batch)
            fitter.found.reject(source.numbers(first, bad), "malformed")
            first, bad = first + bad, 0


def _jsonl(source: FileSource, fitter: Fitter) -> Iterator[Fitted]:
    source.total = source.path.stat().st_size
    first = 0
    with source.path.open("rb") as file:
        for block in _blocks(file):
            lines = block.count(b"\n") + (not block.endswith(b"\n"))
            batch = _table(source, fitter, block, lines)
            if batch is None:
                yield _line_by_line(source, fitter, block, first)
            else:
                yield _fit(source, fitter, batch, first)
            first += lines
            source.done += len(block)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time; a line that does not end is given as it is."""
    rest = b""
    while piece := file.read(BLOCK_BYTES):
        piece = rest + piece
        border = piece.rfind(b"\n") + 1
        rest = piece[border:]
        if border:
            yield piece[:border]
        if len(rest) > LINE_BYTES_MAX:
            yield rest
            rest = b""
    if rest:
        yield rest


def _table(source: FileSource, fitter: Fitter, block: bytes, lines: int) -> Any:
    """The block as one RecordBatch, None when some line of it is not as the others."""
    guesses: list[Any] = [None] if source.mapping else [_schema(fitter, pa.int64()), _schema(fitter, pa.string())]
    for schema in guesses:
        options = pa_json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore" if schema is not None else "infer"
        )
        try:
            table = pa_json.read_json(
                pa.BufferReader(block), pa_json.ReadOptions(block_size=max(len(block), 1)), options
            )
        except pa.ArrowInvalid:
            continue
        if len(table) != lines:  # an empty line: row numbers would be wrong
            return None
        return table.combine_chunks().to_batches()[0] if len(table) else None
    return None


def _schema(fitter: Fitter, ts: Any) -> Any:
    attributes = pa.struct(
        [(name, pa.float64() if kind == "number" else pa.string()) for name, kind in fitter.shape.attributes]
    )
    fields = [(name, pa.string()) for name in TEXT_FIELDS]
    return pa.schema(
        [*fields, ("ts", ts), ("amount", pa.float64()), ("machine_open", pa.bool_()), ("attributes", attributes)]
    )


def _line_by_line(source: FileSource, fitter: Fitter, block: bytes, first: int) -> Fitted:
    """Slower, and every line is judged by itself: by the codec, as live would."""
    numbers = source.numbers(first, block.count(b"\n") + 1)
    by_kind: list[list[Record]] = [[] for _ in TOPICS]
    loose = []
    for number, line in zip(numbers.tolist(), block.split(b"\n"), strict=False):
        if not line.strip():
            continue
        try:
            row = plain_json.decode(line)
        except ValueError:
            fitter.found.reject(np.array([number]), "malformed")
            continue
        if source.mapping is not None:
            loose.append((number, row))
            continue
        topic = source.topic or (row.get("topic") if isinstance(row, dict) else None)
        if topic not in TOPICS:
            fitter.found.reject(np.array([number]), "unknown_topic")
            continue
        by_kind[TOPICS.index(topic)].append(Record(number, None, line, 0))
    parts = [_fit_lines(fitter, kind, records) for kind, records in enumerate(by_kind) if records]
    parts += [_fit_loose(source, fitter, number, row) for number, row in loose]
    joined = np.concatenate([np.zeros(0, fitter.shape.dtype()), *parts])
    return joined[np.argsort(joined["row"], kind="stable")]


def _fit_lines(fitter: Fitter, kind: int, records: list[Record]) -> Fitted:
    decoded = decode(kind, block_of(records))
    numbers = decoded.block.index["offset"]
    for place, refusal in decoded.refused:
        fitter.found.reject(numbers[[place]], refusal.reason)
    return fitter.fit_decoded(decoded, numbers[decoded.rows["record"]])


def _fit_loose(source: FileSource, fitter: Fitter, number: int, row: Any) -> Fitted:
    """One line of a foreign schema whose types differ from its neighbours'."""
    try:
        batch = pa.RecordBatch.from_pylist([row if isinstance(row, dict) else {}])
    except (pa.ArrowException, TypeError):
        batch = pa.RecordBatch.from_pylist([{}])
    return _fit(source, fitter, batch, number - 1 - source.number * ROWS_OF_A_SOURCE)


_READERS = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
