"""Whether conditions can hold together: a search through their alternatives that stops where facts contradict.

The alternatives are those of the disjunctive normal form, taken one by one. `False` is a proof; `True` says only that
none was found. Steps are counted, and when they are used up everything is possible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.definitions.analysis.facts import Knowledge
from models.definitions.document import All, Any, Condition, Not, Term

Claim = tuple[Condition, bool]  # a condition, and whether it is taken to hold

STEPS_MAX = 10_000  # of a document: ten seconds at the worst; the shipped one takes a few hundred
CLAIMS_OF_STEP = 16  # claims that cost as much as drawing the conclusions: more of them count as more steps
DEPTH_MAX = 200  # alternatives chosen one after the other: a person reads three, and Python's stack has an end
STEPS_OF_QUESTION_MAX = 1_000  # so that one long condition leaves something to the others


@dataclass(slots=True)
class Prover:
    """Answers questions about conditions while its steps last."""

    steps: int = STEPS_MAX
    gave_up: bool = False

    def can_hold(self, *claims: Claim) -> bool:
        """False when it is proved that no customer ever satisfies all claims at once."""
        if len(claims) == 1 and isinstance(claims[0][0], Term):  # one reading contradicts no other: no step
            return Knowledge().add(claims[0][0], holds=claims[0][1])
        return self._search(list(claims), Knowledge(), max(self.steps - STEPS_OF_QUESTION_MAX, 0), 0)

    def implies(self, first: Condition, second: Condition) -> bool:
        """True when it is proved that whoever satisfies the first satisfies the second."""
        return not self.can_hold((first, True), (second, False))

    def _search(self, claims: list[Claim], known: Knowledge, until: int, depth: int) -> bool:
        if self.steps <= until or depth > DEPTH_MAX:
            self.gave_up = True
            return True
        self.steps = max(self.steps - 1 - len(claims) // CLAIMS_OF_STEP, 0)
        branches = _take(claims, known)
        if branches is None or not known.is_possible():
            return False
        if not branches:
            return True
        chosen = min(branches, key=len)
        others = [branch for branch in branches if branch is not chosen]
        for claim in chosen:
            rest = [_joined(branch) for branch in others]
            if self._search([claim, *rest], known.copy(), until, depth + 1):
                return True
        return False


def _take(claims: list[Claim], known: Knowledge) -> list[tuple[Claim, ...]] | None:
    """Put what must be true into `known` and return what leaves a choice; None for a contradiction."""
    branches: list[tuple[Claim, ...]] = []
    pending = list(claims)
    while pending:
        condition, holds = pending.pop()
        if isinstance(condition, Not):
            pending.append((condition.part, not holds))
        elif isinstance(condition, All | Any):
            parts = tuple((part, holds) for part in condition.parts)
            if not parts and not holds:
                return None  # an empty list is always true
            if isinstance(condition, All) == holds or not parts:
                pending.extend(parts)
            else:
                branches.append(parts)
        elif not known.add(condition, holds=holds):
            return None
    return branches


def _joined(branch: Iterable[Claim]) -> Claim:
    """The choice as one claim again."""
    return Any(tuple(part if holds else Not(part) for part, holds in branch)), True
