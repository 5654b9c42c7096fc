"""The features a definition can name: name, unit, meaning, and how waiting changes each.

A feature's value is kept in native units (milliseconds, cents, counts), so that "30 days" is exact to the
millisecond; `per_unit` says how many native units make one of the unit that people read.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.customers import row as r

# How a feature is computed, and so when waiting alone can change it. The kernel switches on these.
SINCE, COUNT, MONEY, WINDOW_COUNT, WINDOW_SUM, DECAYED, SCORE, RATIO, GAP, ATTRIBUTE = range(10)

ABSENT_MS = 36_500 * r.DAY_MS  # "time since" something that never happened: a hundred years, finite and comparable

# Sources of SINCE: places of a row, or these.
SINCE_SEEN, SINCE_FIRST_SEEN = 100, 101
# Sources of MONEY.
SPEND_NET, SPEND_GROSS, AVERAGE_ORDER = range(3)
# Lists a window can be asked of.
ORDER_LIST, CLICK_LIST, ENGAGED_LIST = range(3)
KEPT = (r.ORDERS_KEPT, r.CLICKS_KEPT, r.OPENS_KEPT)
# Scores by the model's cut points.
RECENCY_SCORE, FREQUENCY_SCORE, MONETARY_SCORE, VALUE_SCORE = range(4)
# Ratios.
OPEN_RATE, CART_RATE, REFUND_RATE = range(3)


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that can be said of a customer."""

    name: str
    kind: int
    source: int
    unit: str
    per_unit: float
    meaning: str
    windowed: bool = False  # needs "in 30 days"


def _days(name: str, source: int, meaning: str) -> Feature:
    return Feature(name, SINCE, source, "days", float(r.DAY_MS), meaning)


def _count(name: str, source: int, meaning: str) -> Feature:
    return Feature(name, COUNT, source, "", 1.0, meaning)


def _score(name: str, source: int, meaning: str) -> Feature:
    return Feature(name, SCORE, source, "", 1.0, meaning)


FEATURES = (
    _days("days_since_seen", SINCE_SEEN, "time since the newest event of any kind"),
    _days("tenure_days", SINCE_FIRST_SEEN, "time since the first event of any kind"),
    _days("days_since_order", r.LAST_ORDER, "time since the newest order"),
    _days("days_since_first_order", r.FIRST_ORDER, "time since the first order"),
    _days("days_since_click", r.LAST_CLICK, "time since the newest click"),
    _days("days_since_cart_add", r.LAST_CART_ADD, "time since something was last put into the cart"),
    _days("days_since_email_sent", r.LAST_SENT, "time since the newest e-mail was sent"),
    _days("days_since_engaged", r.LAST_ENGAGED, "time since an e-mail was last opened or clicked by a person"),
    Feature(
        "order_gap_days",
        GAP,
        0,
        "days",
        float(r.DAY_MS),
        "time between the last two orders; 0 before there are two",
    ),
    _count("orders", r.ORDERS, "orders in all; a refund is no order"),
    _count("refunds", r.REFUNDS, "refunds in all"),
    _count("clicks", r.CLICKS, "clicks in all"),
    _count("cart_adds", r.CART_ADDS, "things put into the cart in all"),
    _count("checkouts", r.CHECKOUTS, "checkouts begun in all"),
    _count("searches", r.SEARCHES, "searches in all"),
    _count("emails_sent", r.EMAILS_SENT, "e-mails sent in all"),
    _count("opens", r.OPENS, "e-mails opened by a person in all"),
    _count("email_clicks", r.EMAIL_CLICKS, "e-mails clicked in all"),
    _count("unsubscribes", r.UNSUBSCRIBES, "unsubscribes and complaints in all"),
    _count("bounces", r.BOUNCES, "bounced e-mails in all"),
    Feature("spend", MONEY, SPEND_NET, "money", 100.0, "orders less refunds, lifetime"),
    Feature("gross_spend", MONEY, SPEND_GROSS, "money", 100.0, "orders, lifetime, refunds not taken off"),
    Feature("average_order", MONEY, AVERAGE_ORDER, "money", 100.0, "gross spend an order"),
    Feature("recent_orders", WINDOW_COUNT, ORDER_LIST, "", 1.0, "orders in a window, exact up to 6", windowed=True),
    Feature("recent_clicks", WINDOW_COUNT, CLICK_LIST, "", 1.0, "clicks in a window, exact up to 5", windowed=True),
    Feature(
        "recent_engaged",
        WINDOW_COUNT,
        ENGAGED_LIST,
        "",
        1.0,
        "e-mail opens and clicks in a window, exact up to 4",
        windowed=True,
    ),
    Feature(
        "recent_spend",
        WINDOW_SUM,
        ORDER_LIST,
        "money",
        100.0,
        "gross spend in a window: of its newest 6 orders",
        windowed=True,
    ),
    Feature("click_intensity_1d", DECAYED, r.CLICKS_1D, "", 1.0, "clicks, each halved with every day"),
    Feature("click_intensity_7d", DECAYED, r.CLICKS_7D, "", 1.0, "clicks, each halved with every 7 days"),
    Feature(
        "engagement_30d",
        DECAYED,
        r.ENGAGED_30D,
        "",
        1.0,
        "e-mail opens and clicks, each halved with every 30 days",
    ),
    Feature("order_intensity_90d", DECAYED, r.ORDERS_90D, "", 1.0, "orders, each halved with every 90 days"),
    Feature("spend_intensity_90d", DECAYED, r.SPEND_90D, "money", 100.0, "gross spend, halved with every 90 days"),
    _score(
        "recency_score",
        RECENCY_SCORE,
        "5 (bought just now) to 1, by the model's quintiles of recency; 0 without order",
    ),
    _score("frequency_score", FREQUENCY_SCORE, "1 to 5 by the model's quintiles of orders; 0 without order"),
    _score("monetary_score", MONETARY_SCORE, "1 to 5 by the model's quintiles of spend; 0 without order"),
    _score(
        "value_score",
        VALUE_SCORE,
        "1 to 4 by the model's cut points of spend at 50, 80 and 95 %; 0 without order",
    ),
    Feature("open_rate", RATIO, OPEN_RATE, "", 1.0, "e-mails opened by a person, for each sent"),
    Feature("cart_rate", RATIO, CART_RATE, "", 1.0, "things put into the cart, for each click"),
    Feature("refund_rate", RATIO, REFUND_RATE, "", 1.0, "refunded money, for each unit of gross spend"),
)
BY_NAME = {feature.name: feature for feature in FEATURES}

# What a cluster is made of: see features.compute.vector. Heavy tails are in logarithms already.
CLUSTER_FEATURES = (
    "log_days_since_order",
    "log_orders",
    "log_spend",
    "log_average_order",
    "log_click_intensity_7d",
    "log_order_intensity_90d",
    "log_engagement_30d",
    "open_rate",
    "log_days_since_click",
    "cart_rate",
)
