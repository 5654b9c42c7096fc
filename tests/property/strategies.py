"""Hypothesis strategies: legal event sequences, the ticks between them, and definitions documents."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import events as e
from models.customers.row import DAY_MS
from models.definitions.language import string_value
from models.features import catalogue as c
from tests.core import HOUR_MS, T0, document, event, profile

# Gaps between events where something can be off by one: window and age borders, to the millisecond.
BORDERS_MS = (
    0,
    1,
    HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
    45 * DAY_MS,
    90 * DAY_MS,
    180 * DAY_MS,
    640 * DAY_MS,
)
GAPS_MS = st.one_of(
    st.integers(0, 3 * HOUR_MS),
    st.integers(0, 60 * DAY_MS),
    st.sampled_from([max(border + near, 0) for border in BORDERS_MS for near in (-1, 0, 1)]),
)
AMOUNTS = st.sampled_from([1, 1999, 2000, 50_000, 10**7, e.AMOUNT_MINOR_MAX, -1, -1999, -(10**7)])
DIMENSION_NAMES = ("first", "second", "third")
AUDIENCE_NAMES = ("north", "south", "west")
OPS = (">=", "<=", "==", "!=", ">", "<")
THRESHOLDS = {
    c.SINCE: (0, 0.5, 1, 7, 30, 45.25, 90, 400),
    c.GAP: (0, 1, 30, 120),
    c.COUNT: (0, 1, 2, 3, 6),
    c.MONEY: (-5, 0, 10, 19.99, 500),
    c.WINDOW_SUM: (0, 10, 19.99, 500),
    c.DECAYED: (0.000001, 0.1, 0.5, 1, 2, 2.5, 6),
    c.SCORE: (0, 1, 2, 3, 4, 5),
    c.RATIO: (0, 0.2, 0.5, 1),
    c.TREND: (0.000001, 0.5, 1, 1.5, 7),
    c.PACE: (0, 0.5, 1, 2.5, 40),
}
WINDOWS = ("30 minutes", "1 hour", "1 day", "7 days", "4 weeks", "30 days", "90 days")
FRANCE, ITALY = string_value("France"), string_value("Italy")
CATEGORIES = ("shoes", "garden tools")
OTHER_TERMS = (
    "days_since_click on shoes < 1", "no click on 'garden tools' for 7 days", "clicks on shoes in 2 hours >= 1",
    "no click for 14 days", "no order for 2 hours", "no event for 1 week", "no open for 30 minutes",
    "cart_add, then no order within 2 hours", "cart, then order within 1 day", "email, then no click within 7 days",
    "order, then click within 1 week", "click, then no open within 30 days", "open, then no purchase within 1 hour",
    "top 20 % by spend", "top 5 % by spend", "bottom 50 % by value", "top 40 % by recency", "bottom 20 % by recency",
    "top 60 % by orders", "orders between 1 and 3", "days_since_order between 2 hours and 7 days",
    "purchases in 30 days between 1 and 4", "orders in (0, 2, 3)", "opens not in (1)", "amount in 4 weeks >= 19.99",
    "days_since_click not in (1 day, 2 hours)", "clicks trend between 0.5 and 1.5",
)  # fmt: skip
ATTRIBUTE_TERMS = (
    "profile.age between 17 and 18", 'profile.country in (France, "Italy")', "profile.country not in (France)",
    "profile.age absent", "profile.age >= 18", "profile.age < 18", "profile.age != 17", "profile.age present",
    'profile.country == "France"', 'profile.country != "France"', "profile.country present",
)  # fmt: skip


@st.composite
def one_event(draw: st.DrawFn, ts_ms: int, customers: int, profiles: int = 3) -> NDArray[np.void]:
    """Any legal event at a time; `profiles` rows of attributes come with the batch, 0: no profile events."""
    slot = draw(st.integers(0, customers - 1))
    kinds = [e.CLICK, e.PURCHASE, e.EMAIL, e.PROFILE] if profiles else [e.CLICK, e.PURCHASE, e.EMAIL]
    kind = draw(st.sampled_from(kinds))
    if kind == e.CLICK:
        action, category = draw(st.integers(0, len(e.CLICK_ACTIONS) - 1)), draw(st.integers(0, len(CATEGORIES)))
        return event(ts_ms, kind, action, slot=slot, category=category)
    if kind == e.PURCHASE:
        return event(ts_ms, kind, amount=draw(AMOUNTS), slot=slot)
    if kind == e.EMAIL:
        action, machine = draw(st.integers(0, len(e.EMAIL_ACTIONS) - 1)), draw(st.integers(0, 1))
        return event(ts_ms, kind, action, machine=machine, slot=slot)
    return profile(ts_ms, draw(st.integers(0, profiles - 1)), slot=slot)


@st.composite
def sequences(
    draw: st.DrawFn, customers: int = 2, size: int = 14, profiles: int = 3, least: int = 1
) -> NDArray[np.void]:
    """Legal events of a few customers, ordered by time; every one has an identity of its own."""
    gaps = draw(st.lists(GAPS_MS, min_size=least, max_size=size))
    ts_ms, events = T0, []
    for gap in gaps:
        ts_ms += gap
        events.append(draw(one_event(ts_ms, customers, profiles)))
    return np.concatenate(events)


@st.composite
def attribute_rows(draw: st.DrawFn, count: int = 3) -> NDArray[np.float64]:
    """The attributes that profile events of a batch set: ages and countries, or nothing."""
    filled = np.full((count, e.ATTRIBUTES_MAX), np.nan)
    for i in range(1, count):  # the first is a tombstone
        filled[i, 0] = draw(st.sampled_from([np.nan, 0.0, 17.0, 18.0, 65.5]))
        filled[i, 1] = draw(st.sampled_from([np.nan, FRANCE, ITALY]))
    return filled


@st.composite
def terms(draw: st.DrawFn) -> str:
    """One comparison that definitions accept."""
    feature = draw(st.sampled_from([*c.FEATURES, *[None] * 12]))
    if feature is None:
        return str(draw(st.sampled_from(ATTRIBUTE_TERMS + OTHER_TERMS)))
    if feature.kind == c.WINDOW_COUNT:
        kept = c.KEPT[feature.source]
        op = draw(st.sampled_from(OPS))
        most = kept if op in (">=", "<") else kept - 1
        return f"{feature.name} in {draw(st.sampled_from(WINDOWS))} {op} {draw(st.integers(0, most))}"
    window = f" in {draw(st.sampled_from(WINDOWS))}" if feature.windowed else ""
    threshold = draw(st.sampled_from(THRESHOLDS[feature.kind]))
    return f"{feature.name}{window} {draw(st.sampled_from(OPS))} {threshold:.6f}"


def conditions() -> st.SearchStrategy[Any]:
    """A condition of up to three comparisons."""
    lists = st.lists(terms(), min_size=1, max_size=3)
    return st.one_of(
        terms(),
        st.builds(lambda parts: {"all": parts}, lists),
        st.builds(lambda parts: {"any": parts}, lists),
        st.builds(lambda part: {"not": part}, terms()),
        st.builds(lambda part, parts: {"all": [part, {"any": parts}]}, terms(), lists),
    )


@st.composite
def dimensions(draw: st.DrawFn) -> dict[str, Any]:
    """A dimension of rules, sometimes with dwell, with looser exits and with a last segment for the rest."""
    made: list[dict[str, Any]] = []
    for i, when in enumerate(draw(st.lists(conditions(), min_size=1, max_size=3))):
        made.append({"name": f"s{i}", "when": when})
        if draw(st.booleans()):
            made[-1]["stay"] = draw(conditions())
        if draw(st.integers(0, 3)) == 0:
            made[-1]["dwell_days"] = draw(st.sampled_from([0, 0.5, 3, 40]))
    if draw(st.booleans()):
        made.append({"name": "rest", "when": "always"})
    if len(made) == 1 and draw(st.booleans()):
        made[0]["cooldown_days"] = draw(st.sampled_from([0.5, 3, 40]))
    return {"segments": made}


def hang(draw: st.DrawFn, made: dict[str, Any], parent: str, child: str) -> None:
    """Let a condition of a dimension ask for the segment of another."""
    names = [segment["name"] for segment in made[parent]["segments"]]
    asked = draw(st.sampled_from(names))
    written = draw(st.sampled_from(["is {}", "is not {}", "in ({})", "not in ({})"])).format(asked)
    segment = draw(st.sampled_from(made[child]["segments"]))
    key = draw(st.sampled_from([key for key in ("when", "stay") if key in segment]))
    segment[key] = {draw(st.sampled_from(["all", "any"])): [f"dimension {parent} {written}", segment[key]]}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document of one to three dimensions of rules and, sometimes, a cluster dimension."""
    count = draw(st.integers(1, len(DIMENSION_NAMES)))
    made: dict[str, Any] = {name: draw(dimensions()) for name in DIMENSION_NAMES[:count]}
    order = draw(st.permutations(list(made)))
    for place, name in enumerate(order[1:], 1):
        if draw(st.booleans()):
            hang(draw, made, draw(st.sampled_from(order[:place])), name)
    if draw(st.booleans()):
        made["groups"] = {
            "kind": "cluster",
            "margin": 0.1,
            "review_days": draw(st.sampled_from([0.5, 7, 30])),
        }
    more = {"audiences": audiences(draw, made)} if draw(st.booleans()) else {}
    return document(made, attributes={"age": "number", "country": "string"}, categories=list(CATEGORIES), **more)


def audiences(draw: st.DrawFn, dimensions: dict[str, Any]) -> dict[str, Any]:
    """One to three audiences, most without a date; some ask for those before, or for a dimension, or are asked for."""
    made: dict[str, Any] = {}
    asks: bool = draw(st.booleans())  # else dimensions ask for audiences: both at once may be a circle
    for name in AUDIENCE_NAMES[: draw(st.integers(1, len(AUDIENCE_NAMES)))]:
        entry: dict[str, Any] = {"when": draw(conditions())}
        if draw(st.booleans()):
            entry["stay"] = draw(conditions())
        if draw(st.integers(0, 3)) == 0:
            entry[draw(st.sampled_from(["dwell_days", "cooldown_days"]))] = draw(st.sampled_from([0, 0.5, 3, 40]))
        others = [f"in audience {other}" for other in made]
        if asks:
            others += [
                f"dimension {d} is {one['segments'][0]['name']}" for d, one in dimensions.items() if "segments" in one
            ]
        if draw(st.booleans()) and others:
            entry["when"] = {draw(st.sampled_from(["all", "any"])): [draw(st.sampled_from(others)), entry["when"]]}
        made[name] = entry
    ruled = [one for one in dimensions.values() if "segments" in one]
    if not asks and draw(st.booleans()):
        segment = draw(st.sampled_from(ruled))["segments"][0]
        name = draw(st.sampled_from(list(made)))
        segment["when"] = {"any": [f"not in audience {name}", segment["when"]]}
    return made


def cuts(count: int) -> st.SearchStrategy[list[int]]:
    """Ways to cut so many events into entries: the positions after which a new entry begins."""
    return st.lists(st.integers(0, count), max_size=count, unique=True).map(sorted)
