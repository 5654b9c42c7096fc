"""The oracle: what must be true of every customer, worked out from what a producer sent and nothing else.

It shares no code with models/ or stream/, on purpose: plain dicts, integers and decimals, slow and easy to
read. It expects legal events (plus zero amounts, which it counts as refused) and, of repeated ones, copies
with the same event id among the customer's last six.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

DAY_MS = 24 * 60 * 60 * 1000
EVENT_IDS_KEPT = 6

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Customer:
    """What is true of one customer after everything that was sent.

    `counts` is by (topic, action): the action of clicks and e-mails, where a machine's open is
    `machine_open`; `order` and `refund` of purchases; `profile`. `last_ms` is the newest event time by the
    same keys. Money is in cents.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_ms: int | None = None
    last_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    gross_minor: int = 0
    refund_minor: int = 0
    order_times_ms: list[int] = field(default_factory=list)
    attributes: dict[str, Any] | None = None
    duplicate_count: int = 0
    lifecycle: str = ""
    value: str = ""

    @property
    def net_minor(self) -> int:
        """Orders less refunds."""
        return self.gross_minor - self.refund_minor

    @property
    def orders(self) -> int:
        """Orders in all."""
        return len(self.order_times_ms)

    def count(self, topic: str) -> int:
        """Events of one topic."""
        return sum(count for (name, _), count in self.counts.items() if name == topic)

    def last(self, topic: str) -> int | None:
        """The newest event time of one topic."""
        return max((last for (name, _), last in self.last_ms.items() if name == topic), default=None)


@dataclass
class Verdict:
    """What the oracle says of a whole run: the customers, and the events that must be dead letters, by
    reason.
    """

    customers: dict[str, Customer]
    dead_letters: Counter[str]


def judge(
    sent: Iterable[tuple[str, Mapping[str, Any]]],
    final_ms: int,
    value_cuts: tuple[float, float, float],
    retention_ms: int = 0,
) -> Verdict:
    """What must be true at `final_ms` after these (topic, payload) were sent, in this order.

    `value_cuts` are the three cut points of the value tiers, in major units, rising. With a retention, who was silent
    for as long is dropped and begins anew with the next event; then all must have been sent in the order of time.
    """
    customers: dict[str, Customer] = {}
    remembered: dict[str, deque[str]] = {}
    dead_letters: Counter[str] = Counter()
    for topic, payload in sent:
        if topic == "purchases" and _cents(payload["amount"]) == 0:
            dead_letters["zero_amount"] += 1
            continue
        customer_id = payload["customer_id"]
        if retention_ms and _silent(customers.get(customer_id), _time_ms(payload["ts"]), retention_ms):
            del customers[customer_id]
            remembered.pop(customer_id, None)
        customer = customers.setdefault(customer_id, Customer())
        if topic != "profiles":
            ids = remembered.setdefault(customer_id, deque(maxlen=EVENT_IDS_KEPT))
            if payload["event_id"] in ids:
                customer.duplicate_count += 1
                continue
            ids.append(payload["event_id"])
        _add(customer, topic, payload)
    if retention_ms:
        customers = {name: one for name, one in customers.items() if not _silent(one, final_ms, retention_ms)}
    for customer in customers.values():
        customer.order_times_ms.sort()
        customer.lifecycle = lifecycle(customer.order_times_ms, final_ms)
        customer.value = value_tier(customer.orders, customer.net_minor, value_cuts)
    return Verdict(customers, dead_letters)


def _silent(customer: Customer | None, now_ms: int, retention_ms: int) -> bool:
    return customer is not None and now_ms - max(customer.last_ms.values(), default=now_ms) >= retention_ms


def lifecycle(order_times_ms: list[int], final_ms: int) -> str:  # noqa: PLR0911 - one return a rule
    """The lifecycle segment of a customer with these order times (sorted): the first rule that holds."""
    if not order_times_ms:
        return "prospect"
    since_last = max(final_ms - order_times_ms[-1], 0)
    since_first = max(final_ms - order_times_ms[0], 0)
    gap = order_times_ms[-1] - order_times_ms[-2] if len(order_times_ms) > 1 else 0
    if gap >= 120 * DAY_MS and since_last < 30 * DAY_MS:
        return "returned"
    if since_first < 30 * DAY_MS:
        return "new"
    if since_last < 45 * DAY_MS:
        return "active"
    if since_last < 90 * DAY_MS:
        return "cooling"
    if since_last < 180 * DAY_MS:
        return "at risk"
    return "dormant"


def value_tier(orders: int, net_minor: int, cuts: tuple[float, float, float]) -> str:
    """The value tier by lifetime net spend; a customer with orders is at least low, whatever was refunded."""
    if orders == 0:
        return "none"
    medium, high, top = (Decimal(str(cut)) for cut in cuts)
    spend = Decimal(net_minor) / 100
    if spend > top:
        return "top"
    if spend > high:
        return "high"
    return "medium" if spend > medium else "low"


def _add(customer: Customer, topic: str, payload: Mapping[str, Any]) -> None:
    ts_ms = _time_ms(payload["ts"])
    action = _action(topic, payload)
    key = (topic, action)
    customer.counts[key] += 1
    customer.first_ms = ts_ms if customer.first_ms is None else min(customer.first_ms, ts_ms)
    newest_profile_ms = customer.last_ms.get(("profiles", "profile"))
    customer.last_ms[key] = max(customer.last_ms.get(key, ts_ms), ts_ms)
    if action == "order":
        customer.gross_minor += _cents(payload["amount"])
        customer.order_times_ms.append(ts_ms)
    elif action == "refund":
        customer.refund_minor -= _cents(payload["amount"])
    elif topic == "profiles" and (newest_profile_ms is None or ts_ms >= newest_profile_ms):
        customer.attributes = dict(payload["attributes"])


def _action(topic: str, payload: Mapping[str, Any]) -> str:
    if topic == "purchases":
        return "order" if _cents(payload["amount"]) > 0 else "refund"
    if topic == "profiles":
        return "profile"
    if topic == "emails" and payload["action"] == "open" and payload.get("machine_open"):
        return "machine_open"
    return str(payload["action"])


def _cents(amount: float | str | Decimal) -> int:
    cents = Decimal(str(amount)) * 100
    if cents != cents.to_integral_value():
        message = f"the oracle takes whole cents only, not {amount}"
        raise ValueError(message)
    return int(cents)


def _time_ms(ts: int | str) -> int:
    if isinstance(ts, int):
        return ts
    moment = datetime.fromisoformat(ts)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
