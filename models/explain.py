"""Why: the comparisons that flipped, how near the next border is, and what would cross it."""

from __future__ import annotations

import math
from typing import Any

from models.changes import REASONS_MAX
from models.clusters.assign import place_of
from models.compiled import inlined, kernel, stand_apart
from models.customers.row import GONE
from models.definitions.evaluate import EQ, GE, GT, NE, PRESENT, answer
from models.features.catalogue import ANSWER, ATTRIBUTE, COUNT
from models.features.compute import vector


@kernel
def explain_rules(change: Any, plan: Any, work: Any) -> None:
    """Fill reasons, margin, runner-up and counterfactual of a change in a dimension of rules."""
    stand_apart()
    _name_terms(change, plan, work, every=False)
    _nearest_border(change, plan, work)
    if change.reason[0] < 0 and change.counter_term >= 0:  # dwell ended, cuts moved: name what holds it here
        reading = plan.terms[change.counter_term].reading
        _keep_reason(change, change.counter_term, 1.0, work.values_before[reading], work.values[reading])
    if change.reason[0] < 0:  # no single comparison holds it here: name those it hangs on
        _name_terms(change, plan, work, every=True)


@inlined
def _name_terms(change: Any, plan: Any, work: Any, every: bool) -> None:  # noqa: FBT001 - named at each call
    """Keep comparisons that let the customer in, or no longer held her, as reasons: flipped, or every one."""
    first = plan.dimensions[change.dimension].segments[0]
    if change.segment > 0:
        condition = plan.segments[first + change.segment - 1].enter
        _keep_terms(change, plan, work, condition[0], condition[1], every)
    if change.previous > 0 and change.previous != GONE:
        condition = plan.segments[first + change.previous - 1].stay
        _keep_terms(change, plan, work, condition[0], condition[1], every)


@inlined
def _keep_terms(change: Any, plan: Any, work: Any, start: int, end: int, every: bool) -> None:  # noqa: FBT001 - as above
    for i in range(start, end):
        k = plan.code[i]
        if k >= 0 and (every or work.truth[k] != work.truth_before[k]):
            reading = plan.terms[k].reading
            before, after = work.values_before[reading], work.values[reading]
            _keep_reason(change, k, _relative(plan, k, after - before), before, after)


@inlined
def _relative(plan: Any, k: int, difference: float) -> float:
    """A difference in units of the threshold; 1.0 where near and far mean nothing (names, absence)."""
    term = plan.terms[k]
    named = term.op == EQ or term.op == NE or term.op == PRESENT  # noqa: PLR1714 - numba compiles `in` slower
    kind = plan.readings[term.reading].kind
    if math.isnan(difference) or (named and (kind == ATTRIBUTE or kind == ANSWER)):  # noqa: PLR1714, SIM109 - as above
        return 1.0
    return abs(difference) / max(abs(term.threshold), term.per_unit)  # type: ignore[no-any-return]  # fields of numpy records


@kernel
def _keep_reason(change: Any, k: int, weight: float, before: float, after: float) -> None:
    """Insert by falling weight; `contribution` carries the weight meanwhile."""
    stand_apart()
    for i in range(REASONS_MAX):
        if change.reason[i] == k:
            return
    for i in range(REASONS_MAX):
        if change.reason[i] < 0 or weight > change.contribution[i]:
            for j in range(REASONS_MAX - 1, i, -1):
                change.reason[j] = change.reason[j - 1]
                change.reason_before[j] = change.reason_before[j - 1]
                change.reason_after[j] = change.reason_after[j - 1]
                change.contribution[j] = change.contribution[j - 1]
            change.reason[i] = k
            change.reason_before[i] = before
            change.reason_after[i] = after
            change.contribution[i] = weight
            return


@inlined
def _nearest_border(change: Any, plan: Any, work: Any) -> None:
    """The comparison nearest to flipping (relative to its threshold) that would change the answer."""
    used = plan.dimensions[change.dimension].terms
    nearest = -1.0
    for i in range(used[0], used[1]):
        k = plan.used[i]
        term = plan.terms[k]
        x = work.values[term.reading]
        if not _reachable(plan.readings[term.reading].kind, term, x, work.truth[k]):
            continue
        distance = _relative(plan, k, x - term.threshold)
        if 0.0 <= nearest <= distance:
            continue
        work.truth[k] = not work.truth[k]
        other = answer(plan, change.dimension, change.segment, work.truth, work.stack)
        work.truth[k] = not work.truth[k]
        if other != change.segment:
            nearest = distance
            change.runner_up = other
            change.counter_term = k
            change.counter_value = x
    change.margin = min(nearest, 1.0) if nearest >= 0.0 else 1.0


@inlined
def _reachable(kind: int, term: Any, x: float, truth: bool) -> bool:  # noqa: FBT001 - a cell of the truth array
    """Whether something can still happen that flips the comparison: counts only rise."""
    if kind != COUNT:
        return True
    if term.op == GE or term.op == GT:  # noqa: PLR1714 - numba compiles `in` slower
        return not truth
    if term.op == EQ or term.op == NE:  # noqa: PLR1714 - as above
        return x <= term.threshold  # type: ignore[no-any-return]  # a field of a numpy record
    return truth


@kernel
def explain_cluster(change: Any, before: Any, model: Any, work: Any) -> None:
    """The three features that moved the balance of distances most from the old prototype to the new."""
    stand_apart()
    vector(before, before.decided_ms, work.raw_before)
    new, old = place_of(model, change.segment), place_of(model, change.previous)
    for j in range(model.feature_count):
        there = work.z[j] - (model.prototype[old, j] if old >= 0 else 0.0)
        here = work.z[j] - (model.prototype[new, j] if new >= 0 else 0.0)
        _keep_contribution(change, j, there * there - here * here, work.raw_before[j], work.raw[j])
    change.margin = change.confidence


@kernel
def _keep_contribution(change: Any, j: int, weight: float, before: float, after: float) -> None:
    for i in range(REASONS_MAX):
        if change.reason[i] < 0 or weight > change.contribution[i]:
            for k in range(REASONS_MAX - 1, i, -1):
                change.reason[k] = change.reason[k - 1]
                change.reason_before[k] = change.reason_before[k - 1]
                change.reason_after[k] = change.reason_after[k - 1]
                change.contribution[k] = change.contribution[k - 1]
            change.reason[i] = j
            change.reason_before[i] = before
            change.reason_after[i] = after
            change.contribution[i] = weight
            return
