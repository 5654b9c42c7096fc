"""Arrow columns to numpy arrays, whole columns at a time. What a value cannot be becomes `valid` false, never an error.

Each function gives values and, beside them, which rows have one; nulls and values that cannot be read have none.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stream.backtest.hashing import Texts

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNIT_MS = {"s": 1000.0, "ms": 1.0, "us": 0.001, "ns": 0.000_001}
DIGITS = r"^-?[0-9]{1,18}$"  # more digits than any 64-bit time: such a text is read as a date, and refused
ZONED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
TRUE_WORDS, FALSE_WORDS = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


def is_text(kind: Any) -> bool:
    """Whether a column type holds texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def value_type(column: Any) -> Any:
    """The type of a column's values, also where they are in a dictionary."""
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


def plain(column: Any) -> Any:
    """One array without chunks and dictionaries."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # an empty one stays chunked
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def valid_of(column: Any) -> Flags:
    """Rows that are not null."""
    if column.null_count == 0:
        return np.ones(len(column), np.bool_)
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def texts(column: Any) -> Texts:
    """UTF-8 bytes and borders of a text column. What lies under a null may be anything: ask `valid_of`."""
    column = plain(column)
    wide = pa.types.is_large_string(column.type)
    _, borders, content = column.buffers()
    kind = np.int64 if wide else np.int32
    offsets = np.frombuffer(borders, kind)[column.offset : column.offset + len(column) + 1] if len(column) else [0]
    held = np.frombuffer(content, np.uint8) if content is not None and content.size else np.zeros(1, np.uint8)
    return held, np.asarray(offsets, dtype=np.int64)


def within(column: Any, least: int, most: int) -> Flags | None:
    """Which texts have so many characters; None when all have. Of a dictionary only the different ones are measured."""
    held = column.dictionary if pa.types.is_dictionary(column.type) else plain(column)
    length = np.diff(texts(held)[1])
    if (length > most).any():  # in bytes; only then are characters counted
        length = np.array([len(text or "") for text in held.to_pylist()])
    fits = (length >= least) & (length <= most)
    if fits.all():
        return None
    if held is not column and pa.types.is_dictionary(column.type):
        places = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
        return np.asarray(fits[places] if len(fits) else np.ones(len(column), np.bool_))
    return np.asarray(fits)


def coded(column: Any, places: dict[str, int]) -> Ints:
    """Each text's number in `places`, -1 for others and nulls."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    numbers = np.array([places.get(text, -1) for text in column.dictionary.to_pylist()] + [-1], np.int64)
    indices = column.indices
    if indices.null_count:
        indices = pc.fill_null(indices, len(numbers) - 1)
    return numbers[np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)]


def numbers(column: Any) -> tuple[NDArray[np.float64], Flags]:
    """Doubles; texts of numbers are read as such."""
    column = plain(column)
    if is_text(column.type):
        readable = pc.fill_null(pc.match_substring_regex(column, NUMBER), False)  # noqa: FBT003 - arrow's signature
        column = pc.if_else(readable, column, None)
    elif pa.types.is_boolean(column.type) or pa.types.is_nested(column.type) or pa.types.is_temporal(column.type):
        return np.zeros(len(column)), np.zeros(len(column), np.bool_)
    valid = valid_of(column)
    values = pc.fill_null(column.cast(pa.float64(), safe=False), 0.0)
    return np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64), valid


def truths(column: Any) -> tuple[Ints, Flags]:
    """1 for true, 0 for false; words and numbers are read as a person means them."""
    column = plain(column)
    if pa.types.is_boolean(column.type):
        filled = pc.fill_null(column, False).cast(pa.int8())  # noqa: FBT003 - arrow's signature
        return np.asarray(filled.to_numpy(), dtype=np.int64), valid_of(column)
    if is_text(column.type):
        words = dict.fromkeys(TRUE_WORDS, 1) | dict.fromkeys(FALSE_WORDS, 0)
        found = coded(pc.utf8_lower(pc.utf8_trim_whitespace(column)), words)
        return np.maximum(found, 0), found >= 0
    values, valid = numbers(column)
    return (values != 0).astype(np.int64), valid


def times_ms(column: Any, unit: str = "ms", pattern: str = "") -> tuple[Ints, Flags]:
    """Epoch milliseconds of times, numbers of `unit`, or texts: ISO 8601 (UTC where none is named), or `pattern`."""
    column = plain(column)
    kind = column.type
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("ms")), pa.timestamp("ms")
    if pa.types.is_timestamp(kind):
        whole = pc.fill_null(column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()), 0)
        return np.asarray(whole.to_numpy(), dtype=np.int64) // 1000, valid_of(column)
    if is_text(kind):
        return _times_of_texts(column, unit, pattern)
    if pa.types.is_integer(kind) and unit == "ms":
        return np.asarray(pc.fill_null(column.cast(pa.int64(), safe=False), 0).to_numpy(), np.int64), valid_of(column)
    values, valid = numbers(column)
    finite = np.isfinite(values) & (np.abs(values) < 2.0**62)
    return np.where(finite, values * UNIT_MS[unit], 0).astype(np.int64), valid & finite


def _times_of_texts(column: Any, unit: str, pattern: str) -> tuple[Ints, Flags]:
    if pattern:
        found = pc.strptime(column, format=pattern, unit="us", error_is_null=True)
        return times_ms(found)
    digits = pc.fill_null(pc.match_substring_regex(column, DIGITS), False)  # noqa: FBT003 - arrow's signature
    if pc.all(digits).as_py():
        return times_ms(column.cast(pa.int64()), unit)
    if not pc.any(digits).as_py():
        return _iso(column)
    is_number = np.asarray(digits.to_numpy(zero_copy_only=False), dtype=np.bool_)
    as_number = times_ms(pc.if_else(digits, column, None).cast(pa.int64()), unit)
    as_date = _iso(pc.if_else(digits, None, column))
    return np.where(is_number, as_number[0], as_date[0]), np.where(is_number, as_number[1], as_date[1])


def _iso(column: Any) -> tuple[Ints, Flags]:
    zoned = pc.fill_null(pc.match_substring_regex(column, ZONED), False)  # noqa: FBT003 - arrow's signature
    try:
        if pc.all(zoned).as_py():
            return times_ms(column.cast(pa.timestamp("us", "UTC")))
        if not pc.any(zoned).as_py():
            return times_ms(column.cast(pa.timestamp("us")))
    except pa.ArrowInvalid:  # one text of them is no date: then one by one
        pass
    found = [_one(text) for text in column.to_pylist()]
    return np.array([t or 0 for t in found], np.int64), np.array([t is not None for t in found], np.bool_)


def _one(text: str | None) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
