"""How people speak of the features that clusters are made of: names, units, and what to do about much or little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.clusters.personas import Wording

WORDINGS: Final[Mapping[str, Wording]] = {
    "log_days_since_order": Wording(
        "long-silent",
        "active",
        "days since the last order",
        "days",
        logarithm=True,
        address_high="Win them back: one good reason to return, told by e-mail or not at all; no weekly offers.",
        address_low="They have just bought: thank, help, and suggest what goes with it; no discount is needed.",
    ),
    "log_orders": Wording(
        "frequent",
        "occasional",
        "orders in all",
        "orders",
        logarithm=True,
        address_high="Reward loyalty: early access and service matter more to them than price.",
        address_low="Lead to the second order: it makes a customer of a buyer.",
    ),
    "log_spend": Wording(
        "high-spending",
        "low-spending",
        "spend in all",
        "money",
        logarithm=True,
        address_high="They carry the shop: a person should know them, and mistakes be mended at once.",
        address_low="Keep the cost of serving them low: automatic messages, no printed catalogue.",
    ),
    "log_average_order": Wording(
        "large-basket",
        "small-basket",
        "spend an order",
        "money",
        logarithm=True,
        address_high="Show sets, bundles and the better version first.",
        address_low="Show small things and what makes a basket free of postage.",
    ),
    "log_click_intensity_7d": Wording(
        "browsing",
        "rarely seen",
        "clicks lately (each halved every 7 days)",
        "clicks",
        logarithm=True,
        address_high="They are on the site now: change the page for them, not the mailbox.",
        address_low="They do not come by themselves: reach them where they are.",
    ),
    "log_order_intensity_90d": Wording(
        "buying",
        "paused",
        "orders lately (each halved every 90 days)",
        "orders",
        logarithm=True,
        address_high="Make ordering again quick: lists, reminders, one click.",
        address_low="Ask what is missing before offering more.",
    ),
    "log_engagement_30d": Wording(
        "e-mail readers",
        "buyers beyond e-mail",
        "e-mail opens and clicks lately (each halved every 30 days)",
        "opens and clicks",
        noun=True,
        logarithm=True,
        address_high="E-mail works: tell news there first.",
        address_low="Use the site and not the mailbox: e-mail does not reach them.",
    ),
    "open_rate": Wording(
        "loyal openers",
        "non-openers",
        "e-mails opened of those sent",
        "share",
        noun=True,
        address_high="They open most of what they get: write rarely and well, and they will go on.",
        address_low="Send less e-mail: what is not opened harms delivery to others.",
    ),
    "log_days_since_click": Wording(
        "away",
        "present",
        "days since the last click",
        "days",
        logarithm=True,
        address_high="They have not been on the site: a link to something new, not to the home page.",
        address_low="They were here these days: go on where they stopped.",
    ),
    "cart_rate": Wording(
        "cart fillers",
        "lookers",
        "things put into the cart for each click",
        "share",
        noun=True,
        address_high="Carts are left behind: remind once, with what is in it.",
        address_low="They look: help to choose with comparison and reviews before asking for an order.",
    ),
    "return_rate": Wording(
        "often returning goods",
        "keeping what they buy",
        "refunds for each order and three more",
        "share",
        address_high="Much comes back: say sizes and properties exactly, and do not reward volume.",
        address_low="They keep what they buy: trust them with easy returns and early deliveries.",
    ),
}
