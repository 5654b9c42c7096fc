"""Changes, memberships and dead letters as JSON bytes. Same values, same bytes, on every machine."""

from __future__ import annotations

import base64
import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from models.changes import TRIGGERS, Change
from models.customers.row import DAY_MS, LEFT, NEVER_MS
from models.definitions.document import CLUSTER, Term
from models.engine import Judge
from models.features.catalogue import ABSENT_MS, CLUSTER_FEATURES, SINCE

if TYPE_CHECKING:
    from stream.codec.events import Refusal

SCHEMA_VERSION = 1
SIGNIFICANT_DIGITS = 6  # of reasons, margins and confidences: more is noise, and a change stays under 1 KB
WHOLE_MAX = 10.0**SIGNIFICANT_DIGITS  # whole numbers below it are no longer than that
PAYLOAD_BYTES_MAX = 4096  # of a dead letter: enough to see what it was

Address = tuple[str, str, int, int]  # event id, topic, partition, offset


def iso(ms: int) -> str:
    """A time in ISO 8601, UTC, to the millisecond."""
    day, rest = divmod(ms, DAY_MS)
    minutes, rest = divmod(rest, 60_000)
    return f"{_day(day)}{_MINUTES[minutes]}{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=4096)  # eleven years of days: the calendar costs four times the rest of a time
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y-%m-%dT")


_MINUTES = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))


def encode_change(change: Change, judge: Judge, partition: int, customer_id: str, address: Address | None) -> bytes:
    """A change's record value.

    `judge` has the names that apply to its codes; `address` is that of
    the event that triggered it.
    """
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
            "label": judge.label(change.segment) if is_cluster else None,
            "definition": judge.definitions.digest,
            "model": judge.model or None,
            "trigger": {
                "kind": TRIGGERS[change.trigger],
                "event_id": event_id,
                "topic": topic,
                "partition": event_partition,
                "offset": offset,
            },
            "occurred_at": iso(change.occurred_ms),
            "decided_at": iso(change.decided_ms),
            "previous_seq": change.previous_seq or None,
            "confidence": _rounded(change.confidence),
            "margin": _rounded(change.margin),
            "runner_up": judge.segment_name(d, change.runner_up) if change.runner_up >= 0 else None,
            "reasons": _reasons(change, judge, is_cluster=is_cluster),
            "counterfactual": _counterfactual(change, judge),
            "valid_until": iso(change.valid_until_ms) if change.valid_until_ms < NEVER_MS else None,
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
    y = term.threshold * term.feature.per_unit
    return {">=": x >= y, ">": x > y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}.get(
        term.op, not math.isnan(x)
    )


def _shown(x: float, term: Term) -> float | str | None:
    """A reading in the unit people use; None for what never happened or is absent, words for a string attribute."""
    if math.isnan(x) or (term.feature.kind == SINCE and x >= ABSENT_MS):
        return None
    if term.text:  # the row holds a hash of it
        return term.text if x == term.threshold else "other"
    return _rounded(x / term.feature.per_unit)


def _rounded(x: float) -> float:
    if -WHOLE_MAX < x < WHOLE_MAX and x == int(x):  # most are counts, or the 1.0 of a rule: as they are
        return float(x)
    return float(f"{x:.{SIGNIFICANT_DIGITS}g}")


def seq_of(value: bytes) -> int:
    """The seq of a change's record value: from its event_id, which comes first, or else from the whole of it."""
    found = _EVENT_ID(value)
    return int(found[1]) if found else int(orjson.loads(value)["seq"])


_EVENT_ID = re.compile(rb'\{"event_id":"\d+-(\d+)",').match  # a third of the time that parsing takes


def encode_checkpoint_mark(seq: int, changes_offset: int) -> bytes:
    """The value of the memberships' `_checkpoint` key: what the memberships of this partition hold."""
    return orjson.dumps({"seq": seq, "changes_offset": changes_offset})


def encode_dead_letter(topic: str, partition: int, record: Any, refusal: Refusal) -> bytes:
    """A refused record with its address, reason and bounded payload."""
    payload = (record.value or b"")[:PAYLOAD_BYTES_MAX]
    return orjson.dumps(
        {
            "topic": topic,
            "partition": partition,
            "offset": record.offset,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "payload": base64.b64encode(payload).decode(),
            "key": (record.key or b"")[:PAYLOAD_BYTES_MAX].decode(errors="replace"),
        }
    )
