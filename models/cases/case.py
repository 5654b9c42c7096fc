"""A case as values that cannot be wrong: what happened to one customer, and what is expected of it then."""

from __future__ import annotations

from dataclasses import dataclass

from models.definitions.document import Definitions


@dataclass(frozen=True, slots=True)
class Given:
    """Something that happened, so often, as the kernel's EVENT has it."""

    at_ms: int
    kind: int
    action: int = 0
    amount_minor: int = 0
    machine_open: int = 0
    attributes: tuple[float, ...] = ()
    times: int = 1
    category: int = 0  # of a click: place among the declared ones, from 1


@dataclass(frozen=True, slots=True)
class ExpectedChange:
    """One change of a dimension; what is None is not compared."""

    segment: str | None  # None: leaves every segment
    previous: str | None = None
    at_ms: int | None = None
    trigger: str | None = None
    reasons: tuple[str, ...] | None = None
    names_previous: bool = False  # None may be expected too


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when an answer holds if nothing happens, and what follows."""

    valid_until_ms: int | None = None  # NEVER_MS: for ever
    following: str | None = None
    names_following: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One customer, a time, and what holds then. Dimensions that are not named are not looked at."""

    name: str
    path: str  # "tests[3]"
    at_ms: int
    definitions: Definitions  # with the case's own cut points
    given: tuple[Given, ...]
    segments: dict[str, str | None]
    changes: dict[str, tuple[ExpectedChange, ...]]
    reasons: dict[str, tuple[str, ...]]
    deadlines: dict[str, Deadline]
