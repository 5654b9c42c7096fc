"""Columns into events: the input JSON of each topic as plain dicts, the ids as the shop would give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stream.simulate.campaigns import MAIL_ACTIONS, OPEN, Mails
from stream.simulate.sessions import ACTIONS, CART_REMOVE, CHECKOUT, SEARCH, Clicks

Payload = dict[str, Any]
"""One event as it goes into JSON."""

CATEGORIES = ("home", "kitchen", "lighting", "bags", "christmas", "stationery", "toys", "garden")
"""Product categories; no more than definitions can declare."""

PAGES = {CHECKOUT: "/checkout", SEARCH: "/search", CART_REMOVE: "/cart"}


def campaign_id(number: int) -> str:
    """The name of the number-th campaign of a run."""
    return f"campaign-{number:03d}"


def clicks(
    columns: Clicks,
    customer_ids: Sequence[str],
    products: Sequence[str],
    categories: Sequence[str],
    session_from: int,
) -> Iterator[tuple[int, Payload]]:
    """(ts_ms, payload without event id) of every click; session numbers start at `session_from`."""
    rows = zip(
        columns.ts_ms.tolist(),
        columns.customer.tolist(),
        columns.action.tolist(),
        columns.product.tolist(),
        columns.session.tolist(),
        columns.campaign.tolist(),
        strict=True,
    )
    for ts_ms, customer, action, product, session, campaign in rows:
        payload: Payload = {
            "event_id": "",
            "customer_id": customer_ids[customer],
            "ts": ts_ms,
            "action": ACTIONS[action],
            "session_id": f"s{session_from + session:x}",
        }
        if action in PAGES:
            payload["page"] = PAGES[action]
        else:
            payload["page"] = f"/p/{products[product]}"
        if action not in (SEARCH, CHECKOUT):
            payload["product_id"] = products[product]
            payload["category"] = categories[product]
        if campaign >= 0:
            payload["campaign_id"] = campaign_id(campaign)
        yield ts_ms, payload


def mails(columns: Mails, customer_ids: Sequence[str]) -> Iterator[tuple[int, Payload]]:
    """(ts_ms, payload without event id) of every mail event."""
    rows = zip(
        columns.ts_ms.tolist(),
        columns.customer.tolist(),
        columns.action.tolist(),
        columns.machine.tolist(),
        columns.campaign.tolist(),
        strict=True,
    )
    for ts_ms, customer, action, machine, campaign in rows:
        payload: Payload = {
            "event_id": "",
            "customer_id": customer_ids[customer],
            "ts": ts_ms,
            "campaign_id": campaign_id(campaign),
            "action": MAIL_ACTIONS[action],
        }
        if action == OPEN:
            payload["machine_open"] = machine
        yield ts_ms, payload


def purchase(customer_id: str, ts_ms: int, order_id: str, amount_minor: int, currency: str) -> Payload:
    """A purchase without event id; a negative amount (minor units) is a refund."""
    return {
        "event_id": "",
        "customer_id": customer_id,
        "ts": ts_ms,
        "order_id": order_id,
        "amount": amount_minor / 100,
        "currency": currency,
    }
