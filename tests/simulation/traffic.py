"""What producers send in a run: orders, refunds, clicks, e-mails, profiles; late, twice, aborted, or rubbish."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import orjson

from models.events import TOPICS
from stream.kafka.partitioner import partition_of
from tests.simulation.faults import FAULTS_UNTIL_S, Scenario
from tests.simulation.virtual_time import START_MS
from tests.simulation.world import ABORTED, COMMITTED, Shelf, Transaction, World

DAY_MS = 86_400_000
SPAN_MS = 200 * DAY_MS  # from the first event to the start of the run: every lifecycle segment is reached
LATE_MS = 40 * DAY_MS  # so late an event may be, a fourteenth of them
GIVEN_UP_MAX = 3  # transactions that are aborted and never tried again
BURSTS = 5  # moments at which events come after the start
PROFILE = 3

partition = cache(partition_of)


@dataclass(slots=True)
class Sent:
    """What was sent, in order: for the oracle."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rubbish: int = 0


def send_everything(world: World, scenario: Scenario, later: Callable[[float, Callable[[], None]], Any]) -> Sent:
    """Put the events of a run into the input topics, two thirds at the start and the rest in bursts."""
    chance, sent = world.chance, Sent()
    now_ms = START_MS - SPAN_MS
    step_ms = SPAN_MS // scenario.events
    bursts = sorted(chance.uniform(0.1, FAULTS_UNTIL_S) for _ in range(BURSTS))
    first = scenario.events * 2 // 3
    for i in range(scenario.events):
        now_ms += chance.choice((0, 1000, 3_600_000, step_ms, step_ms))
        late_ms = chance.randrange(LATE_MS) if chance.random() < 0.07 else 0
        kind, event = _event(chance, i, f"c{chance.randrange(scenario.customers)}", now_ms - late_ms)
        at_s = 0.0 if i < first else bursts[(i - first) * BURSTS // (scenario.events - first)]
        later(at_s, lambda kind=kind, event=event: _produce(world, scenario, sent, kind, event))  # type: ignore[misc]
    _give_up(world, scenario, later)
    return sent


def _give_up(world: World, scenario: Scenario, later: Callable[[float, Callable[[], None]], Any]) -> None:
    """Aborted transactions that nothing may follow: an input then ends in what nobody is given to read."""
    chance = random.Random(f"given up in {scenario.seed}")
    for _ in range(chance.randint(0, GIVEN_UP_MAX)):
        shelf = world.shelves[chance.choice(TOPICS), chance.randrange(scenario.partitions)]
        later(chance.uniform(0.0, FAULTS_UNTIL_S), partial(_abort, world, shelf))


def _abort(world: World, shelf: Shelf) -> None:
    shelf.put(b"x", b"{never said", world.now_ms(), Transaction(ABORTED))
    shelf.end += 1


def _event(chance: Any, i: int, customer: str, ts_ms: int) -> tuple[int, dict[str, Any]]:
    kind = chance.choice((0, 0, 0, 1, 1, 1, 2, 2, PROFILE))
    event: dict[str, Any] = {"event_id": f"e{i}", "customer_id": customer, "ts": ts_ms}
    if kind == 0:
        event["action"] = chance.choice(("view", "cart_add", "checkout"))
    elif kind == 1:
        event |= {"order_id": f"o{i}", "amount": chance.choice((12.5, 99.0, 800.0, -5.0, 0)), "currency": "EUR"}
    elif kind == 2:
        event |= {"campaign_id": "m", "action": chance.choice(("sent", "open", "click", "unsubscribe"))}
    else:
        event = {"customer_id": customer, "ts": ts_ms, "attributes": {"country": chance.choice(("FR", "DE"))}}
    return kind, event


def _produce(world: World, scenario: Scenario, sent: Sent, kind: int, event: dict[str, Any]) -> None:
    chance, key, value = world.chance, event["customer_id"].encode(), orjson.dumps(event)
    shelf = world.shelves[TOPICS[kind], partition(event["customer_id"], scenario.partitions)]
    drawn, now_ms = chance.random(), world.now_ms()
    if drawn < 0.03:
        shelf.put(key, value, now_ms, Transaction(ABORTED))  # a transactional producer that gave up and tries again
        shelf.end += 1
    committed = Transaction(COMMITTED) if drawn > 0.9 else None
    copies = 2 if kind != PROFILE and 0.03 < drawn < 0.08 else 1  # without idempotence a retry comes twice
    for _ in range(copies):
        shelf.put(key, value, now_ms, committed)
        sent.events.append((TOPICS[kind], event))
    if committed is not None:
        shelf.end += 1  # the control record
    elif 0.5 < drawn < 0.53:
        shelf.put(b"x", b"{rubbish", now_ms)
        sent.rubbish += 1
