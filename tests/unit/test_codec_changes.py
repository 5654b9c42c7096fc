"""Changes as bytes: the writer's pieces put together are what one plain encoder gives."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.changes import CHANGE, TRIGGERS, Change
from models.customers.names import packed
from models.customers.row import DAY_MS, LEFT, NEVER_MS, OF_BEFORE, REMOVED
from models.definitions.document import CLUSTER, Term
from models.definitions.language import parse
from models.engine import Judge, judge_of
from models.events import TOPICS
from models.features.catalogue import ABSENT_MS, CLUSTER_FEATURES, FOLLOW, SINCE
from stream.codec.change_bytes import ChangeBytes, Source
from stream.codec.changes import Address, ChangeWriter, number
from stream.codec.columns import DECODED
from stream.codec.definitions import plain, shipped_text
from stream.codec.number_bytes import DIGITS, JSON_PLAIN_MIN, LEAST, UNSURE, decimal
from stream.codec.times import iso

SCHEMA_VERSION = 1
SIGNIFICANT_DIGITS = 6
WHOLE_MAX = 10.0**SIGNIFICANT_DIGITS
ODD = 'a "quoted" \\ näme'
JUDGE = judge_of(
    parse(
        {
            **plain(shipped_text()),
            "attributes": {"plan": "string", "age": "number"},
        }
    ),
    None,
)
MS = st.integers(0, 4 * 10**12)
NUMBERS = st.floats(allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 999_999.0, 1e6, float(ABSENT_MS)])
ADDRESSES = st.none() | st.tuples(
    st.text(max_size=9), st.sampled_from(["clicks", "emails"]), st.just(3), st.integers(0, 2**50)
)
TERMS = st.integers(-1, len(JUDGE.terms) - 1)


def _iso(ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Any change of the shipped dimensions."""
    d = draw(st.integers(0, len(JUDGE.definitions.dimensions) - 1))
    dimension = JUDGE.definitions.dimensions[d]
    codes = st.integers(0, 9) if dimension.kind == CLUSTER else st.integers(0, len(dimension.segments))
    reasons = st.integers(-1, len(CLUSTER_FEATURES) - 1) if dimension.kind == CLUSTER else TERMS
    finite = NUMBERS.filter(math.isfinite)
    three = [st.lists(finite if dimension.kind == CLUSTER else NUMBERS, min_size=3, max_size=3)] * 3
    left = draw(st.booleans())
    occurred = draw(MS)
    return Change(
        seq=draw(st.integers(1, 2**40)), previous_seq=draw(st.integers(0, 9)), slot=0, dimension=d,
        previous=draw(codes), segment=LEFT if left else draw(codes), trigger=draw(st.integers(0, len(TRIGGERS) - 1)),
        event=-1, occurred_ms=occurred, decided_ms=draw(st.just(occurred) | MS), confidence=draw(finite),
        margin=draw(finite), runner_up=draw(codes | st.just(-1)),
        reason=draw(st.lists(reasons, min_size=3, max_size=3)),
        reason_before=draw(st.lists(finite, min_size=3, max_size=3) if left else three[0]),
        reason_after=draw(st.lists(finite, min_size=3, max_size=3) if left else three[1]),
        contribution=draw(three[2]), counter_term=-1 if left or dimension.kind == CLUSTER else draw(TERMS),
        counter_value=draw(finite), valid_until_ms=draw(MS | st.just(NEVER_MS)),
        next_segment=draw(codes | st.just(-1)), generation=0,
    )  # fmt: skip


@given(
    changes(),
    st.text(min_size=1, max_size=12),
    ADDRESSES,
)
def test_the_pieces_are_the_plain_encoder_s_bytes(change: Change, customer_id: str, address: Address | None) -> None:
    """For every kind of change, name, number and absence."""
    assert ChangeWriter(JUDGE, 3).write(change, customer_id, address) == reference(
        change, JUDGE, 3, customer_id, address
    )


@settings(max_examples=300)  # three changes in each: rare numbers are what this is for
@given(st.lists(st.tuples(changes(), ADDRESSES), min_size=1, max_size=3), st.text(min_size=1, max_size=12))
def test_compiled_code_writes_the_same_bytes(found: list[tuple[Change, Address | None]], customer_id: str) -> None:
    """Many at once, with and without an event, whatever needs escaping or care."""
    found = [(one._replace(event=-1 if address is None else i), address) for i, (one, address) in enumerate(found)]
    records = np.zeros(len(found), CHANGE)
    for i, (one, _) in enumerate(found):
        records[i] = tuple(one)
    ids = packed([customer_id.encode()] * len(found))
    values = ChangeBytes(JUDGE, 3).write(records.view(np.recarray), ids, source_of([address for _, address in found]))
    assert values == [reference(one, JUDGE, 3, customer_id, address) for one, address in found]


@given(st.floats(1e-9, 2e6) | st.decimals("0.00001", "999999", places=7).map(float) | st.floats(allow_infinity=False))
def test_numbers_round_as_python_does(x: float) -> None:
    """Six significant digits in JSON, or not sure; never sure and another."""
    out = np.zeros(64, np.uint8)
    end = decimal(out, 0, x, JSON_PLAIN_MIN, 1)
    assert end < 0 or out[:end].tobytes().decode() == number(x)
    if end < 0 and LEAST <= abs(x) < DIGITS:  # only where a double cannot say: near the middle between two last digits
        size = Decimal(abs(x))
        assert abs(size.scaleb(5 - size.adjusted()) % 1 - Decimal("0.5")) < 2 * Decimal(UNSURE)


def source_of(addresses: list[Address | None]) -> Source:
    """The events of these addresses as a batch holds them, in another order than they are applied in."""
    count = len(addresses)
    order, rows = np.arange(count)[::-1].copy(), np.zeros(count, DECODED)
    kind, offset, text = np.zeros(count, np.int64), np.zeros(count, np.int64), b""
    for address, row in zip(addresses, order.tolist(), strict=True):
        if address is not None:
            event_id = address[0].encode()
            rows["event"][row] = len(text), len(event_id)
            kind[row], offset[row], text = TOPICS.index(address[1]), address[3], text + event_id
    return Source(order, rows.view(np.recarray), np.array(list(text), np.uint8), kind, offset)


def test_what_was_written_before_changes_nothing() -> None:
    """Numbers are remembered by value: a negative zero must not stand where a zero belongs."""
    writer = ChangeWriter(JUDGE, 0)
    found = []
    for zero in (-0.0, 0.0):
        change = Change(
            1, 0, 0, 0, 0, 1, 0, -1, 5, 5, zero, zero, -1, [-1] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3, -1, 0.0, NEVER_MS,
            -1, 0,
        )  # fmt: skip
        found.append(json.loads(writer.write(change, ODD, None)))
        assert json.dumps(found[-1]["margin"]) == "0.0"
        assert found[-1]["customer_id"] == ODD
    assert found[0] == found[1]


def test_what_is_no_more_keeps_its_name_in_the_last_change() -> None:
    """A change out of a segment or dimension that new definitions lack names it, and the definitions that decided."""
    document = plain(shipped_text())
    del document["dimensions"]["value"]
    document["dimensions"]["lifecycle"]["segments"].pop(0)
    judge = judge_of(parse(document), None)
    writer = ChangeWriter(judge, 0, JUDGE)
    found = []
    for d, previous, segment in ((2, 1, REMOVED), (0, OF_BEFORE + 1, 6)):
        change = Change(
            1, 0, 0, d, previous, segment, TRIGGERS.index("definition"), -1, 5, 5, 1.0, 0.0, -1, [-1] * 3, [0.0] * 3,
            [0.0] * 3, [0.0] * 3, -1, 0.0, NEVER_MS, -1, 1,
        )  # fmt: skip
        found.append(json.loads(writer.write(change, ODD, None)))
    names = [(one["dimension"], one["previous_segment"], one["segment"]) for one in found]
    assert names == [("value", "top", None), ("lifecycle", "prospect", "dormant")]
    assert {one["definition"] for one in found} == {judge.definitions.digest}
    assert found[0]["reasons"] == []
    assert found[0]["counterfactual"] is found[0]["valid_until"] is None


@pytest.mark.parametrize("ms", [0, 999, 59_999, 60_000, DAY_MS - 1, DAY_MS, 951_782_400_000, 253_402_300_799_999])
def test_times_are_the_calendar_s(ms: int) -> None:
    """Leap days and the borders of minutes, hours and days."""
    assert iso(ms) == _iso(ms)


def reference(change: Change, judge: Judge, partition: int, customer_id: str, address: Address | None) -> bytes:
    """A change as one dictionary and one encoder: what the writer must equal byte for byte."""
    d = change.dimension
    dimension = judge.definitions.dimensions[d]
    is_cluster = dimension.kind == CLUSTER
    event_id, topic, event_partition, offset = address or (None, None, None, None)
    return orjson.dumps(
        {
            "event_id": f"{partition}-{change.seq}",
            "schema_version": SCHEMA_VERSION,
            "customer_id": customer_id,
            "seq": change.seq,
            "dimension": dimension.name,
            "previous_segment": judge.segment_name(d, change.previous),
            "segment": judge.segment_name(d, change.segment),
            "label": judge.label(d, change.segment),
            "definition": judge.definitions.digest,
            "model": judge.model or None,
            "trigger": {
                "kind": TRIGGERS[change.trigger],
                "event_id": event_id,
                "topic": topic,
                "partition": event_partition,
                "offset": offset,
            },
            "occurred_at": _iso(change.occurred_ms),
            "decided_at": _iso(change.decided_ms),
            "previous_seq": change.previous_seq or None,
            "confidence": _rounded(change.confidence),
            "margin": _rounded(change.margin),
            "runner_up": judge.segment_name(d, change.runner_up) if change.runner_up >= 0 else None,
            "reasons": _reasons(change, judge, is_cluster=is_cluster),
            "counterfactual": _counterfactual(change, judge),
            "valid_until": _iso(change.valid_until_ms) if change.valid_until_ms < NEVER_MS else None,
            "next_if_silent": judge.segment_name(d, change.next_segment) if change.next_segment >= 0 else None,
            "holdout": None,
            "supersedes": None,
        }
    )


def _reasons(change: Change, judge: Judge, *, is_cluster: bool) -> list[dict[str, Any]]:
    if change.segment == LEFT:
        return _left_reasons(change)
    return _cluster_reasons(change) if is_cluster else _rule_reasons(change, judge.terms)


def _left_reasons(change: Change) -> list[dict[str, Any]]:
    """Silent for as long as is kept: the one reason to leave."""
    before, after = change.reason_before[0] / DAY_MS, change.reason_after[0] / DAY_MS
    return [
        {
            "feature": "days_since_seen",
            "before": _rounded(before),
            "after": _rounded(after),
            "op": ">=",
            "threshold": _rounded(change.counter_value / DAY_MS),
        }
    ]


def _rule_reasons(change: Change, terms: tuple[Term, ...]) -> list[dict[str, Any]]:
    reasons = []
    for k, before, after in zip(change.reason, change.reason_before, change.reason_after, strict=True):
        if k >= 0:
            term = terms[k]
            shown = term.text or _rounded(term.threshold)
            reasons.append(
                {
                    "feature": term.name,
                    "before": _shown(before, term) if change.previous else None,  # there was no answer before
                    "after": _shown(after, term),
                    "op": term.op,
                    "threshold": shown,
                }
            )
    return reasons


def _cluster_reasons(change: Change) -> list[dict[str, Any]]:
    parts = zip(change.reason, change.reason_before, change.reason_after, change.contribution, strict=True)
    return [
        {
            "feature": CLUSTER_FEATURES[k],
            "before": _rounded(before),
            "after": _rounded(after),
            "contribution": _rounded(contribution),
        }
        for k, before, after, contribution in parts
        if k >= 0
    ]


def _counterfactual(change: Change, judge: Judge) -> str | None:
    """The nearest border in words: what, if it were otherwise, would put the customer elsewhere."""
    if change.counter_term < 0:
        return None
    term = judge.terms[change.counter_term]
    there = judge.segment_name(change.dimension, change.runner_up) or "no segment"
    now = _shown(change.counter_value, term)
    holds = {">=": "below", ">": "at most", "<": "at least", "<=": "above", "==": "other than", "!=": "exactly"}
    lacks = {">=": "at least", ">": "above", "<": "below", "<=": "at most", "==": "exactly", "!=": "other than"}
    words = lacks if not _true(change.counter_value, term) else holds
    threshold = term.text or f"{term.threshold:g}"
    return f"{term.name} {words.get(term.op, 'not')} {threshold} (is {now}) would be {there}"


def _true(x: float, term: Term) -> bool:
    if math.isnan(x):
        return False
    y = term.threshold * term.feature.per_unit
    return {">=": x >= y, ">": x > y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}.get(
        term.op, not math.isnan(x)
    )


def _shown(x: float, term: Term) -> float | str | None:
    """A reading in the unit people use; None for what never happened or is absent, words for a string attribute."""
    if math.isnan(x) or (term.feature.kind in (SINCE, FOLLOW) and x >= ABSENT_MS):
        return None
    if term.text:  # the row holds a hash of it
        return term.text if x == term.threshold else "other"
    return _rounded(x / term.feature.per_unit)


def _rounded(x: float) -> float:
    if -WHOLE_MAX < x < WHOLE_MAX and x == int(x):  # most are counts, or the 1.0 of a rule: as they are
        return float(x) + 0.0
    return float(f"{x:.{SIGNIFICANT_DIGITS}g}")
