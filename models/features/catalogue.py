"""The features a definition can name: name, unit, meaning, and how waiting changes each.

A feature's value is kept in native units (milliseconds, cents, counts), so that "30 days" is exact to the
millisecond; `per_unit` says how many native units make one of the unit that people read.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.customers import row as r

# How a feature is computed, and so when waiting alone can change it. The kernel switches on these.
SINCE, COUNT, MONEY, WINDOW_COUNT, WINDOW_SUM, DECAYED, SCORE, RATIO, GAP, ATTRIBUTE = range(10)
TREND, PACE, FOLLOW, ANSWER = range(10, 14)  # of ATTRIBUTE, FOLLOW and ANSWER the features are made by name
TIMES = (SINCE, FOLLOW)  # of these ABSENT_MS means "never"

ABSENT_MS = 36_500 * r.DAY_MS  # "time since" something that never happened: a hundred years, finite and comparable

# Sources of SINCE: places of a row, or these.
SINCE_SEEN, SINCE_FIRST_SEEN = 100, 101
# Sources of MONEY.
SPEND_NET, SPEND_GROSS, AVERAGE_ORDER = range(3)
# Lists a window can be asked of.
ORDER_LIST, CLICK_LIST, ENGAGED_LIST = range(3)
KEPT = (r.ORDERS_KEPT, r.CLICKS_KEPT, r.OPENS_KEPT)
# Sources of FOLLOW: the place of the first event's time times this, and the place of what follows.
PAIR = 128  # more than a row has places, and than SINCE_FIRST_SEEN
TREND_MAX = 7.0  # of a customer with a single click: both sums have just begun, and one forgets seven times as fast
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
    Feature(
        "click_trend",
        TREND,
        0,
        "",
        1.0,
        "clicks of a day against those of a week, both halved with time: 1 is as usual, 7 the most (a first click), "
        "0 without clicks",
    ),
    Feature(
        "order_delay",
        PACE,
        0,
        "",
        1.0,
        "time since the newest order in usual gaps between orders: 2 is twice as late as usual; 0 before two orders",
    ),
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

# Other names of features; in a window, names of what a row keeps the times of.
ALIASES = {"purchases": "orders", "amount": "gross_spend", "basket_size": "average_order"}
WINDOW_ALIASES = {
    "purchases": "recent_orders",
    "orders": "recent_orders",
    "clicks": "recent_clicks",
    "opens": "recent_engaged",
    "amount": "recent_spend",
}
# Decayed sums that a row keeps, by what is summed: features, of which each has one half-life.
DECAYED_SUMS = {
    "clicks": ("click_intensity_1d", "click_intensity_7d"),
    "opens": ("engagement_30d",),
    "orders": ("order_intensity_90d",),
    "purchases": ("order_intensity_90d",),
    "amount": ("spend_intensity_90d",),
}
# Top so many per cent of buyers by a thing: the score that knows, and from which value on.
TOPS = {
    "spend": {
        80: ("monetary_score", 2), 60: ("monetary_score", 3), 40: ("monetary_score", 4), 20: ("monetary_score", 5),
        50: ("value_score", 2), 5: ("value_score", 4),
    },
    "value": {50: ("value_score", 2), 20: ("value_score", 3), 5: ("value_score", 4)},
    "orders": {share: ("frequency_score", score) for share, score in ((80, 2), (60, 3), (40, 4), (20, 5))},
    "recency": {share: ("recency_score", score) for share, score in ((80, 2), (60, 3), (40, 4), (20, 5))},
}  # fmt: skip
# What can have happened last, by the names that conditions may give it: (name, feature of the time since).
HAPPENINGS = {
    "order": ("order", "days_since_order"),
    "purchase": ("order", "days_since_order"),
    "click": ("click", "days_since_click"),
    "cart_add": ("cart_add", "days_since_cart_add"),
    "cart": ("cart_add", "days_since_cart_add"),
    "open": ("open", "days_since_engaged"),
    "email": ("email", "days_since_email_sent"),
    "event": ("event", "days_since_seen"),
}


def clicked(category: str, place: int) -> Feature:
    """The feature of the time since the newest click on the category at a place among those declared."""
    name, meaning = f"days_since_click on {category}", "time since the newest click on a category"
    return _days(name, r.CATEGORY_TIMES + place, meaning)


def following(first: str, second: str) -> Feature:
    """The feature of how long after the newest `first` the second thing of HAPPENINGS came; both but "event"."""
    one, other = HAPPENINGS[first], HAPPENINGS[second]
    source = BY_NAME[one[1]].source * PAIR + BY_NAME[other[1]].source
    meaning = f"time from the newest {one[0]} to what followed"
    return Feature(f"days_from_{one[0]}_to_{other[0]}", FOLLOW, source, "days", float(r.DAY_MS), meaning)


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
    "return_rate",  # from here on what was added later: see KNOWN_AT_LEAST
)
KNOWN_AT_LEAST = 10  # features of the oldest models that are scored: new features only ever come last
