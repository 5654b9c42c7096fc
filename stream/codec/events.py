"""Input records into columns the kernel can be given; what is wrong becomes a Refusal with its reason.

A function of the record's bytes alone: what also hangs on the wall clock, the partition or the table (events from the
future, customers of another partition, a full table) is judged when the entry is executed, from what the entry says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec
import xxhash

from models.events import (
    AMOUNT_MINOR_MAX,
    CLICK_ACTIONS,
    EMAIL_ACTIONS,
    MINOR_PER_MAJOR,
    PROFILE,
    TS_MS_MIN,
)
from stream.codec.depth import DEPTH_MAX, FLAT_BYTES_MAX, is_too_deep
from stream.codec.schemas import DECODERS, ID_LENGTH_MAX
from stream.codec.state import CHECKPOINT_KEY

VALUE_BYTES_MAX = 262_144  # an event is a few hundred bytes; a quarter of a megabyte is not one
KEY_BYTES_MAX = 4 * ID_LENGTH_MAX  # of a tombstone, whose key is the customer id: UTF-8 has up to four bytes a sign
NO_TIME_MS = 0  # of a tombstone: the record's own would be the wall clock's, years ahead of a backfill's events
TS_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999: later ones have no ISO 8601 form
ATTRIBUTE_MAX = 2**63  # nothing that people have attributes for is larger; also refuses infinity
RESERVED_ID = CHECKPOINT_KEY.decode()  # a customer of this name would overwrite the memberships' own record
CLICK_CODES = {name: code for code, name in enumerate(CLICK_ACTIONS)}
EMAIL_CODES = {name: code for code, name in enumerate(EMAIL_ACTIONS)}


class Record(Protocol):
    """One record of a topic, as aiokafka gives it (and the in-memory log)."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int  # Kafka's, in milliseconds


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record is no event: `reason` is one of a bounded set, `detail` says it for people."""

    reason: str
    detail: str


@dataclass(slots=True)
class Columns:
    """Decoded records of one topic, in offset order; refused ones are beside them and in no column."""

    kind: int
    ts_ms: list[int] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    amount_minor: list[int] = field(default_factory=list)
    id_hash: list[int] = field(default_factory=list)
    machine_open: list[int] = field(default_factory=list)
    customer_id: list[str] = field(default_factory=list)
    event_id: list[str] = field(default_factory=list)
    record: list[Any] = field(default_factory=list)  # the Record each came from
    attributes: list[dict[str, Any]] = field(default_factory=list)  # profiles only
    refused: list[tuple[Any, Refusal]] = field(default_factory=list)


class _BadRecordError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        self.refusal = Refusal(reason, detail)


def decode(kind: int, records: Sequence[Any]) -> Columns:
    """Decode records of one topic into columns."""
    columns = Columns(kind)
    decode_json = DECODERS[kind].decode
    for record in records:
        try:
            value = record.value
            if value is None:
                _tombstone(columns, record)
                continue
            event: Any = decode_json(value if len(value) <= FLAT_BYTES_MAX else _bounded(value))
            if event.customer_id == RESERVED_ID:
                raise _reserved()
            ts_ms = _epoch_ms(event.ts)
            _APPEND[kind](columns, event)
        except _BadRecordError as bad:
            columns.refused.append((record, bad.refusal))
            continue
        except msgspec.ValidationError as error:
            columns.refused.append((record, _invalid(str(error))))
            continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            columns.refused.append((record, Refusal("malformed", str(error)[:200])))
            continue
        columns.ts_ms.append(ts_ms)
        columns.customer_id.append(event.customer_id)
        columns.record.append(record)
    return columns


def _bounded(value: bytes) -> bytes:
    """The value, unless it is too large or nested too deeply."""
    if len(value) > VALUE_BYTES_MAX:
        raise _BadRecordError("too_large", f"more than {VALUE_BYTES_MAX} bytes")
    if is_too_deep(value):
        raise _BadRecordError("malformed", f"nested deeper than {DEPTH_MAX}")
    return value


def _click(columns: Columns, event: Any) -> None:
    _common(columns, event.event_id, CLICK_CODES[event.action], 0, 0)


def _purchase(columns: Columns, event: Any) -> None:
    amount = event.amount
    if not math.isfinite(amount) or abs(amount) * MINOR_PER_MAJOR > AMOUNT_MINOR_MAX:
        raise _BadRecordError("amount_out_of_range", "the amount is not a finite number below a million million")
    minor = round(amount * MINOR_PER_MAJOR)
    if minor == 0:
        raise _BadRecordError("zero_amount", "an order has a positive amount, a refund a negative one")
    _common(columns, event.event_id, 0, minor, 0)


def _email(columns: Columns, event: Any) -> None:
    _common(columns, event.event_id, EMAIL_CODES[event.action], 0, int(event.machine_open))


def _profile(columns: Columns, event: Any) -> None:
    for name, value in event.attributes.items():
        if isinstance(value, int | float) and not abs(value) < ATTRIBUTE_MAX:
            raise _BadRecordError("wrong_type", f"attribute {name[:40]!r} is not finite, or too large a number")
    columns.attributes.append(event.attributes)
    _common(columns, "", 0, 0, 0)


_APPEND = (_click, _purchase, _email, _profile)  # by event kind


def _common(columns: Columns, event_id: str, action: int, amount_minor: int, machine_open: int) -> None:
    columns.event_id.append(event_id)
    columns.id_hash.append(xxhash.xxh3_64_intdigest(event_id.encode()) or 1 if event_id else 0)
    columns.action.append(action)
    columns.amount_minor.append(amount_minor)
    columns.machine_open.append(machine_open)


def _tombstone(columns: Columns, record: Any) -> None:
    """A profile's null value forgets the attributes. It has no event time: it is applied at the partition's own."""
    if columns.kind != PROFILE:
        raise _BadRecordError("malformed", "the record has no value")
    if not record.key:
        raise _BadRecordError("missing_field", "a tombstone without a key names no customer")
    if len(record.key) > KEY_BYTES_MAX:
        raise _BadRecordError("wrong_type", f"the key is longer than {ID_LENGTH_MAX} characters")
    try:
        customer_id = record.key.decode()
    except UnicodeDecodeError:
        raise _BadRecordError("malformed", "the key is not UTF-8") from None
    if customer_id == RESERVED_ID:
        raise _reserved()
    columns.attributes.append({})
    _common(columns, "", 0, 0, 0)
    columns.ts_ms.append(NO_TIME_MS)
    columns.customer_id.append(customer_id)
    columns.record.append(record)


def _reserved() -> _BadRecordError:
    return _BadRecordError("wrong_type", f"customer_id {RESERVED_ID} is a key of our own")


def _epoch_ms(ts: int | str) -> int:
    if isinstance(ts, str):
        try:
            moment = datetime.fromisoformat(ts)
        except ValueError:
            raise _BadRecordError("bad_time", "ts is neither ISO 8601 nor epoch milliseconds") from None
        if moment.tzinfo is None:
            raise _BadRecordError("bad_time", "ts has no time zone: end it with Z or an offset")
        ts = round(moment.timestamp() * 1000)
    if ts < TS_MS_MIN:
        raise _BadRecordError("too_old", "ts is before 1990: an unset clock, or seconds for milliseconds")
    if ts > TS_MS_MAX:
        raise _BadRecordError("bad_time", "ts is after the year 9999: microseconds for milliseconds?")
    return ts


def _invalid(message: str) -> Refusal:
    reason = "missing_field" if "missing required field" in message else "wrong_type"
    return Refusal(reason, message[:200])


def digest(records: Sequence[Any]) -> int:
    """xxh3 64-bit over the records' values in order; a null value is told from an empty one."""
    state = xxhash.xxh3_64()
    for record in records:
        value = record.value
        state.update(b"\xff" if value is None else len(value).to_bytes(4, "big"))
        state.update(value or b"")
    return state.intdigest()


REASONS = (
    "malformed",
    "missing_field",
    "wrong_type",
    "too_large",
    "bad_time",
    "too_old",
    "future",
    "zero_amount",
    "amount_out_of_range",
    "wrong_partition",
    "table_full",
)
