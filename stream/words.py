"""A change in one plain sentence.

`c17850 lifecycle: active -> at risk: no purchase for 61 days (was 12); if silent, dormant on 2011-10-03`
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from models.definitions.document import AUDIENCE

NEVER_DAYS: Final = 36_500.0
"""From here on a time since something means that it never happened (the core says a hundred years)."""

REASONS_MAX: Final = 2  # more make the sentence harder, not clearer
CONTRIBUTIONS_MAX: Final = 3  # a cluster has no single cause
_MINUTES_A_DAY = 1_440
_SOON = dt.timedelta(days=2)  # a deadline nearer than this is told to the minute

# "time since" features: (what is missing while it grows, what happened when it fell)
_SINCE: Final[Mapping[str, tuple[str, str]]] = {
    "days_since_order": ("no purchase", "purchase"),
    "days_since_click": ("no click", "click"),
    "days_since_cart_add": ("nothing put into the cart", "something put into the cart"),
    "days_since_email_sent": ("no e-mail sent", "e-mail sent"),
    "days_since_engaged": ("no e-mail read", "e-mail read"),
    "days_since_open": ("no e-mail opened", "e-mail opened"),
    "days_since_seen": ("not seen", "seen"),
}
_SPANS: Final[Mapping[str, str]] = {
    "tenure_days": "customer for",
    "days_since_first_order": "first purchase was {} ago",
    "order_gap_days": "the last two purchases were {} apart",
}
_COUNTS: Final[Mapping[str, tuple[str, str]]] = {
    "orders": ("order", "orders"),
    "refunds": ("refund", "refunds"),
    "clicks": ("click", "clicks"),
    "cart_adds": ("thing put into the cart", "things put into the cart"),
    "checkouts": ("checkout", "checkouts"),
    "searches": ("search", "searches"),
    "emails_sent": ("e-mail sent", "e-mails sent"),
    "opens": ("e-mail opened", "e-mails opened"),
    "email_clicks": ("e-mail clicked", "e-mails clicked"),
    "engaged": ("e-mail opened or clicked", "e-mails opened or clicked"),
    "unsubscribes": ("unsubscribe", "unsubscribes"),
    "bounces": ("bounced e-mail", "bounced e-mails"),
}
_MONEY: Final[Mapping[str, str]] = {
    "spend": "spend",
    "gross_spend": "spend before refunds",
    "average_order": "average order",
}
_RATES: Final[Mapping[str, str]] = {
    "open_rate": "e-mails opened",
    "cart_rate": "clicks that fill the cart",
    "refund_rate": "money refunded",
}
_INTENSITIES: Final[Mapping[str, str]] = {
    "click_intensity": "click activity",
    "order_intensity": "order activity",
    "spend_intensity": "spending",
    "engagement": "e-mail activity",
}
# what a cluster hangs on: (more of it, less of it, the thing itself)
_MOVES: Final[Mapping[str, tuple[str, str, str]]] = {
    "days_since_order": ("longer without a purchase", "bought more recently", "time since the last purchase"),
    "days_since_click": ("longer away from the site", "on the site more recently", "time since the last click"),
    "orders": ("more orders", "fewer orders", "number of orders"),
    "spend": ("more spent", "less spent", "money spent"),
    "average_order": ("larger baskets", "smaller baskets", "size of baskets"),
    "click_intensity_7d": ("more clicks lately", "fewer clicks lately", "clicks lately"),
    "order_intensity_90d": ("buying more lately", "buying less lately", "buying lately"),
    "engagement_30d": ("reading more e-mail", "reading less e-mail", "reading of e-mail"),
    "open_rate": ("opening more of the e-mails", "opening fewer of the e-mails", "share of e-mails opened"),
    "cart_rate": ("filling the cart more", "filling the cart less", "filling of the cart"),
}
_SEQUENCE = re.compile("days_from_(?P<first>[a-z_]+)_to_(?P<second>[a-z_]+)")
_WINDOW = re.compile(r"^(?:recent_)?(?P<base>\w+?)(?:_| in )(?P<count>\d+)\s?(?P<unit>d|h|m|days?|hours?|minutes?)$")
_WINDOW_UNITS = {"d": "day", "h": "hour", "m": "minute"}
_TRIGGERS: Final[Mapping[str, str]] = {
    "event": "after an event",
    "silence": "by waiting",
    "late": "after a late event",
    "merge": "after a merge",
    "model": "under a new model",
    "definition": "under new definitions",
    "recovery": "corrected after a recovery",
}


def sentence(change: Mapping[str, Any]) -> str:
    """The change (as published, see the topic `segment-changes`) in one line; every part may be missing or
    unknown.

    Examples
    --------
    >>> reason = {"feature": "days_since_order", "before": 12.2, "after": 45.0, "threshold": 45}
    >>> moved = {"dimension": "lifecycle", "previous_segment": "active", "segment": "cooling"}
    >>> sentence({"customer_id": "c1", **moved, "reasons": [reason]})
    'c1 lifecycle: active -> cooling: no purchase for 45 days (was 12)'
    """
    previous, segment = change.get("previous_segment"), change.get("segment")
    name = str(change.get("dimension"))
    moved = f"leaves {previous}" if segment is None else f"{segment}"
    if change.get("label"):
        moved += f" ({change['label']})"
    if previous is not None and segment is not None:
        moved = f"{previous} -> {moved}"
    text = f"{change.get('customer_id')} {name}: {moved}"
    if audience := audience_of(name):  # in it or not: there is no segment to name
        verb = "leaves" if segment is None else "enters" if previous is None else "is in"
        text = f"{change.get('customer_id')} {verb} audience {audience}"
    why = because(change)
    if why:
        text += f": {why}"
    outlook = _outlook(change)
    return f"{text}; {outlook}" if outlook else text


def because(change: Mapping[str, Any]) -> str:
    """Why, in words: the conditions that flipped, what moved a cluster, or else the trigger; maybe empty."""
    reasons = [reason for reason in change.get("reasons") or [] if reason.get("feature")]
    if any(reason.get("contribution") is not None for reason in reasons):
        phrases = [_cluster_phrase(reason) for reason in reasons]
        told = _listed(phrases, CONTRIBUTIONS_MAX)
    else:
        phrases = [phrase(str(reason["feature"]), reason.get("before"), reason.get("after")) for reason in reasons]
        told = _listed(phrases, REASONS_MAX)
    kind = (change.get("trigger") or {}).get("kind")
    if not told or kind in ("late", "merge", "model", "definition"):
        told = f"{told} {_TRIGGERS.get(str(kind), '')}".strip()
    return told


def _listed(phrases: list[str], most: int) -> str:
    """`a`, `a and b`, `a, b and c`; what reads the same (two borders of one feature) is told once."""
    shown = list(dict.fromkeys(phrases))[:most]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def phrase(feature: str, before: object, after: object) -> str:
    """One feature's move in words, with its unit; a name that is not known is told as it is.

    Examples
    --------
    >>> phrase("orders_30d", 2, 1)
    '1 order in 30 days (was 2)'
    >>> phrase("spend", 950.0, 1204.5)
    'spend 1,204.50 (was 950)'
    """
    if found := _SEQUENCE.match(feature):
        return _sequence(spaced(found["first"]), spaced(found["second"]), after)
    if feature.startswith("days_since_") and feature not in _SPANS:
        return _since(feature, before, after)
    if not _is_number(after):
        return _plain(feature, before, after)
    now = float(after)  # type: ignore[arg-type] # _is_number says so
    was = float(before) if _is_number(before) else None  # type: ignore[arg-type] # the same
    if feature in _SPANS:
        return _span(_SPANS[feature], was, now)
    return _quantity(feature, was, now)


def _sequence(first: str, second: str, after: object) -> str:
    """How long after the newest of the one the other came."""
    if not _is_number(after):
        return f"no {second} since the {first}"
    return f"{second} {duration(float(after))} after the {first}"  # type: ignore[arg-type] # _is_number says so


def _quantity(feature: str, was: float | None, now: float) -> str:
    """A count, an amount of money, a rate or any other number, maybe in a window of time."""
    window = _window(feature)
    base = _base(feature) if window else feature
    if base in _COUNTS:
        one, many = _COUNTS[base]
        return f"{number(now)} {one if now == 1 else many}{window}{_was(was, now)}"
    if base in _MONEY:
        return f"{_MONEY[base]}{window} {money(now)}{_was(was, now, money)}"
    if base in _INTENSITIES:
        return f"{_INTENSITIES[base]} {number(now)}{_was(was, now)}"
    if base in _RATES or base.endswith(("_rate", "_share")):
        return f"{percent(now)} {_RATES.get(base, spaced(base))}{window}{_was(was, now, percent)}"
    return f"{spaced(base)}{window} {number(now)}{_was(was, now)}"


def number(value: float) -> str:
    """A plain number, rounded to what a reader can use: whole above 100, three digits below."""
    if not math.isfinite(value):
        return str(value)
    if value == round(value) or abs(value) >= 100:  # noqa: PLR2004 - from there on a fraction says nothing
        return f"{round(value):,}"
    return f"{value:.3g}"


def money(value: float) -> str:
    """An amount in major units: with cents, unless there are none."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def percent(value: float) -> str:
    """A share as percent."""
    return f"{value * 100:.3g} %"


def audience_of(dimension: str) -> str:
    """An audience's own name; "" for a dimension."""
    return dimension.removeprefix(AUDIENCE) if dimension.startswith(AUDIENCE) else ""


def duration(days: float) -> str:
    """A time span in its natural unit: days, below two of them hours, below two of those minutes; cut off,
    not rounded.
    """
    # as published, with six digits: 0.0833333 days are two hours, 44.9999 not yet 45 days
    last_digit = 10.0 ** (math.floor(math.log10(days)) - 5) if 0 < days < math.inf else 0.0
    minutes = math.floor((days + last_digit / 2) * _MINUTES_A_DAY)
    for size, name in ((_MINUTES_A_DAY, "day"), (60, "hour"), (1, "minute")):
        if minutes >= 2 * size or (minutes == size and name == "day"):
            return f"{minutes // size} {name}s" if minutes >= 2 * size else f"1 {name}"
    return "1 minute" if minutes == 1 else "0 minutes"


def spaced(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _was(was: float | None, now: float, shown: Any = number) -> str:
    """What it was, unless that reads the same: a border moved, or the last digit was rounded away."""
    return "" if was is None or shown(was) == shown(now) else f" (was {shown(was)})"


def _plain(feature: str, before: object, after: object) -> str:
    told = f"{spaced(feature)} {'unknown' if after is None else after}"
    return told if before is None else f"{told} (was {before})"


def _span(template: str, was: float | None, now: float) -> str:
    if template.endswith("{} ago") and now * _MINUTES_A_DAY < 1:
        return template.replace(" was {} ago", " just now")
    told = template.format(duration(now)) if "{}" in template else f"{template} {duration(now)}"
    return told if was is None or was >= NEVER_DAYS else told + _was_duration(was, now)


def _was_duration(was: float, now: float) -> str:
    """`(was 12)`, with the unit only where it differs from the one just told."""
    told = duration(was)
    count, unit = told.split(" ")
    return f" (was {count})" if unit.rstrip("s") == duration(now).split(" ")[1].rstrip("s") else f" (was {told})"


def _since(feature: str, before: object, after: object) -> str:
    """Times since an event; null, or a hundred years, means that it never happened."""
    was, now = _days_or_never(before), _days_or_never(after)
    name = spaced(feature.removeprefix("days_since_"))
    missing, happened = _SINCE.get(feature, (f"no {name}", name))
    if now >= NEVER_DAYS:
        return f"{missing} ever"
    if now < was:
        told = f"{happened} just now" if now * _MINUTES_A_DAY < 1 else f"{happened} {duration(now)} ago"
        return f"{told} (the first)" if was >= NEVER_DAYS else f"{told} (was {duration(was)} ago)"
    return f"{missing} for {duration(now)}{_was_duration(was, now)}"


def _days_or_never(value: object) -> float:
    return float(value) if _is_number(value) else NEVER_DAYS  # type: ignore[arg-type] # _is_number says so


def _window(feature: str) -> str:
    found = _WINDOW.match(feature)
    if found is None:
        return ""
    count, unit = int(found["count"]), _WINDOW_UNITS[found["unit"][0]]
    return f" in {count} {unit}{'' if count == 1 else 's'}"


def _base(feature: str) -> str:
    found = _WINDOW.match(feature)
    return feature if found is None else found["base"]


def _cluster_phrase(reason: Mapping[str, Any]) -> str:
    """Cluster features may be logarithms: their values say nothing to a reader, only which and which way."""
    name = str(reason["feature"]).removeprefix("log_")
    before, after = reason.get("before"), reason.get("after")
    told = spaced(name)
    more, less, same = _MOVES.get(name, (f"more {told}", f"less {told}", told))
    if not (_is_number(before) and _is_number(after)) or before == after:
        return same
    return more if after > before else less  # type: ignore[operator] # both are numbers


def _outlook(change: Mapping[str, Any]) -> str:
    until = _moment(change.get("valid_until"))
    if until is None:
        return ""
    decided = _moment(change.get("decided_at"))
    soon = decided is not None and until - decided < _SOON
    when = f"at {until:%Y-%m-%d %H:%M}" if soon else f"on {until:%Y-%m-%d}"
    following = change.get("next_if_silent")
    if audience_of(str(change.get("dimension"))):
        return f"if silent, {'enters' if following else 'leaves'} it {when}"
    return f"if silent, {following} {when}" if following else f"looked at again {when}"


def _moment(text: object) -> dt.datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
