"""From answers to changes: hysteresis, dwell and margin hold an answer against what was."""

from __future__ import annotations

from typing import Any

from models.changes import REASONS_MAX, SILENCE
from models.clusters.assign import nearest, place_of
from models.compiled import inlined, kernel, stand_apart
from models.customers.answers import answer_at, put_answer, since_at
from models.customers.places import number, put
from models.customers.row import LEFT, NEVER_MS, REVIEW
from models.definitions.evaluate import (
    LATER,
    NEAR,
    answer,
    earliest_deadline,
    held_until,
    holds,
    judge_dimension,
    read_decaying,
    tell,
)
from models.definitions.stirring import BY_CLICK, BY_TIME, EVERYTHING
from models.explain import explain_cluster, explain_rules
from models.forecast import forecast, leaves_ms
from models.workspace import DECISIONS, DEPARTURES, HELD, SEQ, SUPPRESSED

LOOK = True  # an event came or rules changed: the cluster is looked at too


@inlined
def decide(
    row: Any,
    before: Any,
    model_before: Any,
    slot: int,
    now: int,
    occurred_ms: int,
    event: int,
    trigger: int,
    look: bool,  # noqa: FBT001 - whether the cluster is looked at too
    stirred: int,
    rules: Any,
    work: Any,
    changes: Any,
    filled: int,
    counters: Any,
) -> int:
    """Judge a row at `now`, write its changes from `filled` on, and return the new count.

    `before` is the row as it was decided last (the row itself when nothing but time has passed), `model_before` the
    model that it was decided by. `stirred` says what may have moved since, in bits of definitions/stirring.py: a
    dimension that this leaves alone would be given the answer that it has.
    """
    plan, model = rules.plan, rules.model[0]
    counters[DECISIONS] += 1
    _judge_stirred(row, now, plan, model, stirred, work)
    first = filled
    for i in range(len(plan.dimensions)):
        d = plan.dimensions[i].turn
        if not plan.dimensions[d].stirred_by & stirred:
            continue
        current = answer_at(row, plan.dimensions[d].place)
        if plan.dimensions[d].is_cluster:
            if not look:
                continue
            new, runner_up, confidence = nearest(row, now, model, plan.dimensions[d].margin, current, work.raw, work.z)
            young = now < since_at(row, plan.dimensions[d].place) + plan.dimensions[d].dwell_ms
            if new != current and young and place_of(model, current) >= 0:
                counters[SUPPRESSED] += 1
                continue  # looked at again with the next event, or at the next review
        else:
            new, runner_up, confidence = answer(plan, d, current, work.truth, work.stack), -1, 1.0
            if new != current and _dwells(row, now, plan, d, current):
                counters[SUPPRESSED] += 1
                continue
        if new == current:
            counters[HELD] += _is_held(plan, d, current, confidence, work)
            continue
        change = changes[filled]
        filled += 1
        _open(change, row, slot, d, current, new, now, occurred_ms, event, trigger, counters)
        change.runner_up, change.confidence = runner_up, confidence
        if plan.dimensions[d].is_cluster:
            explain_cluster(change, before, model, work)
        else:
            judge_dimension(before, before.decided_ms, plan, model_before, d, 0, work.values_before, work.truth_before)
            explain_rules(change, plan, work)
            tell(plan, d, new, work.values, work.truth)
    row.decided_ms = now
    if look:
        _put_review(row, now, plan, model)
    if filled > first:
        _settle_changes(row, now, rules, work, changes, first, filled)
    return filled


@inlined
def _judge_stirred(row: Any, now: int, plan: Any, model: Any, stirred: int, work: Any) -> None:
    """Find what holds of the terms of those dimensions that may have moved."""
    read_decaying(row, now, plan, model, work.values)
    for d in range(len(plan.dimensions)):
        if plan.dimensions[d].stirred_by & stirred:
            judge_dimension(row, now, plan, model, d, 1, work.values, work.truth)


@inlined
def _put_review(row: Any, now: int, plan: Any, model: Any) -> None:
    """Note when the cluster is looked at again though nothing happens; 0 for never."""
    put(row, REVIEW, 0)
    for d in range(len(plan.dimensions)):
        if plan.dimensions[d].is_cluster and model.cluster_count > 0:
            put(row, REVIEW, now + plan.dimensions[d].review_ms)


@inlined
def _is_held(plan: Any, d: int, current: int, confidence: float, work: Any) -> bool:
    """Whether hysteresis alone keeps a customer where she is: the `stay` of a rule, the margin of a cluster."""
    if current == 0:
        return False
    if plan.dimensions[d].is_cluster:
        return confidence == 0.0
    segment = plan.segments[plan.dimensions[d].segments[0] + current - 1]
    enter, stay = segment.enter, segment.stay
    if stay[1] - stay[0] == enter[1] - enter[0]:  # there is no `stay`: it would be longer
        return False
    return not holds(plan, enter[0], enter[1], work.truth, work.stack)


@inlined
def _dwells(row: Any, now: int, plan: Any, d: int, current: int) -> bool:
    """Whether the current segment's minimum dwell, or the cooldown of the one left, has not passed yet."""
    return now < held_until(plan, d, current, since_at(row, plan.dimensions[d].place))


@inlined
def _open(
    change: Any,
    row: Any,
    slot: int,
    d: int,
    current: int,
    new: int,
    now: int,
    occurred_ms: int,
    event: int,
    trigger: int,
    counters: Any,
) -> None:
    counters[SEQ] += 1
    change.seq = counters[SEQ]
    change.previous_seq = row.seq
    row.seq = counters[SEQ]
    change.slot = slot
    change.dimension = d
    change.previous = current
    change.segment = new
    change.trigger = trigger
    change.event = event
    change.occurred_ms = occurred_ms
    change.decided_ms = now
    change.generation = row.generation
    change.counter_term = -1
    change.counter_value = 0.0
    change.margin = 0.0
    for k in range(REASONS_MAX):
        change.reason[k] = -1
        change.reason_before[k] = 0.0
        change.reason_after[k] = 0.0
        change.contribution[k] = 0.0


@kernel
def _settle_changes(row: Any, now: int, rules: Any, work: Any, changes: Any, first: int, filled: int) -> None:
    """Write the answers into the row, then look ahead from the new state."""
    stand_apart()
    for i in range(first, filled):
        put_answer(row, rules.plan.dimensions[changes[i].dimension].place, changes[i].segment, now)
    for i in range(first, filled):
        until, following = forecast(row, now, changes[i].dimension, rules, work)
        changes[i].valid_until_ms = until
        changes[i].next_segment = following


@inlined
def stirred_in_silence(calm_ms: int, now: int) -> int:
    """What may have moved at a due time when nothing happened."""
    return BY_TIME if calm_ms > now else EVERYTHING


@inlined
def next_look(row: Any, now: int, calm: Any, slot: int, stirred: int, rules: Any, values: Any) -> int:
    """The row's due time after a decision at `now`: deadlines, review, ends of dwell and cooldown.

    `values` are those of the decision, `calm` the deadlines that clicks leave alone, by slot: they are found anew only
    if something else was `stirred`.
    """
    plan = rules.plan
    for part in (LATER, NEAR):
        if part == NEAR or stirred & ~(BY_CLICK | BY_TIME):
            found = earliest_deadline(row, now, plan, rules.model[0], values, part)
            if part == LATER:
                calm[slot] = found
    earliest = min(found, calm[slot])
    review = number(row, REVIEW)
    if review > now:
        earliest = min(earliest, review)
    for d in range(len(plan.dimensions)):
        if plan.dimensions[d].waits:
            place = plan.dimensions[d].place
            ends = held_until(plan, d, answer_at(row, place), since_at(row, place))
            if ends > now:
                earliest = min(earliest, ends)
    return min(earliest, leaves_ms(row, rules.retention_ms))  # type: ignore[no-any-return]  # a cell of a numpy array


@kernel
def end(
    change: Any, row: Any, slot: int, d: int, current: int, new: int, now: int, trigger: int, counters: Any
) -> None:
    """Write a customer's last change in a dimension: nothing follows it by waiting."""
    _open(change, row, slot, d, current, new, now, now, -1, trigger, counters)
    change.runner_up, change.confidence = -1, 1.0
    change.valid_until_ms, change.next_segment = NEVER_MS, -1


@kernel
def leave(
    rows: Any, calm: Any, slot: int, due: int, rules: Any, work: Any, changes: Any, filled: int, counters: Any
) -> int:
    """A customer was silent for too long: write a last change for every segment and empty the row; returns as decide.

    The row keeps its generation: whoever comes into it is judged by the rules in force.
    """
    stand_apart()
    row = rows[slot]
    now = max(due, row.decided_ms)  # a retention that was shortened may end in the past
    for d in range(len(rules.plan.dimensions)):
        current = answer_at(row, rules.plan.dimensions[d].place)
        if current == 0 and not rules.plan.dimensions[d].is_cluster:  # a cluster's 0 is a segment: unassigned
            continue
        change = changes[filled]
        filled += 1
        end(change, row, slot, d, current, LEFT, now, SILENCE, counters)
        change.reason_before[0], change.reason_after[0] = row.decided_ms - row.newest_ms, now - row.newest_ms
        change.counter_value = rules.retention_ms
    generation = row.generation
    rows[slot] = work.empty[0]
    rows[slot].generation = generation
    calm[slot] = 0
    counters[DEPARTURES] += 1
    work.departed[0] += 1
    work.departed[work.departed[0]] = slot
    return filled
