"""Who is simulated: each customer's archetype, when they join, fall silent and return; the truth of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.simulate import profiles
from stream.simulate.archetypes import ARCHETYPES, INTERVAL_JITTER, TRUTH_DAYS_MIN
from stream.simulate.campaigns import DAY_MS, MACHINE_SHARE

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NEVER_MS = 2**62
"""A time that no run reaches."""

START_MS = 1_735_689_600_000
"""2025-01-01T00:00Z: where a run starts unless told otherwise; fixed, so that a seed means the same every
day.
"""

_HISTORY_DAYS = 220  # customers join at least so long before the end: at risk (120 + 28 d) and dormant (180 d) need it
_COMPANY_SHARE = 0.08  # of customers are small companies
_SUBSCRIBED_SHARE = 0.75  # of customers tick the newsletter box


class Truth(NamedTuple):
    """What is true of one simulated customer by construction; times are epoch ms, None where it never
    happens.
    """

    customer_id: str
    archetype: str
    lifecycle: str | None
    joined_ms: int
    silent_from_ms: int | None
    returned_ms: int | None


@dataclass(slots=True)
class Population:
    """The customers of a run as columns; the run itself moves only the columns below `next_order_ms`."""

    ids: list[str]
    kind: Ints
    joined_ms: Ints
    silent_ms: Ints
    back_ms: Ints
    machine: Flags
    profiles: profiles.Profiles
    next_order_ms: Ints
    orders: Ints
    spend_minor: Ints
    last_order_ms: Ints
    subscribed: Flags

    def column(self, name: str) -> Floats:
        """A number of each customer's archetype, as a column."""
        return np.array([float(getattr(archetype, name)) for archetype in ARCHETYPES])[self.kind]


def customer_ids(count: int) -> list[str]:
    """`c00001`, `c00002`, ...: five digits, more only above 99,999 customers."""
    return [f"c{number:05d}" for number in range(1, count + 1)]


def populate(seed: int, customers: int, days: int, start_ms: int = START_MS) -> Population:
    """The customers at the start of a run, nothing bought yet.

    A run shorter than `TRUTH_DAYS_MIN` squeezes the silences of the archetypes into it; then no lifecycle is
    certain.
    """
    _check(customers, days)
    rng = np.random.default_rng([seed, 0])
    shares = np.cumsum([archetype.share for archetype in ARCHETYPES])
    places = (rng.permutation(customers) + 0.5) / customers
    kind = np.minimum(np.searchsorted(shares, places), len(ARCHETYPES) - 1).astype(np.int64)
    squeeze = _squeeze(days)
    end_ms = start_ms + days * DAY_MS
    joined_ms = _joining(rng, kind, days, start_ms)
    subscribed = rng.random(customers) < _SUBSCRIBED_SHARE
    interval_days = _of(kind, "order_interval_days")
    wait_days = (0.1 + rng.random(customers)) * interval_days * squeeze
    return Population(
        ids=customer_ids(customers),
        kind=kind,
        joined_ms=joined_ms,
        silent_ms=_before_end(kind, "silent_days", squeeze, end_ms),
        back_ms=_before_end(kind, "back_days", squeeze, end_ms),
        machine=rng.random(customers) < MACHINE_SHARE,
        profiles=profiles.draw(rng, subscribed, rng.random(customers) < _COMPANY_SHARE),
        next_order_ms=np.where(interval_days > 0, joined_ms + (wait_days * DAY_MS).astype(np.int64), NEVER_MS),
        orders=np.zeros(customers, np.int64),
        spend_minor=np.zeros(customers, np.int64),
        last_order_ms=joined_ms.copy(),
        subscribed=subscribed,
    )


def truth(seed: int, customers: int, days: int, start_ms: int = START_MS) -> list[Truth]:
    """What is true of every customer of the run `events(seed, customers, days, start_ms)`."""
    people = populate(seed, customers, days, start_ms)
    certain = days >= TRUTH_DAYS_MIN
    return [
        Truth(
            customer_id,
            ARCHETYPES[kind].name,
            ARCHETYPES[kind].lifecycle if certain else None,
            joined_ms,
            None if silent_ms == NEVER_MS else silent_ms,
            None if back_ms == NEVER_MS else back_ms,
        )
        for customer_id, kind, joined_ms, silent_ms, back_ms in zip(
            people.ids,
            people.kind.tolist(),
            people.joined_ms.tolist(),
            people.silent_ms.tolist(),
            people.back_ms.tolist(),
            strict=True,
        )
    ]


def _check(customers: int, days: int) -> None:
    if customers < 1 or days < 1:
        raise ValueError(f"a run needs at least one customer and one day, not {customers} and {days}")


def _of(kind: Ints, name: str) -> Floats:
    return np.array([float(getattr(archetype, name)) for archetype in ARCHETYPES])[kind]


def _squeeze(days: int) -> float:
    return min(1.0, days / TRUTH_DAYS_MIN)


def _before_end(kind: Ints, name: str, squeeze: float, end_ms: int) -> Ints:
    before_days = _of(kind, name)
    return np.where(before_days > 0, end_ms - (before_days * squeeze * DAY_MS).astype(np.int64), NEVER_MS)


def _joining(rng: np.random.Generator, kind: Ints, days: int, start_ms: int) -> Ints:
    # Early enough for the archetype's truth or, for those who join late, for a first order.
    squeeze, end_ms = _squeeze(days), start_ms + days * DAY_MS
    latest_days = _of(kind, "joins_last_days")
    share = rng.random(len(kind))
    room_days = max(days - _HISTORY_DAYS * squeeze, 0.0)
    early_ms = start_ms + (share * room_days * DAY_MS).astype(np.int64)
    first_order_days = 1.0 + (1 + INTERVAL_JITTER) * _of(kind, "order_interval_days")
    before_days = first_order_days + share * np.maximum(latest_days - first_order_days, 0.0)
    late_ms = end_ms - (before_days * squeeze * DAY_MS).astype(np.int64)
    return np.maximum(np.where(latest_days > 0, late_ms, early_ms), start_ms)
