"""What is odd about a document that is valid: conditions without effect, segments without a way in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from models.definitions.analysis.proof import STEPS_MAX, Prover
from models.definitions.analysis.ranges import Values, domain_of
from models.definitions.comparison import ALWAYS
from models.definitions.compile import native_threshold
from models.definitions.document import CLUSTER, All, Any, Condition, Definitions, Dimension, Not, Segment, Term
from models.definitions.words import written
from models.features.catalogue import OPEN_RATE, RATIO, REFUND_RATE

ERROR, WARNING, INFO = "error", "warning", "info"
LEVELS = (ERROR, WARNING, INFO)
PARTS_SHOWN = 4  # of conditions that exclude each other: more are not read
USUAL_RATE_MAX = 1.0  # of e-mails opened, of money refunded


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is odd, and where ("dimensions.lifecycle.segments[2].when")."""

    path: str
    level: str
    rule: str
    problem: str


def remarks_on(definitions: Definitions, steps: int = STEPS_MAX) -> list[Remark]:
    """Everything that is proved to be odd, in the order of the document; what is not proved is not said.

    `steps` bounds the work: see proof.
    """
    prover = Prover(steps)
    found = [
        remark
        for dimension in definitions.dimensions
        if dimension.kind != CLUSTER
        for remark in _of_dimension(dimension, prover)
    ]
    if prover.gave_up:
        found.append(Remark("", INFO, "too-large", "has more alternatives than were looked at: the rest is unproved"))
    return found


def _of_dimension(dimension: Dimension, prover: Prover) -> Iterator[Remark]:
    segments, path = dimension.segments, dimension.path
    for i, segment in enumerate(segments):
        place = dimension.segment_path(i)
        if not prover.can_hold((segment.enter, True)):
            yield from _odd(segment.enter, f"{place}.when", prover, ERROR, is_last=False)
            continue
        earlier = [one.enter for one in segments[:i]]
        if not prover.can_hold((segment.enter, True), *((one, False) for one in earlier)):
            yield _shadowed(segment, segments[:i], place, prover)
        yield from _odd(segment.enter, f"{place}.when", prover, WARNING, is_last=i == len(segments) - 1)
        yield from _of_stay(segment, place, prover)
    may_be_out = len(segments) > 1 and prover.can_hold(*((one.enter, False) for one in segments))
    if may_be_out and not prover.gave_up:
        yield Remark(
            f"{path}.segments", INFO, "no-catch-all",
            "some customers may be in none of them: a last segment with `when: always` would hold the rest",
        )  # fmt: skip


def _shadowed(segment: Segment, earlier: tuple[Segment, ...], place: str, prover: Prover) -> Remark:
    """Nobody enters it: name no more of the earlier segments than it takes."""
    needed = list(earlier)
    for one in earlier:
        rest = [other for other in needed if other is not one]
        if not prover.can_hold((segment.enter, True), *((other.enter, False) for other in rest)):
            needed = rest
    names = _listed([repr(one.name) for one in needed])
    return Remark(place, ERROR, "shadowed", f"nobody can enter {segment.name!r}: whoever could is in {names} before it")


def _odd(condition: Condition, path: str, prover: Prover, level: str, *, is_last: bool) -> Iterator[Remark]:
    """The innermost parts that never hold, or always do."""
    if condition == ALWAYS:
        return
    never = not prover.can_hold((condition, True))
    always = not never and not prover.can_hold((condition, False))
    inner = list(_inner(condition, path, prover, level))
    if inner or not (never or always):
        yield from inner
        if isinstance(condition, Term):
            yield from _unusual(condition, path)
    elif never:
        yield Remark(path, level, "never", _why_never(condition, prover))
    elif isinstance(condition, Term):
        yield Remark(path, WARNING, "always", f"always holds: {_range_of(condition)}; write `always`, or leave it out")
    else:
        advice = "write `always`" if is_last else "what follows it is never reached"
        yield Remark(path, WARNING, "always", f"always holds: {advice}")


def _inner(condition: Condition, path: str, prover: Prover, level: str) -> Iterator[Remark]:
    if isinstance(condition, Not):
        yield from _odd(condition.part, f"{path}.not", prover, level, is_last=False)
    elif isinstance(condition, All | Any):
        key = "all" if isinstance(condition, All) else "any"
        for i, part in enumerate(condition.parts):
            yield from _odd(part, f"{path}.{key}[{i}]", prover, level, is_last=False)


def _why_never(condition: Condition, prover: Prover) -> str:
    """The reason in words: a range, or no more conditions than it takes to exclude each other."""
    if isinstance(condition, Term):
        return f"can never hold: {_range_of(condition)}"
    if not isinstance(condition, All):
        return "can never hold"
    needed = list(condition.parts)
    for part in condition.parts:
        rest = [other for other in needed if other is not part]
        if rest and not prover.can_hold(*((other, True) for other in rest)):
            needed = rest
    if len(needed) > PARTS_SHOWN:
        return "can never hold: its parts exclude each other"
    return f"can never hold: {_listed([_words(part) for part in needed])} exclude each other"


def _of_stay(segment: Segment, place: str, prover: Prover) -> Iterator[Remark]:
    stay = _own_stay(segment)
    if stay is None:
        return
    path = f"{place}.stay"
    if not prover.can_hold((stay, True)):
        yield from _odd(stay, path, prover, WARNING, is_last=False)
    elif prover.implies(stay, segment.enter):
        same = prover.implies(segment.enter, stay)
        yield Remark(
            path, WARNING, "stay-not-looser",
            f"does nothing: it is {'the same as' if same else 'tighter than'} `when`, and who may enter stays anyway",
        )  # fmt: skip
    else:
        yield from _odd(stay, path, prover, WARNING, is_last=False)


def _own_stay(segment: Segment) -> Condition | None:
    """What the document says under `stay`: the language adds `when` to it, see language.py."""
    stay = segment.stay
    if isinstance(stay, Any) and len(stay.parts) == 2 and stay.parts[0] == segment.enter:  # noqa: PLR2004 - when, stay
        return stay.parts[1]
    return None


def _unusual(term: Term, path: str) -> Iterator[Remark]:
    if term.feature.kind == RATIO and term.op in (">=", ">", "==") and term.threshold >= USUAL_RATE_MAX:
        more = {OPEN_RATE: "more opens than e-mails sent", REFUND_RATE: "more refunded than spent"}
        above = term.threshold > USUAL_RATE_MAX or term.op == ">"
        if above and term.feature.source in more:
            yield Remark(
                path, WARNING, "unusual", f"{term.feature.name} is above 1 only with {more[term.feature.source]}"
            )  # fmt: skip


def _range_of(term: Term) -> str:
    values = domain_of(term.feature) or Values((), absent=False)
    if not values.spans:
        return "whatever the customer"
    per_unit, unit = term.feature.per_unit, f" {term.feature.unit}" if term.feature.unit == "days" else ""
    least, most = values.least / per_unit, values.most / per_unit
    if math.isfinite(least) and native_threshold(term) <= values.least:
        return f"{term.name} is at least {least:g}{unit}"
    if math.isfinite(most) and native_threshold(term) >= values.most:
        return f"{term.name} is at most {most:g}{unit}"
    return f"{term.name} is a whole number"


def _words(condition: Condition) -> str:
    """A condition as it is written."""
    if isinstance(condition, Term):
        return f"`{written(condition)}`"
    if isinstance(condition, Not):
        return f"not {_words(condition.part)}"
    key = "all" if isinstance(condition, All) else "any"
    return f"{key} of {_listed([_words(part) for part in condition.parts[:PARTS_SHOWN]])}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
