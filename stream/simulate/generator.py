"""A run of simulated customers, day by day: memory grows with customers and one day's events, never with the
days.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.simulate import payloads
from stream.simulate.archetypes import INTERVAL_JITTER
from stream.simulate.campaigns import DAY_MS, HOUR_MS, redemption_lag_ms, response, send
from stream.simulate.payloads import CATEGORIES, Payload
from stream.simulate.population import NEVER_MS, START_MS, Population, populate
from stream.simulate.sessions import Sessions, browsing, expand, shopping

Ints = NDArray[np.int64]

PRODUCTS = 400
"""Products of the simulated shop."""

CAMPAIGN_EVERY_DAYS = 7
"""A mailing a week, as shops of this size do."""

LOYALTY_ORDERS = 5
"""With so many orders a customer joins the loyalty scheme (a profile event says so)."""

CURRENCY = "EUR"
WHOLE_REFUND_SHARE = 0.5  # of refunds are of the whole order, the others of half of it

_PROFILES, _MAILS, _CLICKS, _PURCHASES = range(4)  # order of topics within one millisecond: cause before effect
_TOPICS = ("profiles", "emails", "clicks", "purchases")


class SimulatedEvent(NamedTuple):
    """One event of a run: its topic (without prefix), its time (epoch ms), its JSON as a plain dict."""

    topic: str
    ts_ms: int
    payload: Payload


class _Refund(NamedTuple):
    ts_ms: int
    customer: int
    amount_minor: int
    order_id: str


Row = tuple[int, int, Payload]  # ts_ms, rank of the topic, payload


def events(
    seed: int, customers: int, days: int, start_ms: int = START_MS, *, duplicate_share: float = 0.0
) -> Iterator[SimulatedEvent]:
    """Every event of a run in time order; the same arguments give the same events.

    Parameters
    ----------
    seed, customers, days, start_ms
        Which run: customers `c00001`..., for `days` days from `start_ms` (epoch ms).
    duplicate_share
        Share of events sent twice, the exact copy right behind the original, as a retrying producer does.

    Raises
    ------
    ValueError
        When there is no customer or no day to simulate.

    """
    run = _Run(populate(seed, customers, days, start_ms), seed, start_ms, start_ms + days * DAY_MS)
    again = np.random.default_rng([seed, 2])
    number = 0
    for day in range(days):
        rows = run.day(day)
        copies = again.random(len(rows)) < duplicate_share if duplicate_share else np.zeros(len(rows), np.bool_)
        for (ts_ms, rank, payload), copied in zip(rows, copies.tolist(), strict=True):
            if rank != _PROFILES:
                payload["event_id"] = f"{seed:x}-{number:x}"
            number += 1
            event = SimulatedEvent(_TOPICS[rank], ts_ms, payload)
            yield event
            if copied:
                yield event


class _Run:
    """The moving state of a run."""

    def __init__(self, people: Population, seed: int, start_ms: int, end_ms: int) -> None:
        self.people = people
        self.seed = seed
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.refunds: dict[int, list[_Refund]] = {}
        self.session_count = 0
        self.order_count = 0
        self.products = [f"p{number:04d}" for number in range(1, PRODUCTS + 1)]
        self.categories = [CATEGORIES[number % len(CATEGORIES)] for number in range(PRODUCTS)]
        self.column = {
            name: people.column(name)
            for name in (
                "order_interval_days",
                "orders_max",
                "amount_median_minor",
                "amount_sigma",
                "refund_share",
                "sessions_per_day",
                "views_per_session",
                "abandon_share",
                "open_share",
                "click_share",
                "mail_driven",
            )
        }

    def day(self, day: int) -> list[Row]:
        """The events of one day, in time order."""
        rng = np.random.default_rng([self.seed, 1, day])
        from_ms = self.start_ms + day * DAY_MS
        before_ms = from_ms + DAY_MS
        rows: list[Row] = self._joiners(from_ms, before_ms)
        sessions = [self._visits(rng, from_ms)]
        if day % CAMPAIGN_EVERY_DAYS == 1:
            sessions.append(self._campaign(rng, day, from_ms, before_ms, rows))
        sessions.append(self._orders(rng, from_ms, before_ms, rows))
        rows += [
            (
                refund.ts_ms,
                _PURCHASES,
                self._purchase(refund.customer, refund.ts_ms, refund.order_id, refund.amount_minor),
            )
            for refund in self.refunds.pop(day, [])
        ]
        joined = Sessions.join(sessions)
        columns = expand(rng, joined, PRODUCTS, end_ms=before_ms)
        made = payloads.clicks(columns, self.people.ids, self.products, self.categories, self.session_count)
        rows += [(ts_ms, _CLICKS, payload) for ts_ms, payload in made]
        self.session_count += len(joined.customer)
        rows.sort(key=lambda row: row[:2])
        return rows

    def _joiners(self, from_ms: int, before_ms: int) -> list[Row]:
        people = self.people
        joins = np.nonzero((people.joined_ms >= from_ms) & (people.joined_ms < before_ms))[0]
        return [self._profile(row, int(people.joined_ms[row]), loyalty_member=False) for row in joins.tolist()]

    def _profile(self, row: int, ts_ms: int, *, loyalty_member: bool) -> Row:
        attributes = self.people.profiles.attributes(row, loyalty_member=loyalty_member)
        return ts_ms, _PROFILES, {"customer_id": self.people.ids[row], "ts": ts_ms, "attributes": attributes}

    def _present(self, at_ms: int) -> NDArray[np.bool_]:
        people = self.people
        return (people.joined_ms <= at_ms) & ((at_ms < people.silent_ms) | (at_ms >= people.back_ms))

    def _visits(self, rng: np.random.Generator, from_ms: int) -> Sessions:
        count = rng.poisson(np.where(self._present(from_ms), self.column["sessions_per_day"], 0.0))
        customer = np.repeat(np.arange(len(count)), count)
        start_ms = from_ms + rng.integers(7 * HOUR_MS, 23 * HOUR_MS, len(customer))  # people sleep at night
        awake = (start_ms < self.people.silent_ms[customer]) | (start_ms >= self.people.back_ms[customer])
        customer, start_ms = customer[awake], start_ms[awake]
        views, abandon = self.column["views_per_session"][customer], self.column["abandon_share"][customer]
        return browsing(rng, customer, start_ms, views_mean=views, abandon_share=abandon)

    def _campaign(self, rng: np.random.Generator, day: int, from_ms: int, before_ms: int, rows: list[Row]) -> Sessions:
        people, number = self.people, day // CAMPAIGN_EVERY_DAYS
        to = np.nonzero(people.subscribed & (people.joined_ms <= from_ms))[0]
        factor = response(people.spend_minor[to], (from_ms - people.last_order_ms[to]) / DAY_MS)
        reads = np.where((self._present(from_ms) & self._present(before_ms))[to], factor, 0.0)
        mailing = send(
            rng,
            number,
            to,
            from_ms + 9 * HOUR_MS,
            open_share=np.minimum(self.column["open_share"][to] * reads, 0.95),
            click_share=np.minimum(self.column["click_share"][to] * factor, 0.9),
            machine=people.machine[to],
            before_ms=before_ms,
        )
        people.subscribed[mailing.left] = False
        rows += [(ts_ms, _MAILS, payload) for ts_ms, payload in payloads.mails(mailing.mails, people.ids)]
        self._redeem(rng, mailing.clicked, mailing.clicked_ms)
        views = self.column["views_per_session"][mailing.clicked]
        from_mail = np.full(len(mailing.clicked), number, np.int64)
        return browsing(
            rng,
            mailing.clicked,
            mailing.clicked_ms + 1_000,
            views_mean=views,
            abandon_share=0.2,
            campaign=from_mail,
        )

    def _redeem(self, rng: np.random.Generator, clicked: Ints, clicked_ms: Ints) -> None:
        people = self.people
        lag_ms = redemption_lag_ms(rng, len(clicked))
        buys = (self.column["mail_driven"][clicked] > 0) & (people.next_order_ms[clicked] == NEVER_MS)
        people.next_order_ms[clicked[buys]] = (clicked_ms + lag_ms)[buys]

    def _orders(self, rng: np.random.Generator, from_ms: int, before_ms: int, rows: list[Row]) -> Sessions:
        people = self.people
        due = np.nonzero(people.next_order_ms < before_ms)[0]
        ts_ms = people.next_order_ms[due]
        spread = self.column["amount_sigma"][due] * rng.standard_normal(len(due))
        amount_minor = np.maximum(self.column["amount_median_minor"][due] * np.exp(spread), 100).astype(np.int64)
        people.orders[due] += 1
        people.spend_minor[due] += amount_minor
        people.last_order_ms[due] = ts_ms
        for customer, at_ms, amount in zip(due.tolist(), ts_ms.tolist(), amount_minor.tolist(), strict=True):
            self.order_count += 1
            order_id = f"o{self.order_count:07d}"
            rows.append((at_ms, _PURCHASES, self._purchase(customer, at_ms, order_id, amount)))
            if rng.random() < self.column["refund_share"][customer]:
                self._refund_later(rng, customer, at_ms, order_id, amount)
            if people.orders[customer] == LOYALTY_ORDERS:
                rows.append(self._profile(customer, at_ms, loyalty_member=True))
        self._schedule(rng, due, ts_ms)
        back_ms = people.back_ms[due]
        earliest_ms = np.where(ts_ms >= back_ms, back_ms, people.joined_ms[due])
        return shopping(rng, due, ts_ms, np.maximum(from_ms, earliest_ms))

    def _refund_later(
        self, rng: np.random.Generator, customer: int, ts_ms: int, order_id: str, amount_minor: int
    ) -> None:
        at_ms = ts_ms + int(rng.integers(3 * DAY_MS, 20 * DAY_MS))  # a return takes days to weeks
        part = amount_minor if rng.random() < WHOLE_REFUND_SHARE else max(amount_minor // 2, 1)
        if at_ms < self.end_ms:
            day = (at_ms - self.start_ms) // DAY_MS
            self.refunds.setdefault(day, []).append(_Refund(at_ms, customer, -part, order_id))

    def _schedule(self, rng: np.random.Generator, due: Ints, ts_ms: Ints) -> None:
        """When each of the customers who just bought buys next; a returned customer does not buy again."""
        people = self.people
        jitter = 1 + INTERVAL_JITTER * (2 * rng.random(len(due)) - 1)
        follows_ms = ts_ms + (self.column["order_interval_days"][due] * jitter * DAY_MS).astype(np.int64)
        silent_ms, back_ms = people.silent_ms[due], people.back_ms[due]
        follows_ms = np.where(
            follows_ms < silent_ms, follows_ms, np.where(ts_ms < silent_ms, back_ms + HOUR_MS, NEVER_MS)
        )
        most = self.column["orders_max"][due]
        ends = ((most > 0) & (people.orders[due] >= most)) | (self.column["mail_driven"][due] > 0)
        people.next_order_ms[due] = np.where(ends, NEVER_MS, follows_ms)

    def _purchase(self, customer: int, ts_ms: int, order_id: str, amount_minor: int) -> Payload:
        return payloads.purchase(self.people.ids[customer], ts_ms, order_id, amount_minor, CURRENCY)
