"""Definitions against one row at one time: which comparisons hold, which segment follows, until when."""

from __future__ import annotations

import math
from typing import Any

from models.compiled import inlined, kernel
from models.customers import row as r
from models.customers.accumulate import HALF_LIFE_MS
from models.customers.places import number
from models.definitions.compile import AND, DECAYING, NEAR_READINGS, NEAR_TERMS, NOT, OR, TRUE
from models.exact_math import log2
from models.features import catalogue as c
from models.features.compute import kept_count, kept_ms, since_ms, usual_gap_ms, value

WAIT_MS_MAX = 4e15  # a hundred thousand years: not worth a deadline, and near the end of integer arithmetic
# A trend is a ratio of two decayed sums: it decays by itself, with the difference of their rates.
TREND_HALF_LIFE_MS = 1.0 / (1.0 / r.HALF_LIFE_MS[r.CLICKS_1D] - 1.0 / r.HALF_LIFE_MS[r.CLICKS_7D])
GE, LE, EQ, NE, GT, LT, PRESENT = range(7)  # the order of language.OPS
# For each of these, when it holds: three bits for less, equal, more.
OUTCOMES = sum(holds << 3 * op for op, holds in enumerate((0b110, 0b011, 0b010, 0b101, 0b100, 0b001, 0b111)))
NEAR, LATER = range(2)  # deadlines that are asked for at every decision, and the others


@inlined
def compare(x: float, op: int, threshold: float) -> bool:
    """Whether `x op threshold` holds; an absent attribute (NaN) satisfies nothing, not even !=."""
    outcome = int(x < threshold) | (int(x == threshold) << 1) | (int(x > threshold) << 2)  # a jump costs more
    return (OUTCOMES >> (3 * op)) & outcome != 0


@kernel
def judge(row: Any, now: int, plan: Any, model: Any, values: Any, truth: Any) -> None:
    """Read every feature the definitions use at `now` into values, and the truth of every term."""
    for k in range(len(plan.readings)):
        reading = plan.readings[k]
        values[k] = value(row, now, reading.kind, reading.source, reading.window_ms, model)
    for k in range(len(plan.terms)):
        term = plan.terms[k]
        truth[k] = compare(values[term.reading], term.op, term.threshold)


@inlined
def read_decaying(row: Any, now: int, plan: Any, model: Any, values: Any) -> None:
    """Read what decays at `now` into values."""
    for k in range(plan.used[DECAYING]):
        reading = plan.readings[k]
        values[k] = value(row, now, reading.kind, reading.source, reading.window_ms, model)


@inlined
def judge_dimension(row: Any, now: int, plan: Any, model: Any, d: int, first: int, values: Any, truth: Any) -> None:
    """As judge, for one dimension; `first` 1: what decays has been read."""
    span = plan.dimensions[d].readings
    for i in range(span[first], span[2]):
        k = plan.used[i]
        reading = plan.readings[k]
        values[k] = value(row, now, reading.kind, reading.source, reading.window_ms, model)
    used = plan.dimensions[d].terms
    for i in range(used[0], used[1]):
        k = plan.used[i]
        term = plan.terms[k]
        truth[k] = compare(values[term.reading], term.op, term.threshold)


@inlined
def tell(plan: Any, d: int, code: int, values: Any, truth: Any) -> None:
    """Let the terms that hang on dimension d know its answer, before the dimensions that use them are judged."""
    readers = plan.dimensions[d].readers
    for i in range(readers[0], readers[1]):
        k = plan.used[i]
        term = plan.terms[k]
        values[term.reading] = float(code)
        truth[k] = compare(values[term.reading], term.op, term.threshold)


@inlined
def holds(plan: Any, start: int, end: int, truth: Any, stack: Any) -> bool:
    """Evaluate one condition's postfix code over the truth of the terms."""
    top = 0
    for i in range(start, end):
        code = plan.code[i]
        if code >= 0:
            stack[top] = truth[code]
            top += 1
        elif code == TRUE:
            stack[top] = True
            top += 1
        elif code == NOT:
            stack[top - 1] = not stack[top - 1]
        elif code == AND:
            stack[top - 2] = stack[top - 2] and stack[top - 1]
            top -= 1
        elif code == OR:
            stack[top - 2] = stack[top - 2] or stack[top - 1]
            top -= 1
    return stack[0]  # type: ignore[no-any-return]  # a cell of a numpy array


@inlined
def held_until(plan: Any, d: int, code: int, since_ms: int) -> int:
    """When the dwell ends of a segment entered at `since_ms`, or the cooldown of one that was left; 0: neither."""
    if code == r.GONE:
        return 0
    if code > 0:
        return since_ms + plan.segments[plan.dimensions[d].segments[0] + code - 1].dwell_ms  # type: ignore[no-any-return]  # fields of numpy records
    return since_ms + plan.dimensions[d].cooldown_ms if since_ms > 0 else 0


@inlined
def answer(plan: Any, d: int, current: int, truth: Any, stack: Any) -> int:
    """The segment's code (1 the first, 0 none): the first that can be entered or, if current, kept."""
    if plan.dimensions[d].has_masks:
        return _answer_by_masks(plan, d, current, truth)
    span = plan.dimensions[d].segments
    for s in range(span[0], span[1]):
        code = s - span[0] + 1
        condition = plan.segments[s].stay if code == current else plan.segments[s].enter
        if holds(plan, condition[0], condition[1], truth, stack):
            return code  # type: ignore[no-any-return]  # an integer, which numpy does not promise
    return 0


@inlined
def _answer_by_masks(plan: Any, d: int, current: int, truth: Any) -> int:
    """As answer, of a dimension with masks: a clause holds if the bits it cares for are those it wants."""
    used, span = plan.dimensions[d].terms, plan.dimensions[d].segments
    word = 0
    for i in range(used[0], used[1]):
        word |= int(truth[plan.used[i]]) << (i - used[0])
    for s in range(span[0], span[1]):
        code = s - span[0] + 1
        clauses = plan.segments[s].stays if code == current else plan.segments[s].enters
        for i in range(clauses[0], clauses[1], 2):
            if word & plan.used[i] == plan.used[i + 1]:
                return code  # type: ignore[no-any-return]  # an integer, which numpy does not promise
    return 0


@inlined
def _deadline(row: Any, now: int, plan: Any, k: int, values: Any) -> int:
    """A lower bound, later than `now`, of when waiting alone could flip term k; NEVER_MS if it cannot.

    `values` has the readings at `now` that decay.
    """
    term = plan.terms[k]
    reading = plan.readings[term.reading]
    if reading.kind == c.SINCE:
        anchor = since_ms(row, reading.source)
        age = float(c.ABSENT_MS) if anchor == 0 else float(max(now - anchor, 0))
        return _since_deadline(now, age, term)
    if reading.kind == c.PACE:
        return _pace_deadline(row, now, term.threshold)
    half_life_ms = HALF_LIFE_MS[reading.source] if reading.kind == c.DECAYED else TREND_HALF_LIFE_MS
    return _decay_deadline(now, values[term.reading], half_life_ms, term.threshold)


@inlined
def _since_deadline(now: int, x: float, term: Any) -> int:
    if x >= c.ABSENT_MS:
        return r.NEVER_MS
    reaches = now + int(math.ceil(term.threshold) - x)  # the first time the age is at least the threshold
    passes = now + int(math.floor(term.threshold) - x) + 1  # the first time it is more
    if term.op != GT and term.op != LE and reaches > now:  # noqa: PLR1714 - numba compiles `in` slower
        return reaches
    if term.op != GE and term.op != LT and passes > now:  # noqa: PLR1714 - as above; == and != flip at both
        return passes
    return r.NEVER_MS


@inlined
def _decay_deadline(now: int, x: float, half_life_ms: float, threshold: float) -> int:
    if threshold <= 0.0 or x < threshold:
        return r.NEVER_MS
    wait = half_life_ms * log2(x / threshold)
    if wait > WAIT_MS_MAX:
        return r.NEVER_MS
    return now + max(1, math.floor(wait * (1.0 - 1e-12)))  # a hair early: decided again, never late


@inlined
def _pace_deadline(row: Any, now: int, threshold: float) -> int:
    wait = usual_gap_ms(row) * threshold
    if wait > WAIT_MS_MAX or wait <= 0.0:
        return r.NEVER_MS
    crosses = number(row, r.LAST_ORDER) + math.floor(wait)
    for extra in range(-1, 3):  # rounding of the quotient: a hair early, decided again, never late
        if crosses + extra > now:
            return crosses + extra
    return r.NEVER_MS


@inlined
def _reading_deadline(row: Any, now: int, reading: Any, model: Any) -> int:
    """Deadlines that do not hang on the threshold: an item leaves a window, the age crosses a cut point."""
    earliest = r.NEVER_MS
    if reading.kind == c.WINDOW_COUNT or reading.kind == c.WINDOW_SUM:  # noqa: PLR1714 - as above
        for k in range(kept_count(reading.source)):
            t = kept_ms(row, reading.source, k)
            if t > 0 and t + reading.window_ms > now:
                earliest = min(earliest, t + reading.window_ms)
    elif reading.kind == c.SCORE and reading.source == c.RECENCY_SCORE and number(row, r.LAST_ORDER) > 0:
        for k in range(len(model.cut_recency_days)):
            crosses = number(row, r.LAST_ORDER) + math.floor(model.cut_recency_days[k] * r.DAY_MS)
            for extra in range(3):  # rounding of the cut: a hair early, decided again, never late
                if crosses + extra > now:
                    earliest = min(earliest, crosses + extra)
    return earliest


@inlined
def dimension_deadline(row: Any, now: int, plan: Any, model: Any, d: int, values: Any) -> int:
    """The earliest deadline of the terms of one dimension."""
    span, used = plan.dimensions[d].readings, plan.dimensions[d].terms
    earliest = r.NEVER_MS
    for i in range(span[0], span[2]):
        earliest = min(earliest, _reading_deadline(row, now, plan.readings[plan.used[i]], model))
    for i in range(used[0], used[1]):
        kind = plan.readings[plan.terms[plan.used[i]].reading].kind
        if kind == c.SINCE or kind == c.DECAYED or kind == c.TREND or kind == c.PACE:  # noqa: PLR1714 - as above
            earliest = min(earliest, _deadline(row, now, plan, plan.used[i], values))
    return earliest


@inlined
def earliest_deadline(row: Any, now: int, plan: Any, model: Any, values: Any, part: int) -> int:
    """The earliest deadline of all terms of a part: NEAR or LATER."""
    earliest = r.NEVER_MS
    for i in range(plan.used[NEAR_READINGS + part], plan.used[NEAR_READINGS + part + 1]):
        earliest = min(earliest, _reading_deadline(row, now, plan.readings[plan.used[i]], model))
    for i in range(plan.used[NEAR_TERMS + part], plan.used[NEAR_TERMS + part + 1]):
        earliest = min(earliest, _deadline(row, now, plan, plan.used[i], values))
    return earliest
