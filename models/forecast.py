"""What waiting alone will do: until when an answer holds, and what follows it."""

from __future__ import annotations

from typing import Any

from models.compiled import inlined, kernel
from models.customers import row as r
from models.customers.answers import answer_at, since_at
from models.customers.places import number
from models.customers.row import ANSWERS_MAX
from models.definitions.evaluate import answer, dimension_deadline, held_until, judge_dimension, tell
from models.times import LATEST_MS

STEPS_MAX = 48  # deadlines looked past before giving up: a dimension has a dozen; decayed terms take two each
UNKNOWN = -1  # no following segment is known


@inlined
def leaves_ms(row: Any, retention_ms: int) -> int:
    """When a customer who stays silent is let go; NEVER_MS for never."""
    return row.newest_ms + retention_ms if retention_ms > 0 else r.NEVER_MS


@kernel
def forecast(row: Any, now: int, d: int, rules: Any, work: Any) -> tuple[int, int]:
    """(valid_until_ms, next segment's code) of a dimension if nothing more happens after `now`.

    NEVER_MS and UNKNOWN when it holds for ever; a time and UNKNOWN when it holds at least until then, or until the
    customer leaves.
    """
    plan, model = rules.plan, rules.model[0]
    leaves = leaves_ms(row, rules.retention_ms)
    place = plan.dimensions[d].place
    current = answer_at(row, place)
    if plan.dimensions[d].is_cluster:
        review = number(row, r.REVIEW)
        return (min(review, leaves), UNKNOWN) if review > 0 else (leaves, UNKNOWN)
    if plan.dimensions[d].chain[1] - plan.dimensions[d].chain[0] > 1:
        return _forecast_chain(row, now, d, leaves, rules, work)
    dwell_ends = held_until(plan, d, current, since_at(row, place))
    t = now
    judge_dimension(row, t, plan, model, d, 0, work.values_ahead, work.truth_ahead)
    for _ in range(STEPS_MAX):
        at = _within_calendar(dimension_deadline(row, t, plan, model, d, work.values_ahead))
        if dwell_ends > t:
            at = min(at, dwell_ends)
        if at >= leaves:
            return leaves, UNKNOWN
        judge_dimension(row, at, plan, model, d, 0, work.values_ahead, work.truth_ahead)
        new = answer(plan, d, current, work.truth_ahead, work.stack)
        if new != current and at >= dwell_ends:
            return at, new
        t = at
    return t, UNKNOWN


@kernel
def _forecast_chain(row: Any, now: int, d: int, leaves: int, rules: Any, work: Any) -> tuple[int, int]:
    """As forecast, of a dimension that hangs on others: these go through their own changes meanwhile."""
    plan, model = rules.plan, rules.model[0]
    first, last = plan.dimensions[d].chain[0], plan.dimensions[d].chain[1]
    codes = work.values_before[:ANSWERS_MAX]  # nothing else is in them now; segments, and until when they are held
    held = work.values_before[ANSWERS_MAX : 2 * ANSWERS_MAX]
    for i in range(first, last):
        j = plan.used[i]
        place = plan.dimensions[j].place
        codes[j] = answer_at(row, place)
        held[j] = held_until(plan, j, answer_at(row, place), since_at(row, place))
        judge_dimension(row, now, plan, model, j, 0, work.values_ahead, work.truth_ahead)
    t = now
    for _ in range(STEPS_MAX):
        at = r.NEVER_MS
        for i in range(first, last):
            j = plan.used[i]
            at = min(at, dimension_deadline(row, t, plan, model, j, work.values_ahead))
            if held[j] > t:
                at = min(at, int(held[j]))
        at = _within_calendar(at)
        if at >= leaves:
            return leaves, UNKNOWN
        for i in range(first, last):
            judge_dimension(row, at, plan, model, plan.used[i], 0, work.values_ahead, work.truth_ahead)
        for i in range(first, last):
            tell(plan, plan.used[i], int(codes[plan.used[i]]), work.values_ahead, work.truth_ahead)
        for i in range(first, last):
            j = plan.used[i]
            new = answer(plan, j, int(codes[j]), work.truth_ahead, work.stack)
            if new == codes[j] or at < held[j]:
                continue
            if j == d:
                return at, new
            codes[j] = new
            held[j] = held_until(plan, j, new, at)
            tell(plan, j, new, work.values_ahead, work.truth_ahead)
        t = at
    return t, UNKNOWN


@kernel
def _within_calendar(at: int) -> int:
    """A deadline as it can be told: what lies behind the last year of four digits does not come."""
    return r.NEVER_MS if at > LATEST_MS else at


@kernel
def outlook(rows: Any, slots: Any, rules: Any, work: Any, until: Any, following: Any) -> None:
    """Forecasts of every dimension of the slots, each at its row's time, into [n, dimensions] arrays."""
    for i in range(len(slots)):
        row = rows[slots[i]]
        for d in range(len(rules.plan.dimensions)):
            until[i, d], following[i, d] = forecast(row, row.decided_ms, d, rules, work)
