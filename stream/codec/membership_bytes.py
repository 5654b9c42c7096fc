"""Memberships as JSON bytes, many at once, by compiled code; what is not plain goes to `stream.codec.memberships`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel, records
from models.customers.names import Packed, packed
from models.customers.row import NEVER_MS, ROW
from models.definitions.document import CLUSTER
from models.engine import UNASSIGNED, Judge
from models.times import TEXT_BYTES
from stream.codec.change_pieces import codes_named
from stream.codec.changes import text_of
from stream.codec.memberships import encode_memberships
from stream.codec.number_bytes import integer
from stream.codec.pieces import QUOTE, Desk, Scribe, put, sign, text, time

CONSTANTS_MAX: Final = 8  # pieces of a membership that hang on no dimension
PIECES_MAX: Final = 5  # of a dimension
TIMES_BYTES: Final = 2 * (TEXT_BYTES + 2)  # of a dimension, with quotes
NUMBERS_BYTES: Final = 64  # seq and the time of the whole
COMMA: Final = ord(",")
# Pieces that are the same in every membership.
CUSTOMER, SEQ, RULES, SEGMENTS, VALID_UNTIL, NO_NEXT, END, NULL = range(8)

Ints = NDArray[np.int64]


class Pieces(NamedTuple):
    """All texts of one Judge."""

    text: NDArray[np.uint8]
    span: NDArray[np.int64]  # [pieces, 2]: first byte, length
    is_cluster: NDArray[np.bool_]  # [dimensions]
    head: NDArray[np.int64]  # [dimensions, codes]: up to since when; -1: no such segment
    following: NDArray[np.int64]  # [dimensions, codes]: the end
    longest: int  # bytes of the longest piece


class MembershipBytes:
    """Writes the memberships of customers whom one Judge judged."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._pieces = _pieces_of(judge)
        self._scribe = Scribe()

    def write(self, rows: Any, ids: Packed, until: Ints, following: Ints) -> list[bytes]:
        """The record values of some customers: everything each is in, as of the row's own time.

        Parameters
        ----------
        rows : ROW records; `ids` are their customers'.
        until, following : the outlook of every dimension, [n, dimensions].
        """
        codes, since = self.judge.codes(rows), self.judge.since_ms(rows)
        starts, given = ids.borders(), records(rows)

        def some(done: int, out: Any, ends: Any, plain: Any) -> int:
            return _write_all(
                given, done, ids.text, starts, codes, since, until, following, self._pieces, out, ends, plain
            )

        values, rare = self._scribe.write(len(rows), some)
        if rare:
            names = [ids.text[starts[i] : starts[i + 1]].tobytes().decode() for i in rare]
            found = encode_memberships(rows[rare], self.judge, names, until[rare], following[rare])
            for i, value in zip(rare, found, strict=True):
                values[i] = value
        return values


def warm(judge: Judge) -> None:
    """Compile every kernel function of this module now."""
    nothing = np.zeros((1, len(judge.definitions.dimensions)), np.int64)
    MembershipBytes(judge).write(np.zeros(1, ROW), packed([b"nobody"]), nothing, nothing)


def _pieces_of(judge: Judge) -> Pieces:
    desk, dimensions, codes = Desk(), judge.definitions.dimensions, codes_named(judge)
    digests = f'"definition":{text_of(judge.definitions.digest)},"model":{text_of(judge.model or None)}'
    desk.constants(
        (
            '{"customer_id":"',
            '","seq":',
            f',{digests},"updated_at":"',
            '","segments":{',
            ',"valid_until":',
            ',"next_if_silent":null}',
            '},"audiences":{}}',
            "null",
        )
    )
    heads, following = np.full((2, len(dimensions), codes), -1, np.int64)
    for d, one in enumerate(dimensions):
        for code in range(codes if one.kind == CLUSTER else len(one.segments) + 1):
            segment = judge.segment_name(d, code)
            heads[d, code] = desk.place(f'{text_of(one.name)}:{{"segment":{text_of(segment or UNASSIGNED)},"since":')
            following[d, code] = desk.place(f',"next_if_silent":{text_of(segment)}}}')
    is_cluster = np.array([one.kind == CLUSTER for one in dimensions])
    found, span = desk.arrays()
    return Pieces(found, span, is_cluster, heads, following, int(span[:, 1].max()))


@kernel
def _write_all(
    rows: Any, done: int, ids: Any, starts: Any, codes: Any, since: Any, until: Any, following: Any, pieces: Any,
    out: Any, ends: Any, plain: Any,
) -> int:  # fmt: skip
    """Write memberships from `done` on while there is room; returns how many are written then."""
    at = 0
    dimensions = len(pieces.is_cluster)
    most = CONSTANTS_MAX * pieces.longest + dimensions * (PIECES_MAX * pieces.longest + TIMES_BYTES) + NUMBERS_BYTES
    for i in range(done, len(rows)):
        if at + most + starts[i + 1] - starts[i] > len(out):
            return i
        end = text(out, put(out, at, pieces, CUSTOMER), ids, starts[i], starts[i + 1])
        end = integer(out, put(out, end, pieces, SEQ), rows[i].seq)
        end = time(out, put(out, end, pieces, RULES), rows[i].decided_ms)
        end = _segments(codes[i], since[i], until[i], following[i], pieces, out, put(out, end, pieces, SEGMENTS))
        end = put(out, end, pieces, END)
        plain[i] = end >= 0
        at = end if end >= 0 else at
        ends[i] = at
    return len(rows)


@kernel
def _segments(standing: Any, since: Any, until: Any, following: Any, pieces: Any, out: Any, at: int) -> int:
    codes, first = pieces.head.shape[1], True
    for d in range(len(pieces.is_cluster)):
        code = standing[d]
        if code == 0 and not pieces.is_cluster[d]:
            continue
        if code >= codes or following[d] >= codes:
            return -1
        if not first:
            at = sign(out, at, COMMA)
        first = False
        at = put(out, at, pieces, pieces.head[d, code])
        at = _moment(out, at, since[d]) if code > 0 and since[d] > 0 else put(out, at, pieces, NULL)
        at = put(out, at, pieces, VALID_UNTIL)
        at = _moment(out, at, until[d]) if until[d] < NEVER_MS else put(out, at, pieces, NULL)
        at = put(out, at, pieces, pieces.following[d, following[d]] if following[d] >= 0 else NO_NEXT)
    return at


@kernel
def _moment(out: Any, at: int, ms: int) -> int:
    return sign(out, time(out, sign(out, at, QUOTE), ms), QUOTE)
