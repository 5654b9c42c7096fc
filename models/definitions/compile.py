"""Definitions into Plan: flat arrays that the kernel walks without a Python object in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, product
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from models.compiled import records
from models.customers.row import DIMENSIONS_MAX
from models.definitions.dependencies import ancestors, evaluation_order
from models.definitions.document import CLUSTER, All, Condition, Definitions, Dimension, Not, Term
from models.definitions.language import NESTING_MAX, OPS
from models.definitions.stirring import decays, is_near, stirred_by, waits
from models.features.catalogue import ANSWER, DECAYED, PACE, SINCE, TREND

AND, OR, NOT, TRUE = -1, -2, -3, -4  # operators of the postfix code; numbers from 0 on are terms
STACK_MAX = NESTING_MAX + 2  # booleans pending while a condition is evaluated: one a level, a range's, and one

READING = np.dtype([("kind", "i8"), ("source", "i8"), ("window_ms", "i8")])  # a feature, read once a decision
TERM = np.dtype([("reading", "i8"), ("op", "i8"), ("threshold", "f8"), ("per_unit", "f8")])
SEGMENT = np.dtype(
    [
        ("enter", "i8", (2,)),  # [from, to) in the code
        ("stay", "i8", (2,)),
        ("dwell_ms", "i8"),
        (
            "enters",
            "i8",
            (2,),
        ),  # [from, to) in `used`: the same as clauses, two numbers each, of a dimension with masks
        ("stays", "i8", (2,)),
    ]
)
DIMENSION = np.dtype(
    [
        ("segments", "i8", (2,)),  # [from, to) in `segments`
        ("terms", "i8", (2,)),  # [from, to) in `used`
        ("is_cluster", "i8"),
        ("margin", "f8"),
        ("review_ms", "i8"),
        ("dwell_ms", "i8"),  # of clusters; segments have their own
        ("cooldown_ms", "i8"),  # of a single segment
        ("place", "i8"),  # where rows keep the answer (customers/answers.py)
        ("turn", "i8"),  # which dimension is judged in this place: each after those it hangs on
        ("chain", "i8", (2,)),  # [from, to) in `used`: the dimensions it hangs on, in the order of turns, and itself
        ("readers", "i8", (2,)),  # [from, to) in `used`: the terms that hang on it
        ("readings", "i8", (3,)),  # [from, those that do not decay, to) in `used`: what its terms read
        ("stirred_by", "i8"),  # when it is judged at all: bits of stirring.py
        ("has_masks", "i8"),
        ("waits", "i8"),  # 1: a dwell or a cooldown may hold an answer
    ]
)


# What `used` begins with: where in it the deadlines lie that are asked for at every decision (from, and the end), those
# that are asked for when clicks are not all that happened (the end), of readings and of terms; how many readings decay.
NEAR_READINGS, NEAR_TERMS, DECAYING = 0, 3, 6
HEAD = 7
CLAUSES_MAX = 16  # of one condition: more are not read faster than its code
MASK_TERMS_MAX = 62  # of one dimension: bits of a signed integer


class Plan(NamedTuple):
    """Definitions as the kernel reads them. `used` has the lists that dimensions point to: an array less is cheaper.

    Readings that decay come first.
    """

    readings: NDArray[np.void]
    terms: NDArray[np.void]
    code: NDArray[np.int64]
    segments: NDArray[np.void]
    dimensions: NDArray[np.void]
    used: NDArray[np.int64]


Clause = tuple[int, int]  # terms that count, as bits of their places in the dimension, and which of them must hold
_BY_TERM = {SINCE, DECAYED, TREND, PACE}  # of these a deadline hangs on the threshold


class _Writer:
    def __init__(self, homes: Sequence[int]) -> None:
        self._homes = homes  # where rows keep the answer of each dimension
        self.terms: list[Term] = []
        self.places: dict[Term, int] = {}
        self.readings: dict[tuple[int, int, int], int] = {}
        self.code: list[int] = []
        self.decaying = 0  # readings that do

    def put_decaying_first(self) -> None:
        """Number the readings anew, when all are known."""
        order = sorted(self.readings, key=lambda reading: not decays(reading[0]))
        self.readings = {reading: n for n, reading in enumerate(order)}
        self.decaying = sum(decays(kind) for kind, _, _ in order)

    def write(self, condition: Condition) -> tuple[int, int]:
        start = len(self.code)
        self._emit(condition)
        return start, len(self.code)

    def reading(self, term: Term) -> tuple[int, int, int]:
        """Kind, source and window; of another dimension's answer its place in the row."""
        kind, source = term.feature.kind, term.feature.source
        return kind, self._homes[source] if kind == ANSWER else source, term.window_ms

    def _emit(self, condition: Condition) -> None:
        """Append postfix code; lists are folded one by one, so the stack is as high as nesting is deep."""
        if isinstance(condition, Term):
            place = self.places.setdefault(condition, len(self.terms))
            if place == len(self.terms):
                self.terms.append(condition)
                self.readings.setdefault(self.reading(condition), len(self.readings))
            self.code.append(place)
        elif isinstance(condition, Not):
            self._emit(condition.part)
            self.code.append(NOT)
        elif not condition.parts:
            self.code.append(TRUE)
        else:
            self._emit(condition.parts[0])
            for part in condition.parts[1:]:
                self._emit(part)
                self.code.append(AND if isinstance(condition, All) else OR)


def compile_plan(definitions: Definitions) -> tuple[Plan, tuple[Term, ...]]:
    """Return the arrays, and the terms in the order of their numbers (for words and reasons)."""
    places = list(_places(definitions))
    writer = _Writer(places)
    segments: list[list[Any]] = []
    dimensions: list[tuple[Any, ...]] = []
    used = [0] * HEAD
    for dimension, place in zip(definitions.dimensions, places, strict=True):
        first, first_used = len(segments), len(used)
        segments.extend([writer.write(s.enter), writer.write(s.stay), s.dwell_ms] for s in dimension.segments)
        used.extend(_terms_of(dimension, writer.places))
        dimensions.append(
            ((first, len(segments)), (first_used, len(used)), dimension.kind == CLUSTER, dimension.margin,
             dimension.review_ms, dimension.dwell_ms, dimension.cooldown_ms, place)
        )  # fmt: skip
    writer.put_decaying_first()
    _add_dependencies(definitions, writer.terms, dimensions, used)
    for d, dimension in enumerate(definitions.dimensions):
        lies = dimensions[d][1]
        clauses = _append_clauses(dimension, lies, writer, used)
        for s, spans in enumerate(clauses or [((0, 0), (0, 0))] * len(dimension.segments), dimensions[d][0][0]):
            segments[s].extend(spans)
        readings = _append_readings(writer, lies, used)
        may_wait = dimension.cooldown_ms > 0 or any(segment.dwell_ms for segment in dimension.segments)
        dimensions[d] = (*dimensions[d], readings, stirred_by(dimension), clauses is not None, may_wait)
    _append_deadlines(writer, used)
    plan = Plan(
        readings=_records(list(writer.readings), READING),
        terms=_records([_term_record(term, writer.readings[writer.reading(term)]) for term in writer.terms], TERM),
        code=np.array(writer.code or [TRUE], np.int64),
        segments=_records([tuple(segment) for segment in segments], SEGMENT),
        dimensions=_records(dimensions, DIMENSION),
        used=np.array(used, np.int64),
    )
    return plan, tuple(writer.terms)


def _append_readings(writer: _Writer, lies: tuple[int, int], used: list[int]) -> tuple[int, int, int]:
    """List the readings of the terms in used[lies], those that decay first; returns where."""
    found = sorted({writer.readings[writer.reading(writer.terms[k])] for k in used[lies[0] : lies[1]]})
    first = len(used)
    used.extend(found)
    return first, first + sum(reading < writer.decaying for reading in found), len(used)


def _append_deadlines(writer: _Writer, used: list[int]) -> None:
    """List what has a deadline, and write the head of `used`."""
    by_value = [n for (kind, source, _), n in writer.readings.items() if kind not in _BY_TERM and waits(kind, source)]
    by_term = [k for k, term in enumerate(writer.terms) if term.feature.kind in _BY_TERM]
    kinds = {n: reading[:2] for reading, n in writer.readings.items()}
    thresholds = {k: native_threshold(term) for k, term in enumerate(writer.terms)}
    near_readings = {n for n in by_value if is_near(*kinds[n])}
    near_terms = {k for k in by_term if is_near(*writer.reading(writer.terms[k])[:2], thresholds[k])}
    for head, found, near in ((NEAR_READINGS, by_value, near_readings), (NEAR_TERMS, by_term, near_terms)):
        used[head] = len(used)
        used.extend(one for one in found if one in near)
        used[head + 1] = len(used)
        used.extend(one for one in found if one not in near)
        used[head + 2] = len(used)
    used[DECAYING] = writer.decaying


def _append_clauses(dimension: Dimension, lies: tuple[int, int], writer: _Writer, used: list[int]) -> list[Any] | None:
    """List the clauses of each segment; returns where those of `enter` and `stay` are, or None without masks."""
    if lies[1] - lies[0] > MASK_TERMS_MAX:
        return None
    bits = {writer.terms[k]: 1 << i for i, k in enumerate(used[lies[0] : lies[1]])}
    found = [[_clauses(condition, bits) for condition in (s.enter, s.stay)] for s in dimension.segments]
    if any(clauses is None for pair in found for clauses in pair):
        return None
    spans: list[list[tuple[int, int]]] = []
    for pair in found:
        spans.append([])
        for clauses in pair:
            first = len(used)
            used.extend(number for clause in clauses or () for number in clause)
            spans[-1].append((first, len(used)))
    return spans


def _clauses(condition: Condition, bits: dict[Term, int], holds: bool = True) -> list[Clause] | None:  # noqa: FBT001, FBT002 - turned round by each Not
    """When a condition holds (or does not): in any of these cases; None if they are too many."""
    if isinstance(condition, Term):
        return [(bits[condition], bits[condition] if holds else 0)]
    if isinstance(condition, Not):
        return _clauses(condition.part, bits, not holds)
    if not condition.parts:
        return [(0, 0)] if holds else []
    parts = [_clauses(part, bits, holds) for part in condition.parts]
    both = isinstance(condition, All) == holds
    found: list[Clause] = [(0, 0)] if both else []
    for part in parts:
        if part is None:
            return None
        if both:
            pairs = product(found, part)
            found = [(a | c, b | d) for (a, b), (c, d) in pairs if not a & c & (b ^ d)]
        else:
            found = found + part
        if len(found) > CLAUSES_MAX:
            return None
    return found


def _places(definitions: Definitions) -> Iterator[int]:
    """For each dimension where rows keep its answer: those with a date from 0 on, the others have a bit."""
    dated, bits = count(), count(DIMENSIONS_MAX)
    for dimension in definitions.dimensions:
        yield next(dated if dimension.has_date else bits)


def _add_dependencies(
    definitions: Definitions, terms: Sequence[Term], dimensions: list[tuple[Any, ...]], used: list[int]
) -> None:
    """Append turn, chain and readers to the records of `dimensions`, and what they list into `used`."""
    order = evaluation_order(definitions.dimensions)
    for d, record in enumerate(dimensions):
        above = ancestors(definitions.dimensions, d)
        first = len(used)
        used.extend(one for one in order if one == d or one in above)
        first_reader = len(used)
        used.extend(k for k, term in enumerate(terms) if term.feature.kind == ANSWER and term.feature.source == d)
        dimensions[d] = (*record, order[d], (first, first_reader), (first_reader, len(used)))


def _records(values: Sequence[Any], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    array = np.zeros(max(len(values), 1), dtype)  # numba cannot type an empty record array's use: one blank record
    for i, entry in enumerate(values):
        array[i] = entry
    return cast("NDArray[np.void]", records(array))


def _term_record(term: Term, reading: int) -> tuple[int, int, float, float]:
    return reading, OPS.index(term.op), native_threshold(term), term.feature.per_unit


def native_threshold(term: Term) -> float:
    """What the kernel compares with: ms, cents, counts."""
    threshold = term.threshold * term.feature.per_unit
    if term.feature.per_unit == 1.0:
        return threshold
    return round(threshold, 6)  # 19.99 is 1999 cents and not a hair less; a tenth of a day whole milliseconds


def _terms_of(dimension: Dimension, places: dict[Term, int]) -> list[int]:
    found: set[int] = set()
    for segment in dimension.segments:
        _collect(segment.enter, places, found)
        _collect(segment.stay, places, found)
    return sorted(found)


def _collect(condition: Condition, places: dict[Term, int], found: set[int]) -> None:
    if isinstance(condition, Term):
        found.add(places[condition])
    elif isinstance(condition, Not):
        _collect(condition.part, places, found)
    else:
        for part in condition.parts:
            _collect(part, places, found)
