"""Archetypes: kinds of simulated customers whose true lifecycle segment is known by construction."""

from __future__ import annotations

from dataclasses import dataclass

TRUTH_DAYS_MIN = 240
"""Shortest run, in days, for which an archetype's `lifecycle` is certain (at-risk customers need 220 d of
history).
"""

INTERVAL_JITTER = 0.4
"""Every order interval is drawn within +-40 % of the mean: irregular, yet the longest gap is known (truth
needs it).
"""


@dataclass(frozen=True, slots=True)
class Archetype:
    """How one kind of customer behaves, and what the shipped lifecycle rules must say of it at the end of a
    run.

    Parameters
    ----------
    name, share
        Its name and its share of all customers (the shares of `ARCHETYPES` add up to 1).
    order_interval_days
        Mean days between orders; 0 = never buys.
    orders_max
        It stops buying after so many orders; 0 = no limit.
    amount_median_minor, amount_sigma
        Log-normal order amounts: median in minor units and spread of the logarithm.
    refund_share
        Probability that an order is refunded, wholly or in part, 3 to 20 days later.
    sessions_per_day, views_per_session, abandon_share
        Browsing without an order: sessions, product views in one, share of them that leave a cart behind.
    open_share, click_share
        Probability that a mail is opened, and that an opened one is clicked, before the response gradients.
    mail_driven
        Orders (after the first) only follow a click in a mail, with the published redemption lag.
    silent_days
        Falls silent so many days before the end of the run; 0 = never.
    back_days
        Comes back with exactly one order so many days before the end; 0 = does not.
    joins_last_days
        Joins within so many days before the end; 0 = early enough for its truth to hold.
    lifecycle
        Its lifecycle segment at the end of a run of at least `TRUTH_DAYS_MIN` days; None = not determined.

    """

    name: str
    share: float
    order_interval_days: float
    amount_median_minor: int
    sessions_per_day: float
    lifecycle: str | None
    orders_max: int = 0
    amount_sigma: float = 0.5
    refund_share: float = 0.02
    views_per_session: float = 3.0
    abandon_share: float = 0.1
    open_share: float = 0.25
    click_share: float = 0.12
    mail_driven: bool = False
    silent_days: int = 0
    back_days: int = 0
    joins_last_days: int = 0

    @property
    def interval_days_max(self) -> float:
        """The longest possible gap between two orders while the customer is not silent, in days."""
        return self.order_interval_days * (1 + INTERVAL_JITTER)


ARCHETYPES: tuple[Archetype, ...] = (
    Archetype("loyal_regular", 0.18, 20, 4_500, 0.25, "active", open_share=0.45, click_share=0.2),
    Archetype("big_spender", 0.06, 28, 42_000, 0.2, "active", amount_sigma=0.7, open_share=0.35),
    Archetype("mail_bargain_reader", 0.10, 30, 2_200, 0.1, None, mail_driven=True, open_share=0.8, click_share=0.5),
    Archetype("browser_only", 0.16, 0, 0, 0.3, "prospect", views_per_session=5, open_share=0.15),
    Archetype("one_time_buyer", 0.16, 10, 3_000, 0.04, "dormant", orders_max=1, open_share=0.1),
    Archetype("drifting", 0.06, 20, 4_000, 0.2, "cooling", silent_days=50),
    Archetype("lapsing", 0.10, 20, 4_000, 0.2, "at risk", silent_days=120),
    Archetype("reactivated", 0.06, 20, 5_000, 0.2, "returned", silent_days=170, back_days=12),
    Archetype("deal_hunter", 0.08, 25, 6_000, 0.35, "active", refund_share=0.35, abandon_share=0.4),
    Archetype("newcomer", 0.04, 8, 3_500, 0.4, "new", joins_last_days=25),
)
"""Every archetype, in a fixed order: a customer's archetype is an index into this tuple."""
