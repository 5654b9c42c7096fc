"""Events out of files: Parquet, CSV and JSON lines, read as a stream; a row that does not fit is counted,
never fatal.

A file's columns are the fields of the input schemas plus `topic`, unless the topic is given. Nested fields
(`items`, `attributes`) are nested columns in Parquet and JSON text in CSV. The only user of pyarrow.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stream.codec import plain_json
from stream.errors import SegstreamError

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "clicks": (
        "event_id", "customer_id", "ts", "action", "page", "product_id", "category", "session_id",
        "campaign_id",
    ),
    "purchases": ("event_id", "customer_id", "ts", "order_id", "amount", "currency", "items"),
    "emails": ("event_id", "customer_id", "ts", "campaign_id", "action", "machine_open"),
    "profiles": ("customer_id", "ts", "attributes"),
}  # fmt: skip
"""The fields of each input topic; columns that a row's topic does not have are left out."""

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "clicks": ("event_id", "customer_id", "ts", "action"),
    "purchases": ("event_id", "customer_id", "ts", "order_id", "amount", "currency"),
    "emails": ("event_id", "customer_id", "ts", "campaign_id", "action"),
    "profiles": ("customer_id", "ts", "attributes"),
}
"""Fields without which a row does not fit. What their values may be is judged by the worker (dead letters).
"""

BATCH_ROWS: Final = 10_000  # rows of Parquet in memory at a time: some MB
LINE_BYTES_MAX: Final = 4 * 1024 * 1024  # a line beyond Kafka's largest request cannot become a record
VALUE_BYTES_MAX: Final = LINE_BYTES_MAX - 65_536  # what Kafka takes, less its own bytes and the key
EXAMPLES_MAX: Final = 5  # misfits remembered by row; the rest are only counted
_NESTED: Final = ("items", "attributes")  # fields that may come as JSON text
_NUMBERS: Final = ("amount", *_NESTED)  # fields that may hold a number that is not finite
_DIGITS_MAX: Final = 18  # more digits than any 64-bit time; such a text is judged as a date, and refused
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


class SourceEvent(NamedTuple):
    """One event as it goes to Kafka: topic without prefix, key, JSON value, event time (epoch ms)."""

    topic: str
    customer_id: str
    value: bytes
    ts_ms: int


class Misfit(NamedTuple):
    """A row that does not fit: its number (the first row of events is 1) and why."""

    row: int
    reason: str


@dataclass(slots=True)
class Reading:
    """What a reading found so far: rows that became events, and those that do not fit by reason."""

    fit_count: int = 0
    misfits: Counter[str] = field(default_factory=Counter)
    examples: list[Misfit] = field(default_factory=list)

    @property
    def misfit_count(self) -> int:
        """Rows that did not fit."""
        return self.misfits.total()

    def reject(self, row: int, reason: str) -> None:
        """Count a row that does not fit; the first few are kept as examples."""
        self.misfits[reason] += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(Misfit(row, reason))


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of texts: `names[codes[i]]` is row i's, -1 where it has none."""

    codes: NDArray[np.int64]
    names: list[str]


class _DoesNotFitError(Exception):
    """Why the row at hand is no event."""


def read_events(path: Path, reading: Reading, topic: str | None = None) -> Iterator[SourceEvent]:
    """The events of a file, in its order, counted in `reading` while it is consumed. Memory does not grow
    with the file.

    Parameters
    ----------
    path
        `.parquet`/`.pq`, `.csv` or `.jsonl`/`.ndjson`/`.json` (one object a line).
    reading
        Counts rows that fit and, by reason, those that do not.
    topic
        The topic of every row; None = each row says it in the column `topic`.

    Raises
    ------
    SegstreamError
        When the file is missing, of another kind, unreadable, or `topic` is no input topic.

    """
    if topic is not None and topic not in FIELDS:
        raise SegstreamError(f"{topic!r} is no input topic", f"give one of {', '.join(FIELDS)}")
    if not path.is_file():
        raise SegstreamError(f"there is no file {path}", "check the path")
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise SegstreamError(f"{path.name} is of no known kind", f"name it {', '.join(_SUFFIXES)} after what it holds")
    return _events(_READERS[kind](path), reading, topic)


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Coded | NDArray[np.float64]]:
    """Whole columns of a Parquet file: texts as `Coded`, numbers as floats (NaN where null), times as epoch
    ms.

    Raises
    ------
    SegstreamError
        When the file cannot be read as Parquet or lacks a column.

    """
    try:
        table = pq.read_table(path, columns=list(names))
    except (OSError, pa.ArrowException) as error:
        raise SegstreamError(f"{path.name} cannot be read as Parquet ({error})", "fetch the file again") from error
    if missing := [name for name in names if name not in table.column_names]:
        raise SegstreamError(f"{path.name} has no column {', '.join(missing)}", "fetch the file again")
    return {name: _whole(table.column(name)) for name in names}


def _whole(column: Any) -> Coded | NDArray[np.float64]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        coded = column.combine_chunks().dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return Coded(codes, coded.dictionary.to_pylist())
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms")).cast(pa.int64())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


Row = tuple[int, dict[str, Any] | str]
"""A row's number, and its fields or why it cannot be read."""


def _events(rows: Iterable[Row], reading: Reading, topic: str | None) -> Iterator[SourceEvent]:
    for number, row in rows:
        if isinstance(row, str):
            reading.reject(number, row)
            continue
        try:
            event = _event(row, topic)
        except _DoesNotFitError as misfit:
            reading.reject(number, str(misfit))
            continue
        reading.fit_count += 1
        yield event


def _event(row: dict[str, Any], topic: str | None) -> SourceEvent:
    named = topic if topic is not None else row.get("topic")
    if named is None or named == "":
        raise _DoesNotFitError("no topic: add a column `topic` or give --topic")
    fields = FIELDS.get(named) if isinstance(named, str) else None
    if fields is None:
        raise _DoesNotFitError("unknown topic")
    payload = {name: value for name in fields if (value := row.get(name)) is not None}
    for name in REQUIRED[named]:
        if name not in payload:
            raise _DoesNotFitError(f"{name} is missing")
    customer_id = payload["customer_id"]
    if not isinstance(customer_id, str) or not customer_id:
        raise _DoesNotFitError("customer_id is not text")
    payload["ts"] = ts_ms = _epoch_ms(payload["ts"])
    for name in _NUMBERS:
        if name in payload:
            _check_finite(name, payload[name])
    try:
        value = plain_json.encode(payload)
    except (TypeError, ValueError) as error:
        # lone surrogates (from bytes that were not UTF-8), integers beyond 64 bits
        raise _DoesNotFitError("not UTF-8, or no JSON value") from error
    if len(value) > VALUE_BYTES_MAX:
        raise _DoesNotFitError("larger than a record may be")
    return SourceEvent(named, customer_id, value, ts_ms)


def _check_finite(name: str, value: object) -> None:
    """JSON has no NaN: it would silently turn into null."""
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        raise _DoesNotFitError(f"{name} is not finite")
    if isinstance(value, dict):
        for part in value.values():
            _check_finite(name, part)
    elif isinstance(value, list):
        for part in value:
            _check_finite(name, part)


def _epoch_ms(ts: object) -> int:
    """Event time of a `ts`: epoch milliseconds, or ISO 8601 (UTC where it names no offset)."""
    if isinstance(ts, int) and not isinstance(ts, bool):
        return ts
    if isinstance(ts, float) and math.isfinite(ts):
        return int(ts)
    if isinstance(ts, str):
        try:
            moment = dt.datetime.fromisoformat(ts)
        except ValueError:
            raise _DoesNotFitError("ts is no time") from None
        return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - _EPOCH) // _MILLISECOND
    raise _DoesNotFitError("ts is no time")


def _parquet_rows(path: Path) -> Iterator[Row]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                names = batch.schema.names
                columns = [_column(name, batch.column(index)) for index, name in enumerate(names)]
                for values in zip(*columns, strict=True):
                    number += 1
                    yield number, dict(zip(names, values, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise SegstreamError(
            f"{path.name} cannot be read as Parquet after row {number} ({error})",
            "check the file, or write it again",
        ) from error


def _column(name: str, array: Any) -> list[Any]:
    """One column of a batch as plain values: times as epoch ms, maps as dicts, structs without nulls."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        return list(array.cast(pa.timestamp("ms", kind.tz), safe=False).cast(pa.int64()).to_pylist())
    values = list(array.to_pylist())
    if pa.types.is_map(kind):
        return [None if pairs is None else dict(pairs) for pairs in values]
    if pa.types.is_nested(kind):
        return [_without_nulls(value) for value in values]
    if name in _NESTED:
        return [_nested(value) if isinstance(value, str) else value for value in values]
    return values


def _without_nulls(value: Any) -> Any:
    """A struct has every field in every row: null there means absent."""
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value


def _csv_rows(path: Path) -> Iterator[Row]:
    # Bytes that are not UTF-8 survive as surrogates, so that one bad row does not end the reading.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        number = 0
        while True:
            number += 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:  # an open quote, a field beyond 128 KB
                yield number, f"not CSV: {error}"
                continue
            if None in row:
                yield number, "more fields than the header"
                continue
            try:
                yield number, {name: _TEXTS.get(name, str)(text) for name, text in row.items() if text}
            except ValueError as error:
                yield number, str(error)


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("amount is no number") from None


def _time(text: str) -> int | str:
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(digits) <= _DIGITS_MAX else text


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("machine_open is neither true nor false")
    return word in _TRUE


def _nested(text: str) -> Any:
    try:
        return plain_json.decode(text)
    except ValueError:
        return text  # the worker says what is wrong with it, with its address


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX):
            number += 1
            if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
                _skip_line(file)
                yield number, "line too long"
            elif line.strip():
                yield number, _json_row(line)


def _json_row(line: bytes) -> dict[str, Any] | str:
    try:
        row = plain_json.decode(line)
    except ValueError:
        return "not JSON"
    return row if isinstance(row, dict) else "no JSON object"


def _skip_line(file: IO[bytes]) -> None:
    while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
        pass


_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_TEXTS: Mapping[str, Callable[[str], Any]] = {
    "ts": _time,
    "amount": _amount,
    "machine_open": _truth,
    "items": _nested,
    "attributes": _nested,
}  # how the text of a CSV field is read; every other field is text
_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "parquet": _parquet_rows,
    "csv": _csv_rows,
    "jsonl": _json_rows,
}
