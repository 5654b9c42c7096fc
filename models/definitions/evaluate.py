"""Definitions against one row at one time: which comparisons hold, which segment follows, until when."""

from __future__ import annotations

import math
from typing import Any

from models.compiled import inlined, kernel
from models.customers import row as r
from models.customers.accumulate import HALF_LIFE_MS
from models.customers.places import number
from models.definitions.compile import AND, NOT, OR, TRUE
from models.exact_math import log2
from models.features import catalogue as c
from models.features.compute import kept_count, kept_ms, usual_gap_ms, value

WAIT_MS_MAX = 4e15  # a hundred thousand years: not worth a deadline, and near the end of integer arithmetic
# A trend is a ratio of two decayed sums: it decays by itself, with the difference of their rates.
TREND_HALF_LIFE_MS = 1.0 / (1.0 / r.HALF_LIFE_MS[r.CLICKS_1D] - 1.0 / r.HALF_LIFE_MS[r.CLICKS_7D])
GE, LE, EQ, NE, GT, LT, PRESENT = range(7)  # the order of language.OPS


@inlined
def compare(x: float, op: int, threshold: float) -> bool:
    """Whether `x op threshold` holds; an absent attribute (NaN) satisfies nothing, not even !=."""
    if math.isnan(x):
        return False
    if op == GE:
        return x >= threshold
    if op == LE:
        return x <= threshold
    if op == EQ:
        return x == threshold
    if op == NE:
        return x != threshold
    if op == GT:
        return x > threshold
    if op == LT:
        return x < threshold
    return True


@kernel
def judge(row: Any, now: int, plan: Any, model: Any, values: Any, truth: Any) -> None:
    """Read every feature the definitions use at `now` into values, and the truth of every term."""
    for k in range(len(plan.readings)):
        reading = plan.readings[k]
        values[k] = value(row, now, reading.kind, reading.source, reading.window_ms, model)
    for k in range(len(plan.terms)):
        term = plan.terms[k]
        truth[k] = compare(values[term.reading], term.op, term.threshold)


@kernel
def judge_dimension(row: Any, now: int, plan: Any, model: Any, d: int, values: Any, truth: Any) -> None:
    """As judge, for one dimension."""
    used = plan.dimensions[d].terms
    for i in range(used[0], used[1]):
        k = plan.used[i]
        term = plan.terms[k]
        reading = plan.readings[term.reading]
        values[term.reading] = value(row, now, reading.kind, reading.source, reading.window_ms, model)
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
    span = plan.dimensions[d].segments
    for s in range(span[0], span[1]):
        code = s - span[0] + 1
        condition = plan.segments[s].stay if code == current else plan.segments[s].enter
        if holds(plan, condition[0], condition[1], truth, stack):
            return code  # type: ignore[no-any-return]  # an integer, which numpy does not promise
    return 0


@inlined
def deadline(row: Any, now: int, plan: Any, k: int, values: Any, model: Any) -> int:
    """A lower bound, later than `now`, of when waiting alone could flip term k; NEVER_MS if it cannot.

    `values` are the readings at `now`.
    """
    term = plan.terms[k]
    reading = plan.readings[term.reading]
    if reading.kind == c.SINCE:
        return _since_deadline(now, values[term.reading], term)
    if reading.kind == c.DECAYED:
        return _decay_deadline(now, values[term.reading], HALF_LIFE_MS[reading.source], term.threshold)
    if reading.kind == c.TREND:
        return _decay_deadline(now, values[term.reading], TREND_HALF_LIFE_MS, term.threshold)
    if reading.kind == c.PACE:
        return _pace_deadline(row, now, term.threshold)
    return _reading_deadline(row, now, reading, model)


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


@kernel
def dimension_deadline(row: Any, now: int, plan: Any, model: Any, d: int, values: Any) -> int:
    """The earliest deadline of the terms of one dimension."""
    used = plan.dimensions[d].terms
    earliest = r.NEVER_MS
    for i in range(used[0], used[1]):
        earliest = min(earliest, deadline(row, now, plan, plan.used[i], values, model))
    return earliest


@inlined
def due_ms(row: Any, now: int, plan: Any, model: Any, values: Any) -> int:
    """When this row must be looked at again if nothing happens: terms' deadlines and the cluster's review."""
    review = number(row, r.REVIEW)
    earliest = review if review > now else r.NEVER_MS
    for k in range(len(plan.readings)):
        earliest = min(earliest, _reading_deadline(row, now, plan.readings[k], model))
    for k in range(len(plan.terms)):
        kind = plan.readings[plan.terms[k].reading].kind
        if kind == c.SINCE or kind == c.DECAYED or kind == c.TREND or kind == c.PACE:  # noqa: PLR1714 - as above
            earliest = min(earliest, deadline(row, now, plan, k, values, model))
    return earliest
