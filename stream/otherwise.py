"""A published counterfactual as advice: what one would do about it, in the words of whoever reads changes.

A change says which single comparison, were it otherwise, would put the customer elsewhere (`days_since_order below 90
(is 90.0) would be cooling`). Here that becomes *a purchase before 31 December 2025 would have kept `cooling`*. All
else being equal: what a deed would lead to by all definitions together, `segstream explain` tries.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from stream.words import audience_of, duration, money

_COUNTERFACTUAL = re.compile(
    r"(?P<feature>\S+)(?: on (?P<category>.+?))?"
    r"(?: in (?P<window>\d+ \w+))? (?P<side>below|at most|at least|above) (?P<threshold>\S+) "
    r"\(is (?P<now>[^)]*)\) would be (?P<segment>.+)"
)
_LESS, _MORE = ("below", "at most"), ("at least", "above")
# What ends a silence, by the feature that measures it; and what it is to be without.
_ENDS: Final[Mapping[str, tuple[str, str]]] = {
    "days_since_order": ("a purchase", "a purchase"),
    "days_since_click": ("a visit", "a visit"),
    "days_since_cart_add": ("something put into the cart", "anything put into the cart"),
    "days_since_engaged": ("an e-mail opened", "an e-mail opened"),
    "days_since_email_sent": ("an e-mail sent", "an e-mail"),
    "days_since_seen": ("any event", "any event"),
}
# What adds one, by the feature that counts it; of a decayed sum the newest one counts whole.
_ADDS: Final[Mapping[str, tuple[str, str]]] = {
    "orders": ("purchase", "purchases"),
    "recent_orders": ("purchase", "purchases"),
    "order_intensity_90d": ("purchase", "purchases"),
    "clicks": ("click", "clicks"),
    "recent_clicks": ("click", "clicks"),
    "click_intensity_1d": ("click", "clicks"),
    "click_intensity_7d": ("click", "clicks"),
    "cart_adds": ("thing put into the cart", "things put into the cart"),
    "checkouts": ("checkout", "checkouts"),
    "searches": ("search", "searches"),
    "opens": ("e-mail opened", "e-mails opened"),
    "email_clicks": ("e-mail clicked", "e-mails clicked"),
    "recent_engaged": ("e-mail opened or clicked", "e-mails opened or clicked"),
    "engagement_30d": ("e-mail opened or clicked", "e-mails opened or clicked"),
}
SOON_DAYS = 2.0  # below it a silence is one of hours
_MONEY = ("spend", "gross_spend", "recent_spend")


def otherwise(change: Mapping[str, Any]) -> str:
    """What one would do about a change (as published); empty where nobody can, as for the passing of years.

    Examples
    --------
    >>> otherwise({"counterfactual": "orders at least 3 (is 2.0) would be loyal"})
    'one more purchase would enter `loyal`'
    """
    match = _COUNTERFACTUAL.fullmatch(str(change.get("counterfactual") or ""))
    if match is None:
        return ""
    try:
        threshold, now = float(match["threshold"]), _number(match["now"])
    except ValueError:  # an attribute, or the answer of another dimension
        return ""
    if match["feature"] in _ENDS:
        return _silence(change, match, threshold)
    wanted = _lacking(match, threshold, now) if match["side"] in _MORE and now is not None else ""
    window, when = match["window"], _when(change.get("occurred_at"), soon="days" not in (match["window"] or "days"))
    if wanted and window and when and _has_just_left(change, match):
        return f"{wanted} in the {window} before {when} would have kept {_named(change, match)}"
    within = f" within {window}" if window else ""
    return f"{wanted}{within} would {_moved(change, match)}" if wanted else ""


def _lacking(match: re.Match[str], threshold: float, now: float) -> str:
    """How much more of a count or of money is wanted; empty for what nobody adds to."""
    feature, missing = match["feature"], threshold - now
    if feature in _MONEY:
        return f"{money(round(missing, 2))} more spent" if missing > 0 else ""
    if feature not in _ADDS:
        return ""
    count = max(math.ceil(missing) if match["side"] == "at least" else math.floor(missing) + 1, 1)
    one, many = _ADDS[feature]
    return f"one more {one}" if count == 1 else f"{count} more {many}"


def _moved(change: Mapping[str, Any], match: re.Match[str]) -> str:
    """Where it would lead: into a segment, or out of the present one; an audience has a name and no segment."""
    if match["segment"] == "no segment":
        present = f"`{change.get('segment')}`"
        return f"leave {_audience(change) or present}"
    return f"enter {_named(change, match)}"


def _named(change: Mapping[str, Any], match: re.Match[str]) -> str:
    return _audience(change) or f"`{match['segment']}`"


def _audience(change: Mapping[str, Any]) -> str:
    audience = audience_of(str(change.get("dimension")))
    return f"audience `{audience}`" if audience else ""


def _goes_back_elsewhere(change: Mapping[str, Any], match: re.Match[str], threshold: float) -> bool:
    """Whether the border is the one just crossed, and yet does not lead back: then several comparisons stand there,
    and the published one was flipped alone.
    """
    name = match[0][: match.start("side")].rstrip()
    crossed = any(
        one.get("feature") == name and one.get("threshold") == threshold and _is_younger(one, "before", threshold)
        for one in change.get("reasons") or []
    )
    return crossed and match["segment"] != (change.get("previous_segment") or "no segment")


def _is_younger(reason: Mapping[str, Any], when: str, threshold: float) -> bool:
    """Whether something had happened so lately; nothing at all is never."""
    value = reason.get(when)
    return isinstance(value, int | float) and value < threshold


def _has_just_left(change: Mapping[str, Any], match: re.Match[str]) -> bool:
    """Whether it was silence alone that took the customer out of what is now nearest."""
    silent = (change.get("trigger") or {}).get("kind") == "silence"
    return silent and match["segment"] == change.get("previous_segment")


def _silence(change: Mapping[str, Any], match: re.Match[str], threshold: float) -> str:
    ends, without = _ENDS[match["feature"]]
    if match["category"]:
        ends = without = f"a click on {match['category']}"
    if match["side"] in _MORE:
        return f"{duration(threshold)} without {without} would {_moved(change, match)}"
    if _goes_back_elsewhere(change, match, threshold):
        return ""
    when = _when(change.get("occurred_at"), soon=threshold < SOON_DAYS)
    if when and _has_just_left(change, match):
        return f"{ends} before {when} would have kept {_named(change, match)}"
    return f"{ends} would {_moved(change, match)}"


def _number(text: str) -> float | None:
    """A value as published; None for what never happened."""
    return None if text == "None" else float(text)


def _when(text: object, *, soon: bool) -> str:
    """A date as people say it, 3 March 2025, with the time where it is about hours; empty where there is none."""
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return ""
    return f"{moment.day} {moment:%B %Y}" + (f", {moment:%H:%M}" if soon else "")
