"""Changes as JSON bytes, many at once, by compiled code.

It writes what it is sure of; where a function takes or gives a position, -1 means that it is not. **Whatever else a
change holds, it decides nothing**: an id that needs escaping, a number whose last digit hangs on more than a double
says, a customer who left, a segment or dimension that is no more. The caller then has `stream.codec.changes` write it,
which alone says what a change looks like (a property test compares the two).
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.changes import CHANGE, REASONS_MAX, Change
from models.compiled import kernel, records
from models.customers.names import Packed, packed
from models.customers.row import NEVER_MS
from models.definitions.evaluate import compare
from models.engine import Judge
from models.events import TOPICS
from stream.codec import change_pieces as p
from stream.codec.changes import Address, ChangeWriter
from stream.codec.columns import DECODED
from stream.codec.number_bytes import JSON_PLAIN_MIN, TEXT_PLAIN_MIN, decimal, integer
from stream.codec.pieces import QUOTE, Scribe, inside, put, sign, text, time

PIECES_MAX: Final = 40  # in one change, of any length; the others are numbers and times
NUMBERS_BYTES: Final = 1_024  # of all numbers and times in one change: 21 of at most 24 bytes, twice that
COMMA, CLOSE = ord(","), ord("}")


class Source(NamedTuple):
    """Where the events of a batch come from: for the address of the event that triggered a change."""

    order: NDArray[np.int64]  # row of each event
    event: Any  # DECODED rows
    text: NDArray[np.uint8]
    kind: NDArray[np.int64]
    offset: NDArray[np.int64]


NOWHERE = Source(
    np.zeros(0, np.int64),
    records(np.zeros(0, DECODED)),
    np.zeros(0, np.uint8),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
)


def warm(judge: Judge) -> None:
    """Compile every kernel function of this module now."""
    nothing = np.zeros(1, CHANGE)
    nothing["event"] = -1
    ChangeBytes(judge, 0).write(nothing, packed([b"nobody"]), NOWHERE)


class ChangeBytes:
    """Writes the changes that are in the names of one Judge, for one partition; `before` as of a ChangeWriter."""

    def __init__(self, judge: Judge, partition: int, before: Judge | None = None) -> None:
        self.judge = judge
        self.before = before or judge
        self._slow = ChangeWriter(judge, partition, before)
        self._partition = partition
        self._pieces = p.pieces_of(judge, partition)
        self._scribe = Scribe()

    def write(self, changes: Any, ids: Packed, source: Source) -> list[bytes]:
        """The record values of some changes in their order; `ids` are their customers'."""
        starts, given = ids.borders(), records(changes)

        def some(done: int, out: Any, ends: Any, plain: Any) -> int:
            return _write_all(given, done, ids.text, starts, source, self._pieces, out, ends, plain)

        values, rare = self._scribe.write(len(changes), some)
        for i in rare:
            change = Change(*(changes[name][i].tolist() for name in Change._fields))
            customer_id = ids.text[starts[i] : starts[i + 1]].tobytes().decode()
            values[i] = self._slow.write(change, customer_id, self._address(change.event, source))
        return values

    def _address(self, event: int, source: Source) -> Address | None:
        if event < 0:
            return None
        i = int(source.order[event])
        start, length = source.event["event"][i].tolist()
        event_id = source.text[start : start + length].tobytes().decode()
        return event_id, TOPICS[int(source.kind[i])], self._partition, int(source.offset[i])


@kernel
def _write_all(
    changes: Any, done: int, ids: Any, starts: Any, source: Any, pieces: Any, out: Any, ends: Any, plain: Any
) -> int:
    """Write changes from `done` on while there is room; returns how many are written then."""
    at = 0
    for i in range(done, len(changes)):
        change = changes[i]
        room = PIECES_MAX * pieces.longest + NUMBERS_BYTES + starts[i + 1] - starts[i]
        if change.event >= 0:
            room += source.event[source.order[change.event]].event[1]
        if at + room > len(out):
            return i
        end = _write(change, ids, starts[i], starts[i + 1], source, pieces, out, at)
        plain[i] = end >= 0
        at = end if end >= 0 else at
        ends[i] = at
    return len(changes)


@kernel
def _write(change: Any, ids: Any, start: int, stop: int, source: Any, pieces: Any, out: Any, at: int) -> int:
    """One change; returns the position after it, -1 when it is not the plain case."""
    d, codes = change.dimension, pieces.name.shape[1]
    if not (0 <= change.segment < codes and 0 <= change.previous < codes):
        return -1
    if change.runner_up >= codes or change.next_segment >= codes:
        return -1
    at = integer(out, put(out, at, pieces, p.BEGIN), change.seq)
    at = text(out, put(out, at, pieces, p.CUSTOMER), ids, start, stop)
    at = integer(out, put(out, at, pieces, p.SEQ), change.seq)
    at = put(out, put(out, at, pieces, pieces.dimension[d]), pieces, pieces.name[d, change.previous])
    at = put(out, put(out, at, pieces, p.SEGMENT), pieces, pieces.name[d, change.segment])
    at = put(out, put(out, at, pieces, p.LABEL), pieces, pieces.label[d, change.segment])
    at = put(out, put(out, at, pieces, p.RULES), pieces, pieces.trigger[change.trigger])
    at = _trigger(change, source, pieces, out, at)
    at = time(out, put(out, at, pieces, p.OCCURRED), change.occurred_ms)
    at = time(out, put(out, at, pieces, p.DECIDED), change.decided_ms)
    at = put(out, at, pieces, p.PREVIOUS_SEQ)
    at = integer(out, at, change.previous_seq) if change.previous_seq else put(out, at, pieces, p.NULL)
    at = _number(out, put(out, at, pieces, p.CONFIDENCE), change.confidence, pieces)
    at = _number(out, put(out, at, pieces, p.MARGIN), change.margin, pieces)
    at = _name(out, put(out, at, pieces, p.RUNNER_UP), pieces, d, change.runner_up)
    at = _reasons(change, pieces, out, put(out, at, pieces, p.REASONS))
    at = _counterfactual(change, pieces, out, put(out, at, pieces, p.COUNTERFACTUAL))
    at = put(out, at, pieces, p.VALID_UNTIL)
    if change.valid_until_ms < NEVER_MS:
        at = sign(out, time(out, sign(out, at, QUOTE), change.valid_until_ms), QUOTE)
    else:
        at = put(out, at, pieces, p.NULL)
    at = _name(out, put(out, at, pieces, p.NEXT), pieces, d, change.next_segment)
    return put(out, at, pieces, p.END)


@kernel
def _trigger(change: Any, source: Any, pieces: Any, out: Any, at: int) -> int:
    if change.event < 0:
        return put(out, at, pieces, p.NO_EVENT)
    i = source.order[change.event]
    span = source.event[i].event
    at = text(out, put(out, at, pieces, p.EVENT_ID), source.text, span[0], span[0] + span[1])
    return integer(out, put(out, at, pieces, pieces.topic[source.kind[i]]), source.offset[i])


@kernel
def _reasons(change: Any, pieces: Any, out: Any, at: int) -> int:
    """Up to three reasons with commas between them; -1 when a number is not the plain case."""
    is_cluster, first = pieces.is_cluster[change.dimension], True
    for i in range(REASONS_MAX):
        k = change.reason[i]
        if k < 0:
            continue
        if not first:
            at = sign(out, at, COMMA)
        first = False
        before, after = change.reason_before[i], change.reason_after[i]
        if is_cluster:
            at = _number(out, put(out, at, pieces, pieces.feature[k]), before, pieces)
            at = _number(out, put(out, at, pieces, p.AFTER), after, pieces)
            at = _number(out, put(out, at, pieces, p.CONTRIBUTION), change.contribution[i], pieces)
            at = sign(out, at, CLOSE)
            continue
        at = put(out, at, pieces, pieces.term[k].head)
        at = _shown(out, at, pieces, k, before) if change.previous else put(out, at, pieces, p.NULL)
        at = _shown(out, put(out, at, pieces, p.AFTER), pieces, k, after)
        at = put(out, at, pieces, pieces.term[k].tail)
    return at


@kernel
def _shown(out: Any, at: int, pieces: Any, k: int, x: float) -> int:
    """A reading in the unit people use."""
    term = pieces.term[k]
    if math.isnan(x) or x >= term.absent:
        return put(out, at, pieces, p.NULL)
    if term.dimension >= 0:
        name = _segment(pieces, term.dimension, x)
        return put(out, at, pieces, name) if name >= 0 else -1
    if term.same >= 0:
        return put(out, at, pieces, term.same if x == term.threshold else p.OTHER)
    return _number(out, at, x / term.per_unit, pieces)


@kernel
def _segment(pieces: Any, d: int, x: float) -> int:
    """The name of another dimension's segment, -1 for one that has none here."""
    return pieces.name[d, int(x)] if 0.0 <= x < pieces.name.shape[1] else -1


@kernel
def _counterfactual(change: Any, pieces: Any, out: Any, at: int) -> int:
    k, x = change.counter_term, change.counter_value
    if k < 0:
        return put(out, at, pieces, p.NULL)
    if math.isnan(x):
        return -1
    term = pieces.term[k]
    at = put(out, at, pieces, term.holds if compare(x, term.op, term.threshold) else term.lacks)
    if x >= term.absent or (term.dimension >= 0 and x == 0.0):
        at = put(out, at, pieces, p.NONE)
    elif term.dimension >= 0:
        named = _segment(pieces, term.dimension, x)
        if named < 0:
            return -1
        at = inside(out, at, pieces, named)
    elif term.same >= 0:
        same = x == term.threshold
        at = inside(out, at, pieces, term.same) if same else put(out, at, pieces, p.OTHER_NAMED)
    else:
        at = decimal(out, at, x / term.per_unit, TEXT_PLAIN_MIN, 2)
    at = put(out, at, pieces, p.WOULD_BE)
    name = pieces.name[change.dimension, change.runner_up] if change.runner_up >= 0 else p.NULL
    at = put(out, at, pieces, p.NO_SEGMENT) if name == p.NULL else inside(out, at, pieces, name)
    return sign(out, at, QUOTE)


@kernel
def _name(out: Any, at: int, pieces: Any, d: int, code: int) -> int:
    return put(out, at, pieces, pieces.name[d, code] if code >= 0 else p.NULL)


@kernel
def _number(out: Any, at: int, x: float, pieces: Any) -> int:
    """A number in JSON to so many significant digits, as `changes.number` writes it; -1 when that is not sure."""
    return put(out, at, pieces, p.NULL) if math.isnan(x) else decimal(out, at, x, JSON_PLAIN_MIN, 1)
