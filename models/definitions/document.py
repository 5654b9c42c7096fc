"""A definitions document as values that cannot be wrong: dimensions, segments, conditions."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.customers.row import DAY_MS
from models.features.catalogue import Feature

RULES, CLUSTER = "rules", "cluster"
AUDIENCE = "audience:"  # begins the name of a dimension that is one: a customer is in it or not
HOUR_MS = DAY_MS // 24
MINUTE_MS = HOUR_MS // 60  # the smallest unit of a window
_UNITS = ((DAY_MS, "days"), (HOUR_MS, "hours"), (MINUTE_MS, "minutes"))


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison: feature, in an optional window, against a threshold in the feature's own unit."""

    feature: Feature
    op: str  # one of OPS in language.py
    threshold: float
    window_ms: int = 0
    text: str = ""  # the string a profile attribute is compared with, for words and reasons

    @property
    def name(self) -> str:
        """The feature as people name it: "recent_orders in 30 days"."""
        if not self.window_ms:
            return self.feature.name
        unit_ms, unit = next(entry for entry in _UNITS if self.window_ms % entry[0] == 0)
        return f"{self.feature.name} in {self.window_ms // unit_ms} {unit}"


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """True when at least one part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is not."""

    part: Condition


Condition = Term | All | Any | Not


@dataclass(frozen=True, slots=True)
class Segment:
    """A named answer of a dimension: how a customer enters it, and what keeps one who is in.

    `name` is what it is known by for ever: the document's `id`, or its `name` when it gives no other.
    """

    name: str
    enter: Condition
    stay: Condition
    dwell_ms: int = 0
    description: str = ""
    label: str = ""  # the document's `name` when it has an `id` beside it


@dataclass(frozen=True, slots=True)
class Dimension:
    """An ordered list of segments of which a customer is in one at most: the first whose condition holds."""

    name: str
    kind: str
    segments: tuple[Segment, ...] = ()
    description: str = ""
    margin: float = 0.0  # clusters: how much nearer (share of the distance) another must be
    review_ms: int = 0  # clusters: how often a silent customer is looked at again
    dwell_ms: int = 0  # clusters: the least time in one
    cooldown_ms: int = 0  # of a single segment: the least time between leaving and entering it again

    @property
    def has_date(self) -> bool:
        """Whether rows keep since when a customer has its answer: of an audience only where something hangs on it."""
        is_audience = self.name.startswith(AUDIENCE)
        return not is_audience or self.cooldown_ms > 0 or any(segment.dwell_ms for segment in self.segments)

    @property
    def path(self) -> str:
        """Where in the document it is."""
        if self.name.startswith(AUDIENCE):
            return f"audiences.{self.segments[0].label or self.known_as}"
        return f"dimensions.{self.name}"

    @property
    def known_as(self) -> str:
        """Its name, without the word that an audience's begins with."""
        return self.name.removeprefix(AUDIENCE)

    def segment_path(self, i: int) -> str:
        """Where in the document a segment is; that of an audience is the audience."""
        return self.path if self.name.startswith(AUDIENCE) else f"{self.path}.segments[{i}]"


@dataclass(frozen=True, slots=True)
class Definitions:
    """A whole document. `digest` is of its content and names it everywhere."""

    name: str
    digest: str
    dimensions: tuple[Dimension, ...]
    attributes: tuple[tuple[str, str], ...] = ()  # (name, "number" | "string"), in the order of the row's places
    categories: tuple[str, ...] = ()  # in the order of the row's places
    cuts: dict[str, tuple[float, ...]] = field(default_factory=dict)  # until a model brings its own
    budget: tuple[str, ...] = ()  # what a backtest must keep to, in its own words
