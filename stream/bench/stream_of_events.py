"""The measured stream: seeded events of skewed customers, as records for the input topics or as kernel events.

Who comes how often follows a power law; nine in ten events are clicks. A warm-up gives everybody a past of some weeks,
so that the measured part is a running business and not the founding of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.events import CLICK, CLICK_ACTIONS, EMAIL, EMAIL_ACTIONS, EVENT, MINOR_PER_MAJOR, PURCHASE, TOPICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream.kafka.bulk import BulkRecord

CUSTOMER_SKEW = 1.0  # exponent of the power law: of 20,000 customers the busiest 200 send half of the events
KIND_SHARES = {CLICK: 0.91, PURCHASE: 0.035, EMAIL: 0.055}  # a shop's traffic: most is looking around
PAST_SHARES = {CLICK: 0.30, PURCHASE: 0.40, EMAIL: 0.30}  # of the warm-up: what matters of a past
PAST_EVENTS = 3  # of each customer: four in five have bought before
PAST_MS = 60 * 86_400_000  # how long the warm-up lasts in event time
CLICK_SHARES = (0.72, 0.10, 0.10, 0.03, 0.03, 0.02)  # by models.events.CLICK_ACTIONS
EMAIL_SHARES = (0.55, 0.25, 0.14, 0.05, 0.004, 0.005, 0.001)  # by models.events.EMAIL_ACTIONS
AMOUNT_LOG_MEAN, AMOUNT_LOG_DEVIATION = 3.6, 0.8  # orders of about 37 in the middle, some of hundreds
START_MS = 1_735_689_600_000  # 2025-01-01: any fixed day, so that a run repeats
CUSTOMER_GAP_MS = 60_000_000  # event time between two events, times customers: 0.17 changes an event over 3 million
CHUNK_EVENTS = 20_000  # drawn at a time: bounds memory, and the draws are the same whatever the total


@dataclass(frozen=True, slots=True)
class Load:
    """How much, of whom, from which seed. `start_ms` is when the warm-up ends and the measured part begins."""

    events: int = 400_000
    customers: int = 20_000
    seed: int = 7
    start_ms: int = START_MS

    @property
    def warm_up(self) -> int:
        """Events before the measured ones."""
        return PAST_EVENTS * self.customers

    @property
    def purchases(self) -> int:
        """About how many of all are purchases."""
        return round(PAST_SHARES[PURCHASE] * self.warm_up + KIND_SHARES[PURCHASE] * self.events)


@dataclass(frozen=True, slots=True)
class Draws:
    """Some consecutive events as arrays; `first` is the number of the first one."""

    first: int
    customer: NDArray[np.int64]
    kind: NDArray[np.int64]
    action: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    ts_ms: NDArray[np.int64]


def draws(load: Load, *, past: bool = True) -> Iterator[Draws]:
    """The warm-up (unless without the `past`) and the measured events, in order of event time."""
    draw = np.random.default_rng(load.seed)
    weights = np.arange(1, load.customers + 1, dtype=np.float64) ** -CUSTOMER_SKEW
    edges = np.cumsum(weights / weights.sum())
    ranks = draw.permutation(load.customers)  # so that a customer's number does not say how active he is
    total = load.warm_up + load.events
    for first in range(0 if past else load.warm_up, total, CHUNK_EVENTS):
        yield _draw(draw, load, edges, ranks, np.arange(first, min(first + CHUNK_EVENTS, total)))


def _draw(
    draw: np.random.Generator, load: Load, edges: NDArray[np.float64], ranks: NDArray[np.int64], number: Any
) -> Draws:
    count, past = len(number), number < load.warm_up
    active = ranks[np.minimum(np.searchsorted(edges, draw.random(count)), load.customers - 1)]
    now = draw.choice(list(KIND_SHARES), count, p=list(KIND_SHARES.values()))
    before = draw.choice(list(PAST_SHARES), count, p=list(PAST_SHARES.values()))
    kind = np.where(past, before, now)
    clicks = draw.choice(len(CLICK_ACTIONS), count, p=CLICK_SHARES)
    emails = draw.choice(len(EMAIL_ACTIONS), count, p=EMAIL_SHARES)
    amounts = draw.lognormal(AMOUNT_LOG_MEAN, AMOUNT_LOG_DEVIATION, count) * MINOR_PER_MAJOR
    after = number - load.warm_up
    gap_ms = np.where(past, PAST_MS / load.warm_up, CUSTOMER_GAP_MS / load.customers)
    return Draws(
        first=int(number[0]),
        customer=np.where(past, number % load.customers, active),
        kind=kind,
        action=np.select([kind == CLICK, kind == EMAIL], [clicks, emails], 0),
        amount_minor=np.where(kind == PURCHASE, amounts.astype(np.int64) + 1, 0),
        ts_ms=load.start_ms + (after * gap_ms).astype(np.int64),
    )


def records(load: Load, *, past: bool = True) -> Iterator[BulkRecord]:
    """The events as records of the input topics."""
    for part in draws(load, past=past):
        columns = (part.customer, part.kind, part.action, part.amount_minor, part.ts_ms)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for number, row in enumerate(rows, part.first):
            yield record(number, *row)


def record(number: int, customer: int, kind: int, action: int, amount_minor: int, ts_ms: int) -> BulkRecord:
    """One event as (topic, key, value); of the usual size and with the usual fields that nobody asked for."""
    head = f'{{"event_id":"e{number:09d}","customer_id":"c{customer:07d}","ts":{ts_ms},'
    if kind == CLICK:
        tail = f'"action":"{CLICK_ACTIONS[action]}","page":"/p/{number % 977}","session_id":"s{customer % 4999:06d}"}}'
    elif kind == PURCHASE:
        tail = f'"order_id":"o{number}","amount":{amount_minor / MINOR_PER_MAJOR:.2f},"currency":"GBP"}}'
    else:
        tail = f'"campaign_id":"m{number % 31}","action":"{EMAIL_ACTIONS[action]}"}}'
    return TOPICS[kind], b"c%07d" % customer, (head + tail).encode()


def kernel_events(load: Load) -> NDArray[np.void]:
    """The events as the kernel reads them; a customer's slot is its number."""
    parts = []
    for part in draws(load):
        events = np.zeros(len(part.customer), EVENT)
        events["slot"], events["kind"], events["action"] = part.customer, part.kind, part.action
        events["ts_ms"], events["amount_minor"] = part.ts_ms, part.amount_minor
        events["offset"] = np.arange(part.first, part.first + len(events))
        events["id_hash"] = events["offset"] + 1
        parts.append(events)
    return np.concatenate(parts)
