"""Input records into columns the kernel can be given; what is wrong becomes a Refusal with its reason.

A function of the record's bytes alone: what also hangs on the wall clock, the partition or the table (events from the
future, customers of another partition, a full table) is judged when the entry is executed, from what the entry says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.compiled import records
from models.events import (
    AMOUNT_MINOR_MAX,
    CLICK_ACTIONS,
    EMAIL_ACTIONS,
    MINOR_PER_MAJOR,
    PROFILE,
    TS_MS_MIN,
)
from stream.codec.block import Block, Record
from stream.codec.columns import DECODED, NOTHING, Columns, Refusal
from stream.codec.depth import DEPTH_MAX, FLAT_BYTES_MAX, is_too_deep
from stream.codec.fast_json import ACTIONS, FIELDS, NEEDED, hash_of, read
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


class _BadRecordError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        self.refusal = Refusal(reason, detail)


def decode(kind: int, block: Block) -> Columns:
    """Decode the records of one topic."""
    count = len(block)
    rows, plain = np.zeros(count, DECODED), np.zeros(count, np.bool_)
    rows["attributes"] = -1
    text = NOTHING
    if kind != PROFILE:
        text = np.empty(block.size_bytes, np.uint8)
        filled = read(
            block.data, records(block.index), FIELDS[kind], ACTIONS[kind], NEEDED[kind], VALUE_BYTES_MAX,
            records(rows), text, plain,
        )  # fmt: skip
        text = text[:filled].copy()  # the rest was room for the worst case
    refused: list[tuple[int, Refusal]] = []
    attributes: list[dict[str, Any]] = []
    if not plain.all():
        others = Others(kind, len(text))
        for place in np.flatnonzero(~plain).tolist():
            plain[place] = others.add(rows, block.record(place), place)
        text = np.concatenate([text, np.frombuffer(b"".join(others.text), np.uint8)])
        refused, attributes = others.refused, others.attributes
        rows = rows[plain]
    return Columns(kind=kind, block=block, rows=rows, text=text, attributes=attributes, refused=refused)


class Others:
    """Records that are not the plain case, one by one: the reference that says what is legal."""

    def __init__(self, kind: int, text_bytes: int) -> None:
        self._kind = kind
        self._decode_json = DECODERS[kind].decode
        self._end = text_bytes
        self.text: list[bytes] = []
        self.attributes: list[dict[str, Any]] = []
        self.refused: list[tuple[int, Refusal]] = []

    def add(self, rows: Any, record: Record, place: int) -> bool:
        """Fill the row of one record; False when it is refused."""
        try:
            value = record.value
            found = _tombstone(self._kind, record) if value is None else self._found(value)
        except _BadRecordError as bad:
            self.refused.append((place, bad.refusal))
            return False
        except msgspec.ValidationError as error:
            self.refused.append((place, _invalid(str(error))))
            return False
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.refused.append((place, Refusal("malformed", str(error)[:200])))
            return False
        customer, event = self._keep(found.customer_id), self._keep(found.event_id)
        number = -1
        if self._kind == PROFILE:
            number = len(self.attributes)
            self.attributes.append(found.attributes or {})
        identity = identity_of(found.event_id)
        amount, machine, category = found.amount_minor, found.machine_open, found.category
        rows[place] = (found.ts_ms, found.action, amount, identity, machine, category, place, number, customer, event)
        return True

    def _found(self, value: bytes) -> _Found:
        event: Any = self._decode_json(value if len(value) <= FLAT_BYTES_MAX else _bounded(value))
        if event.customer_id == RESERVED_ID:
            raise _reserved()
        return _FOUND[self._kind](event, _epoch_ms(event.ts))

    def _keep(self, words: str) -> tuple[int, int]:
        content = words.encode()
        self.text.append(content)
        start, self._end = self._end, self._end + len(content)
        return start, len(content)


class _Found(NamedTuple):
    ts_ms: int
    customer_id: str
    event_id: str = ""
    action: int = 0
    amount_minor: int = 0
    machine_open: int = 0
    attributes: dict[str, Any] | None = None
    category: int = 0


def _click(event: Any, ts_ms: int) -> _Found:
    category = _category(bytes(event.category))
    return _Found(ts_ms, event.customer_id, event.event_id, action=CLICK_CODES[event.action], category=category)


def _category(raw: bytes) -> int:
    """What stands for a category; 0 for what is no text."""
    if not raw.startswith(b'"'):
        return 0
    try:
        return identity_of(msgspec.json.decode(raw, type=str))
    except (msgspec.DecodeError, UnicodeError):
        return 0


def _bounded(value: bytes) -> bytes:
    """The value, unless it is too large or nested too deeply."""
    if len(value) > VALUE_BYTES_MAX:
        raise _BadRecordError("too_large", f"more than {VALUE_BYTES_MAX} bytes")
    if is_too_deep(value):
        raise _BadRecordError("malformed", f"nested deeper than {DEPTH_MAX}")
    return value


def _purchase(event: Any, ts_ms: int) -> _Found:
    amount = event.amount
    if not math.isfinite(amount) or abs(amount) * MINOR_PER_MAJOR > AMOUNT_MINOR_MAX:
        raise _BadRecordError("amount_out_of_range", "the amount is not a finite number below a million million")
    minor = round(amount * MINOR_PER_MAJOR)
    if minor == 0:
        raise _BadRecordError("zero_amount", "an order has a positive amount, a refund a negative one")
    return _Found(ts_ms, event.customer_id, event.event_id, amount_minor=minor)


def _email(event: Any, ts_ms: int) -> _Found:
    action, machine_open = EMAIL_CODES[event.action], int(event.machine_open)
    return _Found(ts_ms, event.customer_id, event.event_id, action=action, machine_open=machine_open)


def _profile(event: Any, ts_ms: int) -> _Found:
    for name, value in event.attributes.items():
        if isinstance(value, int | float) and not abs(value) < ATTRIBUTE_MAX:
            raise _BadRecordError("wrong_type", f"attribute {name[:40]!r} is not finite, or too large a number")
    return _Found(ts_ms, event.customer_id, attributes=event.attributes)


_FOUND = (_click, _purchase, _email, _profile)  # by event kind


def identity_of(event_id: str) -> int:
    """The 64-bit number that stands for an event id; 0 for none."""
    content = np.frombuffer(event_id.encode(), np.uint8)
    return int(hash_of(content, 0, len(content))) if event_id else 0


def category_places(hashes: NDArray[np.uint64], categories: Sequence[str]) -> NDArray[np.int64]:
    """The place, from 1, of each click's category among those declared; 0 for others."""
    places = np.zeros(len(hashes), np.int64)
    for k, name in enumerate(categories):
        places[hashes == identity_of(name)] = k + 1
    return places


def _tombstone(kind: int, record: Record) -> _Found:
    """A profile's null value forgets the attributes. It has no event time: it is applied at the partition's own."""
    if kind != PROFILE:
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
    return _Found(NO_TIME_MS, customer_id, attributes={})


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
