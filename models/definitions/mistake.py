"""A mistake in a definitions document, where it is, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class DefinitionError(ValueError):
    """A mistake in a document: `path` leads to it ("dimensions.lifecycle.segments[2].when")."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class ToldError(DefinitionError):
    """Something in here is wrong, and what it comes from was gathered."""


def nearest(name: str, known: Iterable[str]) -> str:
    """What to add to a message about an unknown name: the nearest known one, or all of them."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}" if names else ""
