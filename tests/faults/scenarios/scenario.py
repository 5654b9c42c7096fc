"""What a scenario is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.faults.stage import Stage

Place = Literal["shared", "own", "small disk"]


@dataclass(frozen=True)
class Scenario:
    """One kind of trouble. `drive` makes it; what must agree at the end is the same for all (`Stage.finish`)."""

    name: str
    what: str  # is done, for the table
    drive: Callable[[Stage], Awaitable[None]]
    broker: Place = "shared"  # who hurts the broker has one alone
    settings: Mapping[str, Any] = field(default_factory=dict)
