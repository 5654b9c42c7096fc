"""The common case of an input record, read by a compiled loop straight out of the fetched bytes.

It takes flat JSON objects in plain ASCII without escapes, whose fields have the types and ranges of
stream.codec.schemas. **Whatever else a record is, it says so and decides nothing**: stream.codec.events then decodes
it with msgspec, which alone says what is legal. So the two never differ (a property test compares them), and a shop
that sends nested items or umlauts only pays more for those records.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel
from models.events import CLICK_ACTIONS, EMAIL_ACTIONS, TS_MS_MIN
from stream.codec.schemas import ID_LENGTH_MAX

# What a field is; its place in NAMES. OTHER_ID is order_id or campaign_id: it must be there and is not kept.
EVENT_ID, CUSTOMER_ID, TS, ACTION, OTHER_ID, AMOUNT, CURRENCY, MACHINE_OPEN, CATEGORY, UNKNOWN = range(10)
NAME_BYTES: Final = 16  # a known name and its length fit: the longest has 12
AMOUNT_DIGITS_MAX: Final = 11  # before the point: exact in a float, and below AMOUNT_MINOR_MAX
TS_DIGITS: Final = 13  # epoch milliseconds from 2001 to 2286; others are rare
CURRENCY_LENGTH: Final = 3
RESERVED: Final = ord("_")  # ids that begin so are looked at by msgspec's side: one of them is our own key
QUOTE, COMMA, COLON, POINT, MINUS, ZERO, NINE = (ord(sign) for sign in '",:.-09')
OPEN, CLOSE, BACKSLASH, SPACE, DELETE = ord("{"), ord("}"), ord("\\"), 0x20, 0x7F
PRIME: Final = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, odd: spreads every bit when multiplied
MIX: Final = 0xD6E8FEB86659FD93  # Stafford's mixer, variant 13's neighbour: as above


def _names(*names: str) -> NDArray[np.uint8]:
    """[names, 16]: the length, then the name."""
    table = np.zeros((len(names), NAME_BYTES), np.uint8)
    for i, name in enumerate(names):
        table[i, 0] = len(name)
        table[i, 1 : 1 + len(name)] = list(name.encode())
    return table


# By event kind: names of the fields in the order of their numbers, and of the actions. "-" is no name of a field.
FIELDS = (
    _names("event_id", "customer_id", "ts", "action", "-", "-", "-", "-", "category"),
    _names("event_id", "customer_id", "ts", "-", "order_id", "amount", "currency", "-", "-"),
    _names("event_id", "customer_id", "ts", "action", "campaign_id", "-", "-", "machine_open", "-"),
)
ACTIONS = (_names(*CLICK_ACTIONS), _names("-"), _names(*EMAIL_ACTIONS))
NEEDED = (  # bits of the fields that must be there
    1 << EVENT_ID | 1 << CUSTOMER_ID | 1 << TS | 1 << ACTION,
    1 << EVENT_ID | 1 << CUSTOMER_ID | 1 << TS | 1 << OTHER_ID | 1 << AMOUNT | 1 << CURRENCY,
    1 << EVENT_ID | 1 << CUSTOMER_ID | 1 << TS | 1 << OTHER_ID | 1 << ACTION,
)
WORDS = _names("true", "false", "null")
TRUE, FALSE = 0, 1  # places in WORDS


@kernel
def hash_of(data: Any, start: int, length: int) -> Any:
    """A 64-bit hash of some bytes, never 0: multiply and mix, eight bytes at a time, the same everywhere."""
    prime, mix = np.uint64(PRIME), np.uint64(MIX)
    found = np.uint64(length) * prime
    word = np.uint64(0)
    for k in range(length):
        word = (word << np.uint64(8)) | np.uint64(data[start + k])
        if k & 7 == 7 or k == length - 1:  # noqa: PLR2004 - eight bytes
            found = (found ^ word) * prime
            found ^= found >> np.uint64(29)
            word = np.uint64(0)
    found *= mix
    found ^= found >> np.uint64(32)
    return found if found != np.uint64(0) else np.uint64(1)


@kernel
def _after_spaces(data: Any, at: int, end: int) -> int:
    while at < end and (data[at] == SPACE or data[at] == 9 or data[at] == 10 or data[at] == 13):  # noqa: PLR2004 - JSON's
        at += 1
    return at


@kernel
def _string_end(data: Any, at: int, end: int) -> int:
    """Where the closing quote of a string that begins at `at` stands; -1 when it is not plain."""
    while at < end:
        sign = data[at]
        if sign == QUOTE:
            return at
        if sign < SPACE or sign >= DELETE or sign == BACKSLASH:
            return -1
        at += 1
    return -1


@kernel
def _which(data: Any, start: int, length: int, table: Any) -> int:
    """The row of the table that names these bytes, -1 for none."""
    for i in range(len(table)):
        if table[i, 0] == length:
            same = True
            for k in range(length):
                if table[i, 1 + k] != data[start + k]:
                    same = False
                    break
            if same:
                return i
    return -1


@kernel
def _digits(data: Any, at: int, end: int) -> tuple[int, int]:
    """(number, position after its digits)."""
    value = 0
    while at < end and ZERO <= data[at] <= NINE:
        value = value * 10 + (int(data[at]) - ZERO)
        at += 1
    return value, at


@kernel
def _number(data: Any, at: int, end: int) -> tuple[int, int, int, int]:
    """A number without exponent as (hundredths, digits before the point, decimals, position after it).

    The position is -1 when it is not plain: too many digits, a leading zero, no digit at a place where one must be.
    """
    negative = at < end and data[at] == MINUS
    at += negative
    start = at
    value, at = _digits(data, at, end)
    whole = at - start
    if whole == 0 or whole > AMOUNT_DIGITS_MAX + 4 or (whole > 1 and data[start] == ZERO):
        return 0, 0, 0, -1
    decimals = 0
    if at < end and data[at] == POINT:
        fraction, after = _digits(data, at + 1, end)
        decimals = after - at - 1
        at = after
        if decimals < 1 or decimals > 2:  # noqa: PLR2004 - cents
            return 0, 0, 0, -1
        value = value * 100 + fraction * (10 if decimals == 1 else 1)
    else:
        value *= 100
    if at < end and (data[at] == ord("e") or data[at] == ord("E")):
        return 0, 0, 0, -1
    return -value if negative else value, whole, decimals, at


@kernel
def _word(data: Any, at: int, end: int) -> tuple[int, int]:
    """(place in WORDS, position after it) of true, false or null; (-1, -1) for anything else."""
    for i in range(len(WORDS)):
        length = int(WORDS[i, 0])
        if at + length <= end and _which(data, at, length, WORDS[i : i + 1]) == 0:
            return i, at + length
    return -1, -1


@kernel
def _take(data: Any, at: int, end: int, field: int, out: Any, actions: Any) -> int:
    """Read one value into the record `out`; returns the position after it, -1 when it is not the plain case."""
    if data[at] == QUOTE:
        start = at + 1
        stop = _string_end(data, start, end)
        length = stop - start
        if stop < 0:
            return -1
        if field in (EVENT_ID, CUSTOMER_ID, OTHER_ID):
            if length < 1 or length > ID_LENGTH_MAX:
                return -1
            if field == EVENT_ID:
                out.event[0], out.event[1] = start, length
            elif field == CUSTOMER_ID:
                if data[start] == RESERVED:
                    return -1
                out.customer[0], out.customer[1] = start, length
        elif field == ACTION:
            out.action = _which(data, start, length, actions)
            if out.action < 0:
                return -1
        elif field == CATEGORY and length > 0:
            out.category = hash_of(data, start, length)
        elif (field == CURRENCY and length != CURRENCY_LENGTH) or field in (TS, AMOUNT, MACHINE_OPEN):
            return -1
        return stop + 1
    if field == MACHINE_OPEN:
        word, after = _word(data, at, end)
        out.machine_open = 1 if word == TRUE else 0
        return after if word in (TRUE, FALSE) else -1
    if field == CATEGORY:  # no text: none
        field = UNKNOWN
    if field == UNKNOWN and not (data[at] == MINUS or ZERO <= data[at] <= NINE):
        return _word(data, at, end)[1]
    if field not in (TS, AMOUNT, UNKNOWN):
        return -1
    hundredths, whole, decimals, after = _number(data, at, end)
    if field == TS:
        out.ts_ms = hundredths // 100
        return after if decimals == 0 and whole == TS_DIGITS and out.ts_ms >= TS_MS_MIN else -1
    if field == AMOUNT:
        out.amount_minor = hundredths
        return after if whole <= AMOUNT_DIGITS_MAX and hundredths != 0 else -1
    return after


@kernel
def _read(data: Any, at: int, end: int, fields: Any, actions: Any, needed: int, out: Any) -> bool:
    """Read one object into the record `out`; False when it is not the plain case."""
    at = _after_spaces(data, at, end)
    if at >= end or data[at] != OPEN:
        return False
    seen = 0
    while True:
        at = _after_spaces(data, at + 1, end)  # behind the brace or the comma
        if at >= end or data[at] != QUOTE:
            return False
        stop = _string_end(data, at + 1, end)
        if stop < 0:
            return False
        field = _which(data, at + 1, stop - at - 1, fields)
        field = UNKNOWN if field < 0 else field
        if field != UNKNOWN and seen & (1 << field):
            return False
        seen |= 1 << field
        at = _after_spaces(data, stop + 1, end)
        if at >= end or data[at] != COLON:
            return False
        at = _after_spaces(data, at + 1, end)
        if at >= end:
            return False
        at = _take(data, at, end, field, out, actions)
        if at < 0:
            return False
        at = _after_spaces(data, at, end)
        if at >= end:
            return False
        if data[at] == CLOSE:
            break
        if data[at] != COMMA:
            return False
    return _after_spaces(data, at + 1, end) == end and seen & needed == needed


@kernel
def read(
    data: Any, index: Any, fields: Any, actions: Any, needed: int, size_max: int, rows: Any, text: Any, plain: Any
) -> int:
    """Read the records of one topic into `rows`; returns the bytes written to `text`.

    Parameters
    ----------
    data, index : a Block's.
    fields, actions, needed : of the event kind.
    size_max : longer values are left to msgspec's side.
    rows : DECODED [n], one for each record; `text` takes their ids: as large as all values.
    plain : bool [n], written: False where the record was not the plain case and its row means nothing.
    """
    filled = 0
    for i in range(len(index)):
        start, length = index[i].value[0], index[i].value[1]
        out = rows[i]
        plain[i] = 0 <= length <= size_max and _read(data, start, start + length, fields, actions, needed, out)
        if not plain[i]:
            continue
        out.id_hash = hash_of(data, out.event[0], out.event[1])
        out.record = i
        for span in (out.customer, out.event):
            for k in range(span[1]):
                text[filled + k] = data[span[0] + k]
            span[0] = filled
            filled += span[1]
    return filled
