"""step and sweep: the two doors through which every event and every passing of time enters the core.

Worker, recovery, replay, verification and backtest call these and nothing else. Both take and leave the same
state: rows, their due times, and the running counters. `calm` (customers/table.py) saves time and decides nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.changes import EVENT_TRIGGER, LATE, SILENCE
from models.compiled import inlined, kernel, prefetch, stand_apart
from models.customers import row as r
from models.customers.accumulate import accumulate, is_duplicate
from models.customers.answers import answer_at, no_answers, put_answer, since_at
from models.customers.places import number, put
from models.decide import LOOK, decide, end, leave, next_look, stirred_in_silence
from models.definitions.stirring import EVERYTHING
from models.events import ATTRIBUTES_MAX
from models.forecast import leaves_ms
from models.workspace import DUPLICATES, LATE_EVENTS

AHEAD = 8  # rows that are fetched from memory while one is worked on: it takes a tenth as long as eight events


@kernel
def step(
    rows: Any,
    due: Any,
    calm: Any,
    dirty: Any,
    events: Any,
    start: int,
    attributes: Any,
    rules: Any,
    older: Any,
    adoption: Any,
    work: Any,
    changes: Any,
    counters: Any,
) -> tuple[int, int]:
    """Apply events[start:] in order; returns (index of the first event not applied, number of changes
    written).

    It stops early, between two events, when the changes array is nearly full: the caller takes the changes
    out and calls again from there. An event whose identity is among the customer's last few is counted and
    passed over.
    """
    filled: int = np.int64(0)  # type: ignore[assignment]  # to numba a bare 0 is a type, compiled for once more
    for i in range(start, len(events)):
        ahead = events[min(i + AHEAD, len(events) - 1)].slot
        prefetch(rows, ahead)
        prefetch(due, ahead)
        prefetch(calm, ahead)
        event = events[i]
        slot = event.slot
        row = rows[slot]
        dirty[slot] = True
        filled, whole = touch(
            rows, due, calm, slot, event.ts_ms, rules, older, adoption, work, changes, filled, counters
        )
        if not whole or filled + len(rules.plan.dimensions) > len(changes):
            return i, filled
        if is_duplicate(row, event.id_hash):
            counters[DUPLICATES] += 1
            continue
        work.previous[0] = row
        accumulate(row, event, attributes)
        trigger, now = EVENT_TRIGGER, event.ts_ms
        stirred = 1 << event.kind if calm[slot] > now else EVERYTHING
        if event.ts_ms < row.decided_ms:
            trigger, now, stirred = LATE, row.decided_ms, EVERYTHING
            counters[LATE_EVENTS] += 1
        before = work.previous[0]
        filled = decide(
            row,
            before,
            rules.model[0],
            slot,
            now,
            event.ts_ms,
            i,
            trigger,
            LOOK,
            stirred,
            rules,
            work,
            changes,
            filled,
            counters,
        )
        due[slot] = next_look(row, now, calm, slot, stirred, rules, work.values)
    return len(events), filled


@kernel
def sweep(
    rows: Any,
    due: Any,
    calm: Any,
    dirty: Any,
    slots: Any,
    start: int,
    until_ms: int,
    rules: Any,
    older: Any,
    adoption: Any,
    work: Any,
    changes: Any,
    counters: Any,
) -> tuple[int, int]:
    """Let time pass for slots[start:] until `until_ms`, judge those of old generations; returns as step."""
    filled: int = np.int64(0)  # type: ignore[assignment]  # to numba a bare 0 is a type, compiled for once more
    for i in range(start, len(slots)):
        prefetch(rows, slots[min(i + AHEAD, len(slots) - 1)])
        slot = slots[i]
        dirty[slot] = True
        filled, whole = touch(rows, due, calm, slot, until_ms, rules, older, adoption, work, changes, filled, counters)
        if not whole:
            return i, filled
    return len(slots), filled


@inlined
def touch(
    rows: Any,
    due: Any,
    calm: Any,
    slot: int,
    until_ms: int,
    rules: Any,
    older: Any,
    adoption: Any,
    work: Any,
    changes: Any,
    filled: int,
    counters: Any,
) -> tuple[int, bool]:
    """Bring one row up to date: old deadlines under the old rules, the adoption, then deadlines until
    `until_ms`. A customer who leaves is nobody afterwards (`first_ms` 0).

    Returns (number of changes written, whether it was done); not done means that an array is nearly full.
    """
    row = rows[slot]
    if row.generation != adoption.generation and row.first_ms == 0:  # in this order: a row's two ends are far apart
        row.generation = adoption.generation
    if row.generation != adoption.generation:
        filled, whole = _bring_over(rows, due, calm, slot, rules, older, adoption, work, changes, filled, counters)
        if not whole:
            return filled, False
    if due[slot] > until_ms:
        return filled, True
    return _settle(rows, due, calm, slot, until_ms, rules, work, changes, filled, counters)


@kernel
def _bring_over(
    rows: Any,
    due: Any,
    calm: Any,
    slot: int,
    rules: Any,
    older: Any,
    adoption: Any,
    work: Any,
    changes: Any,
    filled: int,
    counters: Any,
) -> tuple[int, bool]:
    """Bring one row of the generation before to the present one; returns as touch."""
    stand_apart()
    row = rows[slot]
    filled, whole = _settle(rows, due, calm, slot, adoption.adopted_ms, older, work, changes, filled, counters)
    if not whole or filled + len(rules.plan.dimensions) + len(adoption.removed) > len(changes):
        return filled, False
    if row.first_ms == 0:  # left before the adoption
        row.generation = adoption.generation
        return filled, True
    now = max(row.decided_ms, adoption.adopted_ms)
    return _change_over(row, due, calm, slot, now, rules, older, adoption, work, changes, filled, counters), True


@kernel
def _settle(
    rows: Any,
    due: Any,
    calm: Any,
    slot: int,
    until_ms: int,
    rules: Any,
    work: Any,
    changes: Any,
    filled: int,
    counters: Any,
) -> tuple[int, bool]:
    """Decide at each due time up to `until_ms`, so that answers never hang on when anyone looked."""
    row = rows[slot]
    while due[slot] <= until_ms:
        if filled + len(rules.plan.dimensions) > len(changes) or work.departed[0] + 1 >= len(work.departed):
            return filled, False
        at = due[slot]
        if at >= leaves_ms(row, rules.retention_ms):
            filled = leave(rows, calm, slot, at, rules, work, changes, filled, counters)
            due[slot] = r.NEVER_MS
            break
        trigger: int = np.int64(SILENCE)  # type: ignore[assignment]  # as in `step`
        filled = _decide_again(
            row, due, calm, slot, at, rules.model[0], trigger, rules, work, changes, filled, counters
        )
    return filled, True


@inlined
def _decide_again(
    row: Any,
    due: Any,
    calm: Any,
    slot: int,
    now: int,
    model_before: Any,
    trigger: int,
    rules: Any,
    work: Any,
    changes: Any,
    filled: int,
    counters: Any,
) -> int:
    """Decide where no event came, and when to look next: apart from `step`."""
    look = trigger != SILENCE or 0 < number(row, r.REVIEW) <= now
    stirred = stirred_in_silence(calm[slot], now) if trigger == SILENCE else EVERYTHING
    filled = decide(
        row, row, model_before, slot, now, now, -1, trigger, look, stirred, rules, work, changes, filled, counters
    )
    due[slot] = next_look(row, now, calm, slot, stirred, rules, work.values)
    return filled


@kernel
def _change_over(
    row: Any,
    due: Any,
    calm: Any,
    slot: int,
    now: int,
    rules: Any,
    older: Any,
    adoption: Any,
    work: Any,
    changes: Any,
    filled: int,
    counters: Any,
) -> int:
    """From the old rules to the new: a last change of every dimension that is no more, then what the new rules say.

    Returns the new count of changes. Those that leave a segment which is no more name it by its old code.
    """
    _carry_over(row, rules, older, adoption, work)
    old = work.previous[0]
    for i in range(len(adoption.removed)):
        place = adoption.removed[i]
        code = answer_at(old, older.plan.dimensions[place].place)
        if code > 0 or older.plan.dimensions[place].is_cluster:  # a cluster's 0 is a segment: unassigned
            end(changes[filled], row, slot, place, code, r.REMOVED, now, adoption.trigger, counters)
            filled += 1
    first = filled
    filled = _decide_again(
        row, due, calm, slot, now, older.model[0], adoption.trigger, rules, work, changes, filled, counters
    )
    for i in range(first, filled):
        if changes[i].previous == r.GONE:
            place = older.plan.dimensions[adoption.dimension_from[changes[i].dimension]].place
            changes[i].previous = r.OF_BEFORE + answer_at(old, place)
    return filled


@kernel
def _carry_over(row: Any, rules: Any, older: Any, adoption: Any, work: Any) -> None:
    """Move what a row keeps by name to its place in the new rules; `work.previous` has the row before."""
    work.previous[0] = row
    old = work.previous[0]
    no_answers(row)
    for d in range(len(rules.plan.dimensions)):
        before = adoption.dimension_from[d]
        if before < 0:
            continue
        place = older.plan.dimensions[before].place
        code, since = answer_at(old, place), since_at(old, place)
        if adoption.replaced[d]:
            code = r.GONE if code > 0 or older.plan.dimensions[before].is_cluster else 0
        elif code < adoption.segment_from.shape[1]:  # cluster ids run on past the codes of rules: these stay
            kept = adoption.segment_from[d, code]
            code = r.GONE if code > 0 and kept == 0 else kept  # whatever follows one, even no segment, is a change
        put_answer(row, rules.plan.dimensions[d].place, code, since)
    for k in range(ATTRIBUTES_MAX):
        place = adoption.attribute_from[k]
        row.attribute[k] = math.nan if place < 0 else old.attribute[place]
    for k in range(r.CATEGORIES_MAX):
        place = adoption.category_from[k]
        put(row, r.CATEGORY_TIMES + k, 0 if place < 0 else number(old, r.CATEGORY_TIMES + place))
    row.generation = adoption.generation
