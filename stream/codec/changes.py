"""Changes as JSON bytes. Same values, same bytes, on every machine.

A change is put together from pieces of text: whatever does not hang on the customer (names, reasons' features and
thresholds, digests) is made once for a Judge. One dictionary for each change and a general encoder took four times
as long; a test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import orjson

from models.changes import TRIGGERS, Change
from models.customers.row import DAY_MS, LEFT, NEVER_MS, OF_BEFORE, REMOVED
from models.definitions.document import CLUSTER, Term
from models.engine import Judge
from models.features.catalogue import ABSENT_MS, ANSWER, CLUSTER_FEATURES, FOLLOW, TIMES
from stream.codec.times import iso

SCHEMA_VERSION = 1
SIGNIFICANT_DIGITS = 6  # of reasons, margins and confidences: more is noise, and a change stays under 1 KB
WHOLE_MAX = 10.0**SIGNIFICANT_DIGITS  # whole numbers below it are no longer than that
NUMBERS_KEPT = 65_536  # texts of numbers remembered: counts, scores and thresholds come again and again
HOLDS = {">=": "below", ">": "at most", "<": "at least", "<=": "above", "==": "other than", "!=": "exactly"}
LACKS = {">=": "at least", ">": "above", "<": "below", "<=": "at most", "==": "exactly", "!=": "other than"}
NOBODY = '"event_id":null,"topic":null,"partition":null,"offset":null'  # of a trigger that is no event
KINDS = tuple(f'"trigger":{{"kind":"{name}",' for name in TRIGGERS)

Address = tuple[str, str, int, int]  # event id, topic, partition, offset


def text_of(value: object) -> str:
    """A value as JSON text."""
    return orjson.dumps(value).decode()


@lru_cache(maxsize=NUMBERS_KEPT)
def number(x: float) -> str:
    """A number as JSON text, to so many significant digits."""
    return text_of(rounded(x))


def rounded(x: float) -> float:
    """A number to the digits that are published; a zero has no sign."""
    if -WHOLE_MAX < x < WHOLE_MAX and x == int(x):  # most are counts, or the 1.0 of a rule: as they are
        return float(x) + 0.0  # of a negative zero: zero
    return float(f"{x:.{SIGNIFICANT_DIGITS}g}")


class ChangeWriter:
    """Writes the changes that are in the names of one Judge, for one partition.

    `before` is the Judge before: it has the names of dimensions and segments that are no more.
    """

    def __init__(self, judge: Judge, partition: int, before: Judge | None = None) -> None:
        self.judge = judge
        self.before = before or judge
        self._partition = partition
        self._rules = f'"definition":{text_of(judge.definitions.digest)},"model":{text_of(judge.model or None)},'
        self._moves: dict[tuple[int, int, int], str] = {}  # bounded by the dimensions and their segments
        self._names: dict[tuple[int, int], str] = {}  # as above
        self._is_cluster = [dimension.kind == CLUSTER for dimension in judge.definitions.dimensions]
        self._terms = [TermWords(term, judge) for term in judge.terms]

    def write(self, change: Change, customer_id: str, address: Address | None) -> bytes:
        """A change's record value; `address` is that of the event that triggered it."""
        d = change.dimension
        move = self._moves.get((d, change.previous, change.segment))
        if move is None:
            move = self._move(d, change.previous, change.segment)
        trigger = NOBODY
        if address is not None:
            event_id, topic, partition, offset = address
            trigger = f'"event_id":{text_of(event_id)},"topic":"{topic}","partition":{partition},"offset":{offset}'
        occurred = iso(change.occurred_ms)
        decided = occurred if change.decided_ms == change.occurred_ms else iso(change.decided_ms)
        until = f'"{iso(change.valid_until_ms)}"' if change.valid_until_ms < NEVER_MS else "null"
        if change.segment < 0:
            reasons = _left_reason(change) if change.segment == LEFT else ""
        else:
            reasons = self._cluster_reasons(change) if self._is_cluster[d] else self._reasons(change)
        return (
            f'{{"event_id":"{self._partition}-{change.seq}","schema_version":{SCHEMA_VERSION},'
            f'"customer_id":{text_of(customer_id)},"seq":{change.seq},{move}{KINDS[change.trigger]}{trigger}}},'
            f'"occurred_at":"{occurred}","decided_at":"{decided}","previous_seq":{change.previous_seq or "null"},'
            f'"confidence":{number(change.confidence)},"margin":{number(change.margin)},'
            f'"runner_up":{self._name(d, change.runner_up)},"reasons":[{reasons}],'
            f'"counterfactual":{self._counterfactual(change)},"valid_until":{until},'
            f'"next_if_silent":{self._name(d, change.next_segment)},"holdout":null,"supersedes":null}}'
        ).encode()

    def _move(self, d: int, previous: int, segment: int) -> str:
        label = self.judge.label(d, segment) if segment >= 0 else None
        name, was = _named(self.before if segment == REMOVED else self.judge, d, previous)
        if previous >= OF_BEFORE:
            places = [dimension.name for dimension in self.before.definitions.dimensions]
            name, was = _named(self.before, places.index(name), previous - OF_BEFORE)
        self._moves[d, previous, segment] = (
            f'"dimension":{text_of(name)},"previous_segment":{text_of(was)},"segment":{self._name(d, segment)},'
            f'"label":{text_of(label)},{self._rules}'
        )
        return self._moves[d, previous, segment]

    def _name(self, d: int, code: int) -> str:
        """A segment's name as JSON text; null for none."""
        if code < 0:
            return "null"
        name = self._names.get((d, code))
        if name is None:
            name = self._names[d, code] = text_of(self.judge.segment_name(d, code))
        return name

    def _reasons(self, change: Change) -> str:
        found = []
        for k, before, after in zip(change.reason, change.reason_before, change.reason_after, strict=True):
            if k >= 0:
                words = self._terms[k]
                was = words.shown(before) if change.previous else "null"  # there was no answer before
                found.append(f"{words.head}{was},{words.middle}{words.shown(after)}{words.tail}")
        return ",".join(found)

    @staticmethod
    def _cluster_reasons(change: Change) -> str:
        parts = zip(change.reason, change.reason_before, change.reason_after, change.contribution, strict=True)
        return ",".join(
            f'{{"feature":"{CLUSTER_FEATURES[k]}","before":{number(before)},"after":{number(after)},'
            f'"contribution":{number(contribution)}}}'
            for k, before, after, contribution in parts
            if k >= 0
        )

    def _counterfactual(self, change: Change) -> str:
        """The nearest border in words: what, if it were otherwise, would put the customer elsewhere."""
        if change.counter_term < 0:
            return "null"
        words = self._terms[change.counter_term]
        there = self.judge.segment_name(change.dimension, change.runner_up) or "no segment"
        return text_of(f"{words.otherwise(change.counter_value)} would be {there}")


def _named(judge: Judge, d: int, code: int) -> tuple[str, str | None]:
    """The names of a dimension and of a segment of it."""
    return judge.definitions.dimensions[d].name, judge.segment_name(d, code)


def _left_reason(change: Change) -> str:
    """Silent for as long as is kept: the one reason to leave."""
    before, after, most = (
        number(ms / DAY_MS) for ms in (change.reason_before[0], change.reason_after[0], change.counter_value)
    )
    return f'{{"feature":"days_since_seen","before":{before},"after":{after},"op":">=","threshold":{most}}}'


class TermWords:
    """What is said of one term whenever it is a reason."""

    def __init__(self, term: Term, judge: Judge) -> None:
        self._term = term
        self._per_unit = term.feature.per_unit
        self._can_be_absent = term.feature.kind in TIMES
        self._segment_name = judge.segment_name if term.feature.kind == ANSWER else None
        threshold = text_of(term.text) if term.text else number(term.threshold)
        self.head = f'{{"feature":{text_of(term.name)},"before":'
        self.middle = '"after":'
        self.tail = f',"op":{text_of(term.op)},"threshold":{threshold}}}'

    def shown(self, x: float) -> str:
        """A reading in the unit people use; null for what never happened or is absent, words for a string."""
        if x != x or (self._can_be_absent and x >= ABSENT_MS):  # noqa: PLR0124 - NaN, three times as fast as asking
            return "null"
        if self._segment_name:
            return text_of(self._segment_name(self._term.feature.source, int(x)))
        if self._term.text:  # the row holds a hash of it
            return text_of(self._term.text if x == self._term.threshold else "other")
        return number(x / self._per_unit)

    def otherwise(self, x: float) -> str:
        """The term with the other truth than it has at `x`."""
        now = orjson.loads(self.shown(x))
        return f"{self.border(HOLDS if _true(x, self._term) else LACKS)}{now})"

    def border(self, words: Mapping[str, str]) -> str:
        """The other side of the term, up to the value that it has."""
        term = self._term
        if term.feature.kind == FOLLOW and term.threshold * self._per_unit >= ABSENT_MS:
            return f"{term.name} {'known' if words is HOLDS else 'unknown'} (is "
        return f"{term.name} {words.get(term.op, 'not')} {term.text or f'{term.threshold:g}'} (is "


def _true(x: float, term: Term) -> bool:
    if math.isnan(x):
        return False  # as models.definitions.evaluate.compare: what is absent satisfies nothing, not even !=
    y = term.threshold * term.feature.per_unit
    return {">=": x >= y, ">": x > y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}.get(term.op, True)
