"""Website sessions, expanded into click columns: one row in; its views, searches, carts and checkout out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

ACTIONS = ("view", "search", "cart_add", "cart_remove", "checkout", "other")
"""Click actions; a click column holds the index."""

VIEW, SEARCH, CART_ADD, CART_REMOVE, CHECKOUT = range(5)

# Where in a session (share of its length) each action falls, so that a cart fills before it is paid.
_FROM = np.array([0.0, 0.0, 0.3, 0.6, 0.96])
_TO = np.array([0.9, 0.5, 0.9, 0.95, 1.0])

NO_CAMPAIGN = -1
"""The session did not come from a mail."""

SEARCH_SHARE = 0.3  # of idle sessions search: usual for shops of this size
EMPTIED_SHARE = 0.25  # of carts that are left are emptied first
_POPULARITY = 3  # product = random ** 3: the top fifth of products gets 58 % of the views, as shops report


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions as columns of equal length: who, when (epoch ms), how many of each action, from which
    campaign.

    `product_from` and `product_count` say which slice of a list of products the session is about; a count of
    0 means any product.
    """

    customer: Ints
    start_ms: Ints
    length_ms: Ints
    counts: Ints
    campaign: Ints
    product_from: Ints
    product_count: Ints

    @staticmethod
    def of(customer: Ints, start_ms: Ints, length_ms: Ints, counts: Ints, campaign: Ints | None = None) -> Sessions:
        """Sessions about any product; `counts` has one row a session and one column per action up to
        checkout.
        """
        none = np.zeros(len(customer), np.int64)
        from_mail = none + NO_CAMPAIGN if campaign is None else campaign
        return Sessions(customer, start_ms, length_ms, counts, from_mail, none, none)

    @staticmethod
    def join(parts: list[Sessions]) -> Sessions:
        """All the parts, one after another."""
        return Sessions(
            np.concatenate([part.customer for part in parts]),
            np.concatenate([part.start_ms for part in parts]),
            np.concatenate([part.length_ms for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.campaign for part in parts]),
            np.concatenate([part.product_from for part in parts]),
            np.concatenate([part.product_count for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Clicks:
    """Clicks as columns of equal length, in time order; `product` indexes a catalogue, `session` its
    session's row.
    """

    ts_ms: Ints
    customer: Ints
    action: Ints
    product: Ints
    session: Ints
    campaign: Ints


def expand(
    rng: np.random.Generator,
    sessions: Sessions,
    products: int,
    about: Ints | None = None,
    end_ms: int | None = None,
) -> Clicks:
    """Every click of the sessions, in time order.

    `products` is the size of the catalogue; `about` is the list of products that `product_from` points into.
    Clicks at or after `end_ms` are left out.
    """
    per_session = sessions.counts.sum(axis=1)
    row = np.repeat(np.arange(len(per_session)), per_session)
    action = np.repeat(np.tile(np.arange(len(_FROM)), len(per_session)), sessions.counts.ravel())
    share = _FROM[action] + rng.random(len(row)) * (_TO - _FROM)[action]
    ts_ms = sessions.start_ms[row] + (share * sessions.length_ms[row]).astype(np.int64)
    product = (rng.random(len(row)) ** _POPULARITY * products).astype(np.int64)
    if about is not None and len(about):
        chosen = sessions.product_from[row] + (rng.random(len(row)) * sessions.product_count[row]).astype(np.int64)
        product = np.where(sessions.product_count[row] > 0, about[np.minimum(chosen, len(about) - 1)], product)
    order = np.argsort(ts_ms, kind="stable")
    if end_ms is not None:
        order = order[ts_ms[order] < end_ms]
    row = row[order]
    return Clicks(ts_ms[order], sessions.customer[row], action[order], product[order], row, sessions.campaign[row])


def browsing(
    rng: np.random.Generator,
    customer: Ints,
    start_ms: Ints,
    *,
    views_mean: NDArray[np.float64] | float,
    abandon_share: NDArray[np.float64] | float,
    campaign: Ints | None = None,
) -> Sessions:
    """Sessions that buy nothing: views, now and then a search, sometimes a cart that is left or emptied
    again.
    """
    count = len(customer)
    counts = np.zeros((count, len(_FROM)), np.int64)
    counts[:, VIEW] = 1 + rng.poisson(views_mean, count)
    counts[:, SEARCH] = rng.random(count) < SEARCH_SHARE
    counts[:, CART_ADD] = (rng.random(count) < abandon_share) * (1 + rng.poisson(0.5, count))
    counts[:, CART_REMOVE] = (counts[:, CART_ADD] > 0) & (rng.random(count) < EMPTIED_SHARE)
    length_ms = (60_000 + rng.exponential(6 * 60_000, count)).astype(np.int64)  # a visit: some minutes
    return Sessions.of(customer, start_ms, length_ms, counts, campaign)


def shopping(
    rng: np.random.Generator, customer: Ints, order_ms: Ints, not_before_ms: Ints, cart_max: Ints | int = 6
) -> Sessions:
    """The session that leads to each order: it ends, with a checkout, before `order_ms`."""
    count = len(customer)
    counts = np.zeros((count, len(_FROM)), np.int64)
    counts[:, VIEW] = 1 + rng.poisson(3.4, count)
    counts[:, SEARCH] = rng.poisson(0.6, count)
    counts[:, CART_ADD] = np.minimum(1 + rng.poisson(1.3, count), cart_max)
    counts[:, CHECKOUT] = 1
    before_ms = (5 * 60_000 + rng.exponential(15 * 60_000, count)).astype(np.int64)  # 5 to some 40 minutes
    start_ms = np.maximum(order_ms - before_ms, not_before_ms)
    length_ms = np.maximum(order_ms - start_ms - 1_000, 0)  # one second from checkout to order
    return Sessions.of(customer, start_ms, length_ms, counts)
