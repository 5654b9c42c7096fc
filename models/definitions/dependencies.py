"""Dimensions whose conditions hang on other dimensions: what hangs on what, and the order to judge them in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.definitions.document import Condition, Dimension, Not, Term
from models.definitions.mistake import DefinitionError
from models.features.catalogue import ANSWER


def terms_of(condition: Condition) -> Iterator[Term]:
    """Every comparison in a condition, as often as it is there."""
    if isinstance(condition, Term):
        yield condition
    elif isinstance(condition, Not):
        yield from terms_of(condition.part)
    else:
        for part in condition.parts:
            yield from terms_of(part)


def parents(dimension: Dimension) -> set[int]:
    """The numbers of the dimensions that a dimension's conditions name."""
    conditions = [condition for segment in dimension.segments for condition in (segment.enter, segment.stay)]
    return {
        term.feature.source for condition in conditions for term in terms_of(condition) if term.feature.kind == ANSWER
    }


def ancestors(dimensions: Sequence[Dimension], d: int) -> set[int]:
    """The dimensions that dimension d hangs on, over any number of steps."""
    found: set[int] = set()
    ahead = parents(dimensions[d])
    while ahead:
        found |= ahead
        ahead = {parent for one in ahead for parent in parents(dimensions[one])} - found
    return found


def evaluation_order(dimensions: Sequence[Dimension]) -> list[int]:
    """The numbers of the dimensions, each after those it hangs on, else as in the document.

    Raises DefinitionError when some hang on each other in a circle.
    """
    waiting = {d: parents(dimension) for d, dimension in enumerate(dimensions)}
    order: list[int] = []
    while waiting:
        ready = next((d for d, needs in waiting.items() if needs.isdisjoint(waiting)), None)
        if ready is None:
            circle = _circle(waiting)
            names = " -> ".join(dimensions[d].name for d in circle)
            raise DefinitionError(dimensions[circle[0]].path, f"hangs on itself: {names}")
        order.append(ready)
        del waiting[ready]
    return order


def _circle(waiting: dict[int, set[int]]) -> list[int]:
    """A way from a dimension back to itself, among those that all wait for another of them."""
    path = [next(iter(waiting))]
    while True:
        step = min(need for need in waiting[path[-1]] if need in waiting)
        if step in path:
            return [*path[path.index(step) :], step]
        path.append(step)
