"""The compiled reader decides nothing: whatever it takes, the reference decoder takes with the same values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.events import CLICK, EMAIL, PURCHASE, TOPICS
from stream.codec import events
from stream.codec.block import Record, block_of
from stream.codec.columns import DECODED, Columns
from stream.codec.fast_json import ACTIONS, FIELDS, NEEDED, read

SAMPLES: dict[int, dict[str, Any]] = {
    CLICK: {"event_id": "e1", "customer_id": "c1", "ts": 1_700_000_000_000, "action": "view", "page": "/p/1",
            "category": "shoes"},
    PURCHASE: {"event_id": "e1", "customer_id": "c1", "ts": 1_700_000_000_000, "order_id": "o1", "amount": 12.34,
               "currency": "EUR"},
    EMAIL: {"event_id": "e1", "customer_id": "c1", "ts": 1_700_000_000_000, "campaign_id": "k", "action": "open",
            "machine_open": True},
}  # fmt: skip
VALUES = (
    st.none() | st.booleans() | st.integers(-(10**16), 10**16) | st.floats(allow_nan=False, width=32)
    | st.integers(-(10**6), 10**6).map(lambda cents: cents / 100) | st.text(max_size=5)
    | st.sampled_from(["view", "open", "_checkpoint", "EUR", "2024-01-01T00:00:00Z", 1_700_000_000_000, [], {"a": 1}])
)  # fmt: skip
SPACES = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])
MARKS = b'{}[]",:\\0123456789.eE+-tfn /_a\x00\x1f\x7f\x80\xff\n'


@st.composite
def texts(draw: st.DrawFn, kind: int) -> bytes:
    """An event as JSON, nearly legal: fields changed, dropped, doubled, spaced out, bytes overwritten."""
    fields = list({**SAMPLES[kind], **draw(st.dictionaries(st.text(max_size=4), VALUES, max_size=2))}.items())
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(fields) - 1))
        name = fields[place][0]
        fields[place] = draw(st.sampled_from([(name, draw(VALUES)), fields[0], (name + "x", 1)]))
    fields = draw(st.permutations(fields))
    gap = draw(SPACES)
    plain = draw(st.booleans())
    words = [f"{json.dumps(k, ensure_ascii=plain)}:{gap}{json.dumps(v, ensure_ascii=plain)}" for k, v in fields]
    content = bytearray((gap + "{" + f"{gap},".join(words) + "}" + gap).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.sampled_from(MARKS))
    return bytes(content)


def reference(kind: int, value: bytes) -> Columns:
    """The record decoded by msgspec and the rules around it alone."""
    block = block_of([Record(0, b"", value, 0)])
    others = events.Others(kind, 0)
    rows = np.zeros(1, DECODED)
    kept = others.add(rows, block.record(0), 0)
    text = np.frombuffer(b"".join(others.text), np.uint8)
    return Columns(
        kind=kind, block=block, rows=rows[: int(kept)], text=text, attributes=others.attributes, refused=others.refused
    )


def fast(kind: int, value: bytes) -> tuple[bool, Any, bytes]:
    """(whether the compiled reader takes it, its row, its text)."""
    block = block_of([Record(0, b"", value, 0)])
    rows, plain = np.zeros(1, DECODED), np.zeros(1, np.bool_)
    text = np.empty(len(value), np.uint8)
    filled = read(
        block.data, block.index.view(np.recarray), FIELDS[kind], ACTIONS[kind], NEEDED[kind], 10**6,
        rows.view(np.recarray), text, plain,
    )  # fmt: skip
    return bool(plain[0]), rows[0], text[:filled].tobytes()


def agree(kind: int, value: bytes) -> bool:
    """Whether it was taken; fails when the two differ."""
    taken, row, text = fast(kind, value)
    if taken:
        wanted = reference(kind, value)
        assert wanted.refused == []
        for name in ("ts_ms", "action", "amount_minor", "id_hash", "machine_open", "category"):
            assert row[name] == wanted.rows[0][name], name
        start, length = row["customer"].tolist()
        assert text[start : start + length] == wanted.customer_id(0)
        start, length = row["event"].tolist()
        assert text[start : start + length].decode() == wanted.event_id(0)
    return taken


@pytest.mark.parametrize("kind", SAMPLES, ids=TOPICS.__getitem__)
@given(data=st.data())
@settings(max_examples=600)  # each costs 0.2 ms, and the rare acceptances are what matters
def test_what_the_reader_takes_the_reference_takes_alike(kind: int, data: st.DataObject) -> None:
    """Over nearly legal records: same values, or left to the reference."""
    agree(kind, data.draw(texts(kind)))


@given(st.binary(max_size=40))
@example(b"{}")
@example(b'{"event_id"')
@example(b'{"ts":-')
@example(b'{"a":t')
def test_rubbish_is_left_to_the_reference(value: bytes) -> None:
    """And nothing is read beyond its end."""
    for kind in SAMPLES:
        assert not fast(kind, value)[0]


@pytest.mark.parametrize("kind", SAMPLES, ids=TOPICS.__getitem__)
def test_the_usual_record_is_taken(kind: int) -> None:
    """However it is spaced, in whatever order; else the reader would be for nothing."""
    sample = SAMPLES[kind]
    assert agree(kind, json.dumps(sample).encode())
    assert agree(kind, json.dumps(sample, separators=(",", ":")).encode())
    assert agree(kind, json.dumps(sample, indent=1).encode())
    assert agree(kind, json.dumps(dict(reversed(sample.items()))).encode())
    assert agree(kind, json.dumps({**sample, "x": None, "y": True, "z": -1.5}).encode())
    assert not agree(kind, json.dumps({**sample, "customer_id": "änn"}).encode())
    assert not agree(kind, json.dumps({**sample, "items": [1]}).encode())


@given(st.integers(-(10**13) + 1, 10**13 - 1).filter(bool))
def test_money_is_the_reference_s_to_the_cent(cents: int) -> None:
    """Of every amount with up to eleven digits before the point."""
    whole, rest = divmod(abs(cents), 100)
    value = json.dumps(SAMPLES[PURCHASE]).replace("12.34", f"{'-' if cents < 0 else ''}{whole}.{rest:02d}")
    assert agree(PURCHASE, value.encode())


def test_ids_hash_to_different_numbers() -> None:
    """200,000 running numbers: no two alike, and no bit that never moves."""
    hashes = {events.identity_of(f"e{i:09d}") for i in range(200_000)}
    assert len(hashes) == 200_000
    for bit in range(64):
        share = sum(value >> bit & 1 for value in hashes) / len(hashes)
        assert 0.49 < share < 0.51
