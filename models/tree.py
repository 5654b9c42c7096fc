"""The tree of a customer's conditions: each comparison with its value and verdict, and which segment follows from them.

Every verdict is the kernel's: comparisons by `judge`, conditions by `holds` over the same compiled code, the segment by
`answer`. Nothing is decided here a second time; a property test holds the tree against the changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.clusters.assign import nearest
from models.customers.answers import answer_at, since_at
from models.customers.row import NEVER_MS
from models.definitions.document import CLUSTER, All, Condition, Not, Segment, Term
from models.definitions.evaluate import answer, holds, judge
from models.engine import Engine, Judge
from models.workspace import Workspace, workspace

ENTERED, KEPT, NO, LATER = "entered", "kept", "no", "later"
"""What is said of a segment: its `when` holds, its `stay` does, neither, or an earlier one was the answer."""


@dataclass(frozen=True, slots=True)
class Node:
    """A condition and whether it holds; a comparison has its term and the `value` read, in native units."""

    kind: str  # "all" | "any" | "not" | "always" | "comparison"
    holds: bool
    parts: tuple[Node, ...] = ()
    term: Term | None = None
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One segment: the condition that was asked, `stay` of the one that the customer is in, and what came of it."""

    segment: Segment
    verdict: str
    asked: str  # "when" | "stay"
    node: Node


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer is in one dimension, and why. Times in epoch ms, None: not known, or never.

    Attributes
    ----------
    code, follows : the segment that the row has, and the one that its conditions give now: they differ while it dwells.
    valid_until_ms, next_code : what waiting alone will do; -1 where that is not known.
    runner_up, confidence : of clusters.
    """

    dimension: int
    code: int
    follows: int
    since_ms: int | None
    dwells_until_ms: int | None
    valid_until_ms: int | None
    next_code: int
    segments: tuple[Asked, ...]
    runner_up: int = -1
    confidence: float = 1.0


def standings(row: Any, now: int, engine: Engine, judged: Judge) -> list[Standing]:
    """Every dimension of one row (a record array of length 1) at `now`, up to which it is settled."""
    work = workspace()
    judge(row[0], now, judged.rules.plan, judged.rules.model[0], work.values, work.truth)
    until, following = engine.outlook_of(row, judged)
    return [
        _standing(row[0], now, judged, d, work, int(until[0, d]), int(following[0, d]))
        for d in range(len(judged.definitions.dimensions))
    ]


def _standing(row: Any, now: int, judged: Judge, d: int, work: Workspace, until: int, following: int) -> Standing:
    dimension, rules = judged.definitions.dimensions[d], judged.rules
    place = int(rules.plan.dimensions[d]["place"])
    code, since = int(answer_at(row, place)), int(since_at(row, place))
    runner_up, confidence = -1, 1.0
    asked: tuple[Asked, ...] = ()
    if dimension.kind == CLUSTER:
        follows, runner_up, confidence = nearest(row, now, rules.model[0], dimension.margin, code, work.raw, work.z)
        dwell_ms = dimension.dwell_ms
    else:
        follows = int(answer(rules.plan, d, code, work.truth, work.stack))
        asked = tuple(_asked(judged, d, s, code, follows, work) for s in range(len(dimension.segments)))
        dwell_ms = dimension.segments[code - 1].dwell_ms if 0 < code <= len(dimension.segments) else 0
        if code == 0 and since:
            dwell_ms = dimension.cooldown_ms
    dwells = (code > 0 or dimension.kind != CLUSTER) and since + dwell_ms > now
    return Standing(
        dimension=d,
        code=code,
        follows=int(follows),
        since_ms=since or None,
        dwells_until_ms=since + dwell_ms if dwells else None,
        valid_until_ms=until if until < NEVER_MS else None,
        next_code=following,
        segments=asked,
        runner_up=int(runner_up),
        confidence=float(confidence),
    )


def _asked(judged: Judge, d: int, s: int, code: int, follows: int, work: Workspace) -> Asked:
    segment, plan = judged.definitions.dimensions[d].segments[s], judged.rules.plan
    place = plan.dimensions[d]["segments"][0] + s
    stays = s + 1 == code
    node, _ = _node(judged, segment.stay if stays else segment.enter, _start(plan, place, stays), work)
    if 0 < follows < s + 1:
        verdict = LATER
    elif follows != s + 1:
        verdict = NO
    else:
        start, end = plan.segments[place]["enter"]
        verdict = ENTERED if holds(plan, start, end, work.truth, work.stack) else KEPT
    return Asked(segment, verdict, "stay" if stays and segment.stay != segment.enter else "when", node)


def _start(plan: Any, place: int, stays: bool) -> int:  # noqa: FBT001 - which of two spans
    return int((plan.segments[place]["stay"] if stays else plan.segments[place]["enter"])[0])


def _node(judged: Judge, condition: Condition, start: int, work: Workspace) -> tuple[Node, int]:
    """(the node of a condition whose code begins at `start`, where that ends); see `compile._Writer`."""
    plan = judged.rules.plan
    if isinstance(condition, Term):
        k = int(plan.code[start])
        value = float(work.values[plan.terms[k]["reading"]])
        return Node("comparison", bool(work.truth[k]), (), condition, value), start + 1
    if isinstance(condition, Not):
        part, end = _node(judged, condition.part, start, work)
        return _held(judged, "not", (part,), start, end + 1, work), end + 1
    parts, end = [], start
    for i, one in enumerate(condition.parts):
        part, end = _node(judged, one, end, work)
        parts.append(part)
        end += i > 0  # the operator that folds it in
    if not parts:
        return _held(judged, "always", (), start, start + 1, work), start + 1
    kind = "all" if isinstance(condition, All) else "any"
    return _held(judged, kind, tuple(parts), start, end, work), end


def _held(judged: Judge, kind: str, parts: tuple[Node, ...], start: int, end: int, work: Workspace) -> Node:
    return Node(kind, bool(holds(judged.rules.plan, start, end, work.truth, work.stack)), parts)
