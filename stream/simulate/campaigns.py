"""E-mail campaigns: who gets one, opens it, clicks, leaves; with published response gradients and redemption
lags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAIL_ACTIONS = ("sent", "delivered", "open", "click", "bounce", "unsubscribe", "complaint")
"""Mail actions; a mail column holds the index."""

SENT, DELIVERED, OPEN, CLICK, BOUNCE, UNSUBSCRIBE, COMPLAINT = range(7)

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

BOUNCE_SHARE = 0.004  # of mails sent; kept lists bounce below 1 %
UNSUBSCRIBE_SHARE = 0.012  # of human opens, about 0.2 % of mails, as senders report
COMPLAINT_SHARE = 0.001  # of human opens; mail providers throttle senders above 0.1 %
MACHINE_SHARE = 0.3  # of customers whose mail program loads every picture (a machine open for each mail)

# Redemption lag after a mailing: p10 4, p50 16, p90 41 days (Complete Journey). A log-normal with one spread
# below the median and another above it meets all three: ln(16/4)/1.2816 and ln(41/16)/1.2816.
_LAG_MEDIAN_DAYS = 16.0
_LAG_SIGMA_BELOW = 1.0817
_LAG_SIGMA_ABOVE = 0.7342


@dataclass(frozen=True, slots=True)
class Mails:
    """Mail events as columns of equal length; `campaign` is a number, `machine` marks a machine's open."""

    ts_ms: Ints
    customer: Ints
    action: Ints
    machine: Flags
    campaign: Ints

    @staticmethod
    def in_time_order(parts: list[Mails]) -> Mails:
        """All the parts as one, in time order; equal times keep the order of the parts."""
        ts_ms = np.concatenate([part.ts_ms for part in parts])
        order = np.argsort(ts_ms, kind="stable")
        return Mails(
            ts_ms[order],
            np.concatenate([part.customer for part in parts])[order],
            np.concatenate([part.action for part in parts])[order],
            np.concatenate([part.machine for part in parts])[order],
            np.concatenate([part.campaign for part in parts])[order],
        )


@dataclass(frozen=True, slots=True)
class Mailing:
    """What one campaign caused: the mail events, who clicked when (epoch ms), who wants no more."""

    mails: Mails
    clicked: Ints
    clicked_ms: Ints
    left: Ints


def response(spend_minor: Ints, recency_days: Floats) -> Floats:
    """Factor on a customer's base response: it rises with spend and falls with the days since the last order.

    About 1 for a customer who spent 100 in major units and bought a month ago; within [0.1, 1.8].
    """
    by_spend = 0.6 + 0.2 * np.log10(1.0 + np.maximum(spend_minor, 0) / 100.0)
    by_recency = np.exp2(-np.maximum(recency_days, 0.0) / 120.0)  # halves in four months of silence
    return np.clip(1.2 * by_spend * by_recency, 0.1, 1.8)


def redemption_lag_ms(rng: np.random.Generator, count: int) -> Ints:
    """Time from mailing to purchase: 4, 16 and 41 days at the 10th, 50th and 90th percentile."""
    z = rng.standard_normal(count)
    days = _LAG_MEDIAN_DAYS * np.exp(z * np.where(z < 0, _LAG_SIGMA_BELOW, _LAG_SIGMA_ABOVE))
    return (np.minimum(days, 120.0) * DAY_MS).astype(np.int64)  # a coupon that lay four months is not from this mail


def send(
    rng: np.random.Generator,
    campaign: int,
    customer: Ints,
    send_ms: int,
    *,
    open_share: Floats,
    click_share: Floats,
    machine: Flags,
    before_ms: int,
) -> Mailing:
    """Send one campaign to the customers (columns of equal length); nothing it causes is at or after
    `before_ms`.

    A machine open follows delivery within minutes, whatever the customer does; a human one after some hours.
    Nobody clicks, leaves or complains without having opened.
    """
    count = len(customer)
    sent_ms = send_ms + rng.integers(0, 20 * 60_000, count)  # the sender takes twenty minutes over the list
    bounced = rng.random(count) < BOUNCE_SHARE
    delivered_ms = sent_ms + rng.integers(500, 30_000, count)
    machine_ms = delivered_ms + rng.integers(5_000, 10 * 60_000, count)
    opened_ms = delivered_ms + (60_000 + rng.exponential(3 * HOUR_MS, count)).astype(np.int64)
    opens = ~bounced & (rng.random(count) < open_share) & (opened_ms < before_ms)
    clicked_ms = opened_ms + rng.integers(5_000, 120_000, count)
    clicks = opens & (rng.random(count) < click_share) & (clicked_ms < before_ms)
    leaves = opens & (rng.random(count) < UNSUBSCRIBE_SHARE) & (clicked_ms + 5_000 < before_ms)
    complains = opens & ~leaves & (rng.random(count) < COMPLAINT_SHARE) & (clicked_ms + 5_000 < before_ms)
    everyone = np.ones(count, np.bool_)
    mails = _mails(
        campaign,
        customer,
        (SENT, sent_ms, everyone),
        (BOUNCE, delivered_ms, bounced),
        (DELIVERED, delivered_ms, ~bounced),
        (OPEN, machine_ms, ~bounced & machine & (machine_ms < before_ms)),
        (OPEN, opened_ms, opens),
        (CLICK, clicked_ms, clicks),
        (UNSUBSCRIBE, clicked_ms + 5_000, leaves),
        (COMPLAINT, clicked_ms + 5_000, complains),
    )
    return Mailing(mails, customer[clicks], clicked_ms[clicks], customer[leaves | complains])


def _mails(campaign: int, customer: Ints, *steps: tuple[int, Ints, Flags]) -> Mails:
    # The first open step is the machine's: `steps` is in the order of `send`.
    machine_step = next(index for index, step in enumerate(steps) if step[0] == OPEN)
    counts = [int(took.sum()) for _, _, took in steps]
    return Mails(
        np.concatenate([ts_ms[took] for _, ts_ms, took in steps]),
        np.concatenate([customer[took] for _, _, took in steps]),
        np.repeat(np.array([action for action, _, _ in steps]), counts),
        np.repeat(np.arange(len(steps)) == machine_step, counts),
        np.full(sum(counts), campaign, np.int64),
    )
