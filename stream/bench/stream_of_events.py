"""The measured stream: seeded events of skewed customers, as records for the input topics.

Who comes how often follows a power law; nine in ten events are clicks. A warm-up gives everybody a past of some weeks,
so that the measured part is a running business and not the founding of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.events import CLICK, CLICK_ACTIONS, EMAIL, EMAIL_ACTIONS, PURCHASE, TOPICS

if TYPE_CHECKING:
    from stream.kafka.bulk import BulkRecord

CUSTOMER_SKEW = 1.0  # exponent of the power law: the most active tenth sends half of the events
KIND_SHARES = {CLICK: 0.92, PURCHASE: 0.03, EMAIL: 0.05}  # a shop's traffic: most is looking around
PAST_SHARES = {CLICK: 0.30, PURCHASE: 0.40, EMAIL: 0.30}  # of the warm-up: what matters of a past
PAST_EVENTS = 3  # of each customer: seven in eight have bought before
PAST_MS = 60 * 86_400_000  # how long the warm-up lasts in event time
CLICK_SHARES = (0.72, 0.10, 0.10, 0.03, 0.03, 0.02)  # by models.events.CLICK_ACTIONS
EMAIL_SHARES = (0.55, 0.25, 0.14, 0.05, 0.004, 0.005, 0.001)  # by models.events.EMAIL_ACTIONS
AMOUNT_LOG_MEAN, AMOUNT_LOG_DEVIATION = 3.6, 0.8  # orders of about 37 in the middle, some of hundreds
START_MS = 1_735_689_600_000  # 2025-01-01: any fixed day, so that a run repeats
EVENT_GAP_MS = 500  # between two events: with 20,000 customers about 0.15 changes an event
CUSTOMERS_DEFAULT = 20_000  # what the gap above is for; other numbers of customers stretch it in proportion
CHUNK_EVENTS = 20_000  # drawn at a time: bounds memory, and the draws are the same whatever the total


@dataclass(frozen=True, slots=True)
class Load:
    """How much, of whom, from which seed. `warm_up` events come first."""

    events: int = 400_000
    customers: int = CUSTOMERS_DEFAULT
    seed: int = 7

    @property
    def warm_up(self) -> int:
        """Events before the measured ones."""
        return PAST_EVENTS * self.customers

    @property
    def gap_ms(self) -> float:
        """Event time between two events."""
        return EVENT_GAP_MS * CUSTOMERS_DEFAULT / self.customers


def records(load: Load) -> Iterator[BulkRecord]:
    """The warm-up and the measured events, in order of event time."""
    draw = np.random.default_rng(load.seed)
    weights = np.arange(1, load.customers + 1, dtype=np.float64) ** -CUSTOMER_SKEW
    ranks = draw.permutation(load.customers)  # so that a customer's number does not say how active he is
    edges = np.cumsum(weights / weights.sum())
    total = load.warm_up + load.events
    for start in range(0, total, CHUNK_EVENTS):
        count = min(CHUNK_EVENTS, total - start)
        drawn = ranks[np.minimum(np.searchsorted(edges, draw.random(count)), load.customers - 1)]
        first = np.arange(start, start + count)
        customers = np.where(first < load.warm_up, first % load.customers, drawn)
        past = first < load.warm_up
        times = START_MS + np.where(past, (first - load.warm_up) * PAST_MS / load.warm_up, 0.0)
        times += np.where(past, 0.0, (first - load.warm_up) * load.gap_ms)
        yield from _chunk(draw, customers.tolist(), times.astype(np.int64).tolist(), start, load.warm_up)


def _chunk(
    draw: np.random.Generator, customers: list[int], times: list[int], start: int, warm_up: int
) -> Iterator[BulkRecord]:
    count = len(customers)
    now = draw.choice(list(KIND_SHARES), count, p=list(KIND_SHARES.values()))
    past = draw.choice(list(PAST_SHARES), count, p=list(PAST_SHARES.values()))
    kinds = np.where(np.arange(start, start + count) < warm_up, past, now).tolist()
    clicks = draw.choice(CLICK_ACTIONS, count, p=CLICK_SHARES).tolist()
    emails = draw.choice(EMAIL_ACTIONS, count, p=EMAIL_SHARES).tolist()
    amounts = draw.lognormal(AMOUNT_LOG_MEAN, AMOUNT_LOG_DEVIATION, count).tolist()
    for i, customer in enumerate(customers):
        number, kind = start + i, kinds[i]
        customer_id = f"c{customer:07d}"
        head = f'{{"event_id":"e{number:09d}","customer_id":"{customer_id}","ts":{times[i]},'
        if kind == CLICK:
            value = f'{head}"action":"{clicks[i]}","page":"/p/{number % 977}","session_id":"s{customer % 4999:06d}"}}'
        elif kind == PURCHASE:
            value = f'{head}"order_id":"o{number}","amount":{amounts[i] + 0.01:.2f},"currency":"GBP"}}'
        else:
            value = f'{head}"campaign_id":"m{number % 31}","action":"{emails[i]}"}}'
        yield TOPICS[kind], customer_id.encode(), value.encode()
