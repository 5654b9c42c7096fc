"""What a score predicts: `purchase`, `purchase >= 50`, `click`, `open`, or an entry: into `lifecycle.dormant`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.definitions.document import AUDIENCE, CLUSTER, Definitions
from models.events import (
    CART_ADD,
    CHECKOUT,
    CLICK,
    EMAIL,
    EMAIL_CLICK,
    MINOR_PER_MAJOR,
    OPEN,
    PURCHASE,
    SEARCH,
    UNSUBSCRIBE,
    VIEW,
)
from stream.errors import SegstreamError

ANY = -1  # action: whichever
ACTS: Final[Mapping[str, tuple[int, int]]] = {
    "purchase": (PURCHASE, ANY),
    "click": (CLICK, ANY),
    "view": (CLICK, VIEW),
    "search": (CLICK, SEARCH),
    "cart_add": (CLICK, CART_ADD),
    "checkout": (CLICK, CHECKOUT),
    "open": (EMAIL, OPEN),
    "email_click": (EMAIL, EMAIL_CLICK),
    "unsubscribe": (EMAIL, UNSUBSCRIBE),
}
"""Kind and action of the events that can be predicted; opens by machines and refunds are none."""

_AMOUNT = re.compile(r"purchase\s*>=\s*(?P<least>[0-9]{1,12}(?:\.[0-9]{1,2})?)")


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that may happen to a customer: an event, or (`code` above 0) an entry into a segment.

    `least_minor` is of one purchase; `dimension` and `code` are of the first definitions of a run.
    """

    text: str
    kind: int = ANY
    action: int = ANY
    least_minor: int = 1
    dimension: int = ANY
    code: int = 0

    def of_events(self, records: NDArray[np.void]) -> NDArray[np.bool_]:
        """Which records (fields `kind`, `action`, `amount_minor`, `machine_open`) are it."""
        found = records["kind"] == self.kind
        if self.kind == PURCHASE:
            found &= records["amount_minor"] >= self.least_minor
        elif self.action != ANY:
            found &= (records["action"] == self.action) & (records["machine_open"] == 0)
        return np.asarray(found)

    def of_changes(self, changes: NDArray[np.void]) -> NDArray[np.bool_]:
        """Which CHANGE records are an entry into the segment."""
        return np.asarray(
            (self.code > 0) & (changes["dimension"] == self.dimension) & (changes["segment"] == self.code)
        )

    def exposed(self, segments: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whom it can happen to, by their segments [n, dimensions]: nobody enters where they are."""
        if not self.code:
            return np.ones(len(segments), np.bool_)
        return np.asarray(segments[:, self.dimension] != self.code)


def parse(text: str, definitions: Definitions) -> Target:
    """A target of its text; raises SegstreamError for what is none, or is several."""
    text = text.strip()
    if text in ACTS:
        return Target(text, *ACTS[text])
    if amount := _AMOUNT.fullmatch(text):
        return Target(text, PURCHASE, least_minor=max(round(float(amount["least"]) * MINOR_PER_MAJOR), 1))
    found = [place for name, place in _segments(definitions) if name == text]
    if len(found) != 1:
        problem = "is neither an event nor a segment" if not found else f"is a segment of {len(found)} dimensions"
        raise SegstreamError(
            f"--outcome {text!r} {problem}",
            f"give one of {', '.join(ACTS)}, `purchase >= AMOUNT`, or a segment as dimension.segment",
        )
    return Target(text, dimension=found[0][0], code=found[0][1])


def _segments(definitions: Definitions) -> list[tuple[str, tuple[int, int]]]:
    """Every name that a segment goes by, with its dimension and code; clusters come and go with the models."""
    named: list[tuple[str, Any]] = []
    for d, dimension in enumerate(definitions.dimensions):
        if dimension.kind == CLUSTER:
            continue
        if dimension.name.startswith(AUDIENCE):
            named.append((dimension.name, (d, 1)))
            continue
        for code, segment in enumerate(dimension.segments, 1):
            named += [(name, (d, code)) for name in (segment.name, f"{dimension.name}.{segment.name}")]
    return named
