"""What cases have shown of a document: segments entered and left, comparisons seen true and false."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.cases.play import Played
from models.definitions.dependencies import evaluation_order, terms_of
from models.definitions.document import CLUSTER, Condition, Definitions, Dimension, Not, Term
from models.definitions.words import written
from models.features.catalogue import ANSWER, COUNT

Place = tuple[str, str]  # dimension and segment


@dataclass(slots=True)
class Coverage:
    """Tallies over the cases of a document. Comparisons are told by the place that has them first, and their words."""

    segments: list[Place] = field(default_factory=list)
    comparisons: dict[str, Place] = field(default_factory=dict)
    for_good: set[Place] = field(default_factory=set)  # segments that nobody can leave
    entered: set[Place] = field(default_factory=set)
    left: set[Place] = field(default_factory=set)
    seen_true: set[str] = field(default_factory=set)
    seen_false: set[str] = field(default_factory=set)

    def add(self, played: Played) -> None:
        """Count what one case has shown."""
        dimensions = played.judge.definitions.dimensions
        for change in played.changes:
            d = int(change["dimension"])
            if dimensions[d].kind != CLUSTER:
                for key, places in (("segment", self.entered), ("previous", self.left)):
                    name = played.judge.segment_name(d, int(change[key]))
                    if name is not None:
                        places.add((dimensions[d].name, name))
        for k, term in enumerate(played.judge.terms):
            for look in played.looks:
                (self.seen_true if look.truth[k] else self.seen_false).add(written(term))

    def gaps(self) -> Iterator[str]:
        """What no case has shown, in the order of the document."""
        for place in self.segments:
            left = self.left | self.for_good
            missing = [word for word, seen in (("entered", self.entered), ("left", left)) if place not in seen]
            if missing:
                yield f"{place[0]}: {place[1]} is never {' or '.join(missing)}"
        for words, place in self.comparisons.items():
            pairs = (("true", self.seen_true), ("false", self.seen_false))
            missing = [word for word, seen in pairs if words not in seen]
            if missing:
                yield f"{place[0]}: {place[1]}: {words} is never {' or '.join(missing)}"


def coverage_of(definitions: Definitions) -> Coverage:
    """The coverage of a document before any case."""
    coverage = Coverage()
    for d in evaluation_order(definitions.dimensions):
        first = definitions.dimensions[d].segments[:1]
        coverage.for_good |= {
            (definitions.dimensions[d].name, one.name)
            for one in first
            if _only_rises(one.stay, definitions.dimensions, coverage.for_good)
        }
    for dimension in definitions.dimensions:
        for segment in dimension.segments:
            place = (dimension.name, segment.name)
            coverage.segments.append(place)
            for term in (*terms_of(segment.enter), *terms_of(segment.stay)):
                coverage.comparisons.setdefault(written(term), place)
    return coverage


def _only_rises(condition: Condition, dimensions: Sequence[Dimension], for_good: set[Place]) -> bool:
    """Whether it holds for ever once it holds: counts never fall. The first such segment keeps its customers."""
    if isinstance(condition, Term):
        if condition.feature.kind == ANSWER:
            place = (dimensions[condition.feature.source].name, condition.text)
            return condition.op == "==" and place in for_good
        return condition.feature.kind == COUNT and condition.op in (">=", ">")
    return not isinstance(condition, Not) and all(_only_rises(part, dimensions, for_good) for part in condition.parts)
