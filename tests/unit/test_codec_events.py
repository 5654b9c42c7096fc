"""Input records into columns: what is legal, what is refused and why, and the digest a journal entry keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import CLICK, EMAIL, PROFILE, PURCHASE, TS_MS_MIN
from stream.codec.block import block_of, digest
from stream.codec.columns import Columns
from stream.codec.events import NO_TIME_MS, REASONS, VALUE_BYTES_MAX, decode

TS_MS = 1_700_000_000_000
ORDER = {"event_id": "e", "customer_id": "c", "ts": TS_MS, "order_id": "o", "amount": 12.34, "currency": "EUR"}
MAIL = {"event_id": "e", "customer_id": "c", "ts": TS_MS, "campaign_id": "k", "action": "open"}
PERSON = {"customer_id": "c", "ts": TS_MS, "attributes": {"age": 30}}


@dataclass(frozen=True)
class Record:
    """A record as a topic gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = b"c"
    timestamp: int = TS_MS + 5


def of(kind: int, value: Any, **changed: Any) -> Columns:
    """One record decoded: bytes as they are, a mapping as JSON with some fields changed (... leaves one out)."""
    if isinstance(value, dict):
        value = json.dumps({k: v for k, v in {**value, **changed}.items() if v is not ...}).encode()
    return decode(kind, block_of([Record(3, value)]))


def reason(columns: Columns) -> str:
    """Why it was refused, empty when it was not."""
    return columns.refused[0][1].reason if columns.refused else ""


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        ("", {"ts": TS_MS}),
        ("", {"ts": TS_MS_MIN}),
        ("", {"amount": -3.5}),
        ("", {"amount": 7}),
        ("", {"unknown": {"deep": [1, 2]}}),
        ("", {"customer_id": "x" * 128}),
        ("missing_field", {"customer_id": ...}),
        ("missing_field", {"amount": ...}),
        ("missing_field", {"ts": ...}),
        ("wrong_type", {"customer_id": ""}),
        ("wrong_type", {"customer_id": "x" * 129}),
        ("wrong_type", {"customer_id": 17}),
        ("wrong_type", {"customer_id": "_checkpoint"}),
        ("wrong_type", {"amount": "12"}),
        ("wrong_type", {"amount": 10**400}),
        ("wrong_type", {"currency": "EURO"}),
        ("wrong_type", {"ts": 1.5}),
        ("wrong_type", {"ts": True}),
        ("zero_amount", {"amount": 0}),
        ("zero_amount", {"amount": -0.0}),
        ("zero_amount", {"amount": 0.004}),
        ("amount_out_of_range", {"amount": 1e15}),
        ("amount_out_of_range", {"amount": -1e300}),
        ("too_old", {"ts": TS_MS_MIN - 1}),
        ("too_old", {"ts": TS_MS // 1000}),
        ("too_old", {"ts": -(2**70)}),
        ("too_old", {"ts": "1970-01-01T00:00:00Z"}),
        ("bad_time", {"ts": "soon"}),
        ("bad_time", {"ts": "2024-01-01T00:00:00"}),
        ("bad_time", {"ts": "9999-12-31T23:59:59-23:00"}),
        ("bad_time", {"ts": 2**63}),
        ("bad_time", {"ts": 10**30}),
        ("too_large", {"note": "x" * VALUE_BYTES_MAX}),
    ],
)
def test_each_mistake_has_its_reason(wanted: str, changed: dict[str, Any]) -> None:
    """A purchase with one field changed; every reason is one of the bounded set."""
    assert reason(of(PURCHASE, ORDER, **changed)) == wanted
    assert wanted in {"", *REASONS}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"event_id": "\xff"}',
        json.dumps(ORDER).encode().replace(b"12.34", b"NaN"),
        json.dumps(ORDER).encode().replace(b"12.34", b"-Infinity"),
        json.dumps(ORDER).encode() + b"x",
        json.dumps(ORDER).encode()[:-1] + b', "x": ' + b"[" * 50_000,
        json.dumps({**ORDER, "customer_id": "\ud800"}).encode(),
        None,
    ],
)
def test_what_is_no_json_is_malformed(value: bytes | None) -> None:
    """Truncated, not UTF-8, not finite, too deep, half a surrogate pair, no value at all."""
    assert reason(of(PURCHASE, value)) == "malformed"


def test_numbers_beyond_a_float_are_refused() -> None:
    """JSON may write 1e999; a float cannot hold it."""
    assert reason(of(PURCHASE, json.dumps(ORDER).encode().replace(b"12.34", b"1e999"))) == "wrong_type"
    for attribute in (b"1e999", str(10**400).encode(), b"9223372036854775808", b"[1]"):
        value = json.dumps(PERSON).encode().replace(b"30", attribute)
        assert reason(of(PROFILE, value)) == "wrong_type", attribute


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis adds the zone
def test_iso_and_epoch_are_one_time(moment: datetime) -> None:
    """To the millisecond, whatever the offset is written as."""
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ms = round(moment.timestamp() * 1000)
    spelled = [moment.isoformat(), moment.isoformat().replace("+00:00", "Z")]
    for ts in (ms, *spelled):
        assert of(CLICK, {**ORDER, "action": "view"}, ts=ts).rows["ts_ms"].tolist() == [ms]


def test_money_is_exact_in_cents() -> None:
    """Decimal fractions that no float holds come out as the cents that were meant."""
    for cents in (1, 7, 29, 57, 115, 1_001, 123_456_789, 99_999_999_999):
        assert of(PURCHASE, ORDER, amount=cents / 100).rows["amount_minor"].tolist() == [cents]
        assert of(PURCHASE, ORDER, amount=-cents / 100).rows["amount_minor"].tolist() == [-cents]


def test_machine_opens_are_told_from_those_of_people() -> None:
    """The flag is kept; without it an open is a person's."""
    assert of(EMAIL, MAIL, machine_open=True).rows["machine_open"].tolist() == [1]
    assert of(EMAIL, MAIL).rows["machine_open"].tolist() == [0]


def test_a_tombstone_names_its_customer_by_the_key_and_has_no_time() -> None:
    """Only profiles know tombstones; keys that cannot be ids are refused."""
    columns = decode(PROFILE, block_of([Record(1, None, b"anna")]))
    assert (columns.customer_id(0), columns.attributes, columns.rows["ts_ms"].tolist()) == (b"anna", [{}], [NO_TIME_MS])
    bad = {b"": "missing_field", None: "missing_field", b"\xff": "malformed", b"k" * 999: "wrong_type"}
    for key, wanted in bad.items():
        assert reason(decode(PROFILE, block_of([Record(1, None, key)]))) == wanted
    assert reason(decode(PROFILE, block_of([Record(1, None, b"_checkpoint")]))) == "wrong_type"


@given(st.lists(st.sampled_from(["good", "bad", "empty", "none"]), max_size=30))
def test_every_record_is_in_the_columns_or_refused(kinds: list[str]) -> None:
    """Never both, never neither, and every profile has its attributes."""
    values = {"good": json.dumps(PERSON).encode(), "bad": b"{", "empty": b"", "none": None}
    block = block_of([Record(7 * i, values[kind]) for i, kind in enumerate(kinds)])
    columns = decode(PROFILE, block)
    kept = columns.rows["record"].tolist()
    refused = [place for place, _ in columns.refused]
    assert sorted(kept + refused) == list(range(len(kinds)))
    assert refused == [i for i, kind in enumerate(kinds) if kind in {"bad", "empty"}]
    assert columns.rows["attributes"].tolist() == list(range(len(columns.attributes)))
    assert block.index["offset"].tolist() == [7 * i for i in range(len(kinds))]


@given(st.lists(st.none() | st.binary(max_size=5), min_size=1, max_size=6), st.data())
def test_the_digest_sees_every_byte_and_border(values: list[bytes | None], data: st.DataObject) -> None:
    """Another value, another order, a null for an empty one, a moved border: another digest."""
    original = digest(block_of([Record(i, value) for i, value in enumerate(values)]))
    assert original == digest(block_of([Record(i + 9, value, None) for i, value in enumerate(values)]))
    place = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(st.none() | st.binary(max_size=5))
    changed = [*values[:place], other, *values[place + 1 :]]
    assert (digest(block_of([Record(0, value) for value in changed])) == original) == (other == values[place])
    joined = [(values[0] or b"") + (values[-1] or b"")]
    if len(values) > 1:
        assert digest(block_of([Record(0, value) for value in joined])) != original
