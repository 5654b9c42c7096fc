"""Definitions into Plan: flat arrays that the kernel walks without a Python object in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from models.compiled import records
from models.customers.row import DIMENSIONS_MAX
from models.definitions.dependencies import ancestors, evaluation_order
from models.definitions.document import CLUSTER, All, Condition, Definitions, Dimension, Not, Term
from models.definitions.language import NESTING_MAX, OPS
from models.features.catalogue import ANSWER

AND, OR, NOT, TRUE = -1, -2, -3, -4  # operators of the postfix code; numbers from 0 on are terms
STACK_MAX = NESTING_MAX + 2  # booleans pending while a condition is evaluated: one a level, a range's, and one

READING = np.dtype([("kind", "i8"), ("source", "i8"), ("window_ms", "i8")])  # a feature, read once a decision
TERM = np.dtype([("reading", "i8"), ("op", "i8"), ("threshold", "f8"), ("per_unit", "f8")])
SEGMENT = np.dtype([("enter", "i8", (2,)), ("stay", "i8", (2,)), ("dwell_ms", "i8")])  # [from, to) in the code
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
    ]
)


class Plan(NamedTuple):
    """Definitions as the kernel reads them. `used` has the lists that dimensions point to: an array less is cheaper."""

    readings: NDArray[np.void]
    terms: NDArray[np.void]
    code: NDArray[np.int64]
    segments: NDArray[np.void]
    dimensions: NDArray[np.void]
    used: NDArray[np.int64]


class _Writer:
    def __init__(self, homes: Sequence[int]) -> None:
        self._homes = homes  # where rows keep the answer of each dimension
        self.terms: list[Term] = []
        self.places: dict[Term, int] = {}
        self.readings: dict[tuple[int, int, int], int] = {}
        self.code: list[int] = []

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
    segments: list[tuple[tuple[int, int], tuple[int, int], int]] = []
    dimensions: list[tuple[Any, ...]] = []
    used: list[int] = []
    for dimension, place in zip(definitions.dimensions, places, strict=True):
        first, first_used = len(segments), len(used)
        segments.extend((writer.write(s.enter), writer.write(s.stay), s.dwell_ms) for s in dimension.segments)
        used.extend(_terms_of(dimension, writer.places))
        dimensions.append(
            ((first, len(segments)), (first_used, len(used)), dimension.kind == CLUSTER, dimension.margin,
             dimension.review_ms, dimension.dwell_ms, dimension.cooldown_ms, place, 0, (0, 0), (0, 0))
        )  # fmt: skip
    _add_dependencies(definitions, writer.terms, dimensions, used)
    plan = Plan(
        readings=_records(list(writer.readings), READING),
        terms=_records([_term_record(term, writer.readings[writer.reading(term)]) for term in writer.terms], TERM),
        code=np.array(writer.code or [TRUE], np.int64),
        segments=_records(segments, SEGMENT),
        dimensions=_records(dimensions, DIMENSION),
        used=np.array(used or [0], np.int64),
    )
    return plan, tuple(writer.terms)


def _places(definitions: Definitions) -> Iterator[int]:
    """For each dimension where rows keep its answer: those with a date from 0 on, the others have a bit."""
    dated, bits = count(), count(DIMENSIONS_MAX)
    for dimension in definitions.dimensions:
        yield next(dated if dimension.has_date else bits)


def _add_dependencies(
    definitions: Definitions, terms: Sequence[Term], dimensions: list[tuple[Any, ...]], used: list[int]
) -> None:
    """Write turn, chain and readers into the records of `dimensions`, and what they list into `used`."""
    order = evaluation_order(definitions.dimensions)
    for d, record in enumerate(dimensions):
        above = ancestors(definitions.dimensions, d)
        first = len(used)
        used.extend(one for one in order if one == d or one in above)
        first_reader = len(used)
        used.extend(k for k, term in enumerate(terms) if term.feature.kind == ANSWER and term.feature.source == d)
        dimensions[d] = (*record[:-3], order[d], (first, first_reader), (first_reader, len(used)))


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
