"""A year of a real shop: Online Retail's purchases with simulated clicks, e-mails and profiles laid over
them.

Semi-synthetic: orders, refunds, their times, amounts, products and countries are real (except those of Ada
and of the visitors who never buy); everything else is drawn from a seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream.codec import plain_json
from stream.simulate import payloads, profiles
from stream.simulate.ada import BROWSING_DAYS, JOINED_MS, SILENT_MS, with_ada
from stream.simulate.campaigns import DAY_MS, HOUR_MS, MACHINE_SHARE, Mails, response, send
from stream.simulate.generator import LOYALTY_ORDERS
from stream.simulate.payloads import Payload
from stream.simulate.retail_orders import Orders, read_orders
from stream.simulate.sessions import Sessions, browsing, expand, shopping

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Record = tuple[int, bytes, bytes]
"""(event time in epoch ms, key, value)."""

START_MS = 1_291_161_600_000
"""2010-12-01T00:00Z: the first day of the data set."""

END_MS = 1_323_435_600_000
"""2011-12-09T13:00Z: ten minutes after the last invoice; nothing is simulated beyond."""

CURRENCY = "GBP"
ITEMS_MAX = 20  # bounds a record to 2 KB; the amount counts every line of the invoice
VIEWS_MEAN = 2.6  # further products seen in an idle visit: short, as most visits are
ABANDON_SHARE = 0.15  # of idle visits leave something in the cart
VISITORS = 600  # people who look and never buy, so that `prospect` has members to the end
_FIRST_VISITOR = 20_001  # above every real number (12346 to 18287)

_SUBSCRIBED_SHARE = 0.7  # of customers take the newsletter
_RECENT_DAYS = 90.0  # the sender mails recent buyers more often
_CADENCE_RECENT, _CADENCE_OLD = (
    0.5,
    0.3,
)  # share of weekly campaigns that reach a recent buyer, and the others
_WEEK_MS = 7 * DAY_MS
_STAYS_DAYS = 45.0  # mean days that a customer still looks around after the last order
_WHOLESALE_PIECES = 30.0  # more pieces a line than this on average: a company (the shop sells to many)


@dataclass(frozen=True, slots=True)
class RetailYear:
    """The year: per topic (without prefix) its records in time order, ready for Kafka.

    `counts` is the number of events per topic; `customers` counts everybody with an event;
    `zero_amount_count` the invoices left out because they come to nothing.
    """

    records: dict[str, list[Record]]
    counts: dict[str, int]
    customers: int
    zero_amount_count: int
    start_ms: int
    end_ms: int

    def in_time_order(self) -> Iterator[tuple[int, str, bytes, bytes]]:
        """(ts_ms, topic, key, value) of all topics; within a millisecond profiles first, purchases last."""
        return heapq.merge(*(self._named(topic) for topic in self.records), key=itemgetter(0))

    def _named(self, topic: str) -> Iterator[tuple[int, str, bytes, bytes]]:
        return ((ts_ms, topic, key, value) for ts_ms, key, value in self.records[topic])


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Everybody: buyers first (as in `Orders`, Ada the last of them), then visitors; `from_ms`..`until_ms`
    present.
    """

    ids: list[str]
    country: list[str]
    from_ms: Ints
    until_ms: Ints
    subscribed: NDArray[np.bool_]
    machine: NDArray[np.bool_]
    company: NDArray[np.bool_]
    opens: Floats
    ada: int


def retail_year(seed: int = 7, path: Path | None = None) -> RetailYear:
    """The whole year; the same seed gives the same bytes. Takes some seconds and some 150 MB.

    Raises
    ------
    SegstreamError
        When the data set is not there.

    """
    orders = with_ada(read_orders(path))
    crowd = _crowd(np.random.default_rng([seed, 0]), orders)
    mails, from_mail = _mails(np.random.default_rng([seed, 1]), orders, crowd)
    rng = np.random.default_rng([seed, 2])
    sessions = Sessions.join([_order_sessions(rng, orders, crowd), _idle_sessions(rng, crowd), from_mail])
    clicks = expand(rng, sessions, len(orders.products), orders.product, END_MS)
    rows: dict[str, tuple[str, Iterable[tuple[int, Payload]]]] = {
        "profiles": ("", _profiles(np.random.default_rng([seed, 3]), orders, crowd)),
        "emails": ("m", payloads.mails(mails, crowd.ids)),
        "clicks": ("k", payloads.clicks(clicks, crowd.ids, orders.products, orders.categories, 0)),
        "purchases": ("o", _purchases(orders)),
    }
    records = {topic: _encode(prefix, made) for topic, (prefix, made) in rows.items()}
    return RetailYear(
        records=records,
        counts={topic: len(some) for topic, some in records.items()},
        customers=len(crowd.ids),
        zero_amount_count=orders.zero_amount_count,
        start_ms=START_MS,
        end_ms=END_MS,
    )


def _crowd(rng: np.random.Generator, orders: Orders) -> _Crowd:
    buyers = len(orders.customers)
    count = buyers + VISITORS
    first_ms = np.full(buyers, END_MS, np.int64)
    last_ms = np.zeros(buyers, np.int64)
    np.minimum.at(first_ms, orders.customer, orders.ts_ms)
    np.maximum.at(last_ms, orders.customer, orders.ts_ms)
    from_ms = first_ms - 2 * HOUR_MS - (rng.exponential(10.0, buyers) * DAY_MS).astype(np.int64)  # looks first
    until_ms = last_ms + (rng.exponential(_STAYS_DAYS, buyers) * DAY_MS).astype(np.int64)
    ada = buyers - 1
    from_ms[ada], until_ms[ada] = JOINED_MS, SILENT_MS
    visit_ms = START_MS + (rng.random(VISITORS) * (END_MS - START_MS - DAY_MS)).astype(np.int64)
    leave_ms = visit_ms + (rng.exponential(60.0, VISITORS) * DAY_MS).astype(np.int64)  # two months of looking
    subscribed, machine = rng.random(count) < _SUBSCRIBED_SHARE, rng.random(count) < MACHINE_SHARE
    subscribed[ada], machine[ada] = True, False
    return _Crowd(
        ids=[*orders.customers, *(f"c{_FIRST_VISITOR + number}" for number in range(VISITORS))],
        country=[*orders.country, *(["United Kingdom"] * VISITORS)],
        from_ms=np.maximum(np.concatenate([from_ms, visit_ms]), START_MS),
        until_ms=np.minimum(np.concatenate([until_ms, leave_ms]), END_MS),
        subscribed=subscribed,
        machine=machine,
        company=np.concatenate([_wholesale(orders), np.zeros(VISITORS, np.bool_)]),
        opens=rng.beta(2.0, 4.0, count),  # a third of mails on average, some nearly none, few nearly all
        ada=ada,
    )


def _wholesale(orders: Orders) -> NDArray[np.bool_]:
    customer = np.repeat(orders.customer, orders.line_count)
    pieces = np.bincount(customer, np.abs(orders.quantity), len(orders.customers))
    return np.asarray(
        pieces / np.maximum(np.bincount(customer, minlength=len(orders.customers)), 1) > _WHOLESALE_PIECES
    )


def _order_sessions(rng: np.random.Generator, orders: Orders, crowd: _Crowd) -> Sessions:
    bought = np.nonzero(orders.amount_minor > 0)[0]
    customer = orders.customer[bought]
    made = shopping(rng, customer, orders.ts_ms[bought], crowd.from_ms[customer], orders.line_count[bought])
    return Sessions(
        made.customer,
        made.start_ms,
        made.length_ms,
        made.counts,
        made.campaign,
        orders.line_from[bought],
        orders.line_count[bought],
    )


def _idle_sessions(rng: np.random.Generator, crowd: _Crowd) -> Sessions:
    """Visits that buy nothing, while a customer is there; some look more than others."""
    count = len(crowd.ids)
    present_days = np.maximum(crowd.until_ms - crowd.from_ms, 0) / DAY_MS
    per_day = rng.gamma(0.8, 0.045, count)  # mean 0.036: one visit a month, a few customers several a week
    per_day[crowd.ada] = 1 / BROWSING_DAYS
    customer = np.repeat(np.arange(count), rng.poisson(per_day * present_days))
    start_ms = crowd.from_ms[customer] + (rng.random(len(customer)) * (present_days * DAY_MS)[customer]).astype(
        np.int64
    )
    # People sleep at night: what falls there moves to the day before or after, as long as the customer is
    # there.
    awake_ms = start_ms // DAY_MS * DAY_MS + 7 * HOUR_MS + start_ms % DAY_MS * 2 // 3
    start_ms = np.clip(awake_ms, crowd.from_ms[customer], crowd.until_ms[customer] - HOUR_MS)
    start_ms = np.maximum(start_ms, crowd.from_ms[customer])
    return browsing(rng, customer, start_ms, views_mean=VIEWS_MEAN, abandon_share=ABANDON_SHARE)


def _mails(rng: np.random.Generator, orders: Orders, crowd: _Crowd) -> tuple[Mails, Sessions]:
    """Every mail event of the weekly campaigns, and the visits that follow a click."""
    count = len(crowd.ids)
    spend_minor, last_ms, subscribed = (
        np.zeros(count, np.int64),
        crowd.from_ms.copy(),
        crowd.subscribed.copy(),
    )
    in_time = np.argsort(orders.ts_ms, kind="stable")
    parts: list[Mails] = []
    nobody = np.zeros(0, np.int64)
    visits = [browsing(rng, nobody, nobody, views_mean=VIEWS_MEAN, abandon_share=ABANDON_SHARE)]
    done = 0
    for number, send_ms in enumerate(range(START_MS + DAY_MS + 9 * HOUR_MS, END_MS - DAY_MS, _WEEK_MS)):
        reached = int(np.searchsorted(orders.ts_ms[in_time], send_ms))
        fresh = in_time[done:reached]
        done = reached
        np.add.at(spend_minor, orders.customer[fresh], orders.amount_minor[fresh])
        np.maximum.at(last_ms, orders.customer[fresh], orders.ts_ms[fresh])
        recency_days = (send_ms - last_ms) / DAY_MS
        cadence = np.where(recency_days < _RECENT_DAYS, _CADENCE_RECENT, _CADENCE_OLD)
        cadence[crowd.ada] = 1.0
        to = np.nonzero(subscribed & (crowd.from_ms < send_ms) & (rng.random(count) < cadence))[0]
        opens, clicks = _wants(crowd, to, response(spend_minor[to], recency_days[to]), send_ms)
        mailing = send(
            rng,
            number,
            to,
            send_ms,
            open_share=opens,
            click_share=clicks,
            machine=crowd.machine[to],
            before_ms=min(send_ms + 3 * DAY_MS, END_MS),
        )
        subscribed[mailing.left[mailing.left != crowd.ada]] = False
        parts.append(mailing.mails)
        from_mail = np.full(len(mailing.clicked), number, np.int64)
        visits.append(
            browsing(
                rng,
                mailing.clicked,
                mailing.clicked_ms + 1_000,
                views_mean=VIEWS_MEAN,
                abandon_share=ABANDON_SHARE,
                campaign=from_mail,
            )
        )
    return Mails.in_time_order(parts), Sessions.join(visits)


def _wants(crowd: _Crowd, to: Ints, factor: Floats, send_ms: int) -> tuple[Floats, Floats]:
    """How likely each receiver opens, and how likely each clicks what is open; Ada reads until she leaves."""
    opens, clicks = np.minimum(crowd.opens[to] * factor, 0.95), np.minimum(0.12 * factor, 0.9)
    is_ada = to == crowd.ada
    ada_reads = send_ms + 3 * DAY_MS < SILENT_MS  # no open of an earlier mail after she left either
    opens[is_ada], clicks[is_ada] = (0.95, 0.5) if ada_reads else (0.0, 0.0)
    return opens, clicks


def _profiles(rng: np.random.Generator, orders: Orders, crowd: _Crowd) -> list[tuple[int, Payload]]:
    """Who everybody is: at the first visit, and again on joining the loyalty scheme; in time order."""
    who = profiles.draw(rng, crowd.subscribed, crowd.company, crowd.country)
    rows = [
        (ts_ms, _profile(who, crowd.ids[row], row, ts_ms, loyalty_member=False))
        for row, ts_ms in enumerate(crowd.from_ms.tolist())
    ]
    bought = np.nonzero(orders.amount_minor > 0)[0]
    bought = bought[np.argsort(orders.ts_ms[bought], kind="stable")]
    order_count = [0] * len(orders.customers)
    for row, ts_ms in zip(orders.customer[bought].tolist(), orders.ts_ms[bought].tolist(), strict=True):
        order_count[row] += 1
        if order_count[row] == LOYALTY_ORDERS:
            rows.append((ts_ms, _profile(who, crowd.ids[row], row, ts_ms, loyalty_member=True)))
    rows.sort(key=itemgetter(0))
    return rows


def _profile(who: profiles.Profiles, customer_id: str, row: int, ts_ms: int, *, loyalty_member: bool) -> Payload:
    attributes = who.attributes(row, loyalty_member=loyalty_member)
    return {"customer_id": customer_id, "ts": ts_ms, "attributes": attributes}


def _purchases(orders: Orders) -> Iterator[tuple[int, Payload]]:
    """Every order in time order, with the first of its lines."""
    product, quantity, price = (
        orders.product.tolist(),
        np.abs(orders.quantity).tolist(),
        orders.price.tolist(),
    )
    products, categories = orders.products, orders.categories
    for row in np.argsort(orders.ts_ms, kind="stable").tolist():
        customer_id, ts_ms = orders.customers[orders.customer[row]], int(orders.ts_ms[row])
        payload = payloads.purchase(customer_id, ts_ms, orders.invoice[row], int(orders.amount_minor[row]), CURRENCY)
        line_from = int(orders.line_from[row])
        payload["items"] = [
            {
                "product_id": products[product[line]],
                "category": categories[product[line]],
                "quantity": quantity[line],
                "price": price[line],
            }
            for line in range(line_from, line_from + min(int(orders.line_count[row]), ITEMS_MAX))
        ]
        yield ts_ms, payload


def _encode(prefix: str, rows: Iterable[tuple[int, Payload]]) -> list[Record]:
    """The records of rows in time order; event ids number them (a topic without a prefix has none)."""
    records: list[Record] = []
    for number, (ts_ms, payload) in enumerate(rows):
        if prefix:
            payload["event_id"] = f"{prefix}{number:x}"
        records.append((ts_ms, payload["customer_id"].encode(), plain_json.encode(payload)))
    return records
