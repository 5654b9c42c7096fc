"""The sections of the page: charts' places, which the script fills, and tables, which need none."""

from __future__ import annotations

from typing import Any

from stream.report.markup import Markup, joined, tag
from stream.report.tables import cell, facts, matrix, sortable

SEGMENT_HEADS = [
    ("segment", ""),
    ("customers", "at the end"),
    ("of all", "share of the customers"),
    ("since", "grown by, since the end of that month or week"),
    ("spend", "of these customers, refunds taken off"),
    ("of spend", "share of all spend"),
    ("entries", "how often a customer came in, in the whole run"),
    ("flaps", "returns within a week into the segment that was left"),
    ("days in", "mean length of the stays that have ended"),
]
PERSONA_TRAITS = 4  # shown of each persona


def chart(kind: str, label: str, number: int | None = None) -> Markup:
    """The place of a chart; the script draws it, and says so in `data-drawn`."""
    return tag("div", class_=f"chart {kind}", data_chart=kind, data_number=number, role="img", aria_label=label)


def segments(document: dict[str, Any]) -> Markup:
    """A panel for each dimension."""
    dimensions = document["dimensions"]
    tabs = [
        tag(
            "button", one["name"], type="button", role="tab", id=f"tab-{number}", aria_controls=f"panel-{number}",
            aria_selected="true" if number == 0 else "false",
        )
        for number, one in enumerate(dimensions)
    ]  # fmt: skip
    return joined([tag("div", *tabs, class_="tabs", role="tablist"), *map(_panel, range(len(dimensions)), dimensions)])


def _panel(number: int, one: dict[str, Any]) -> Markup:
    flows, transitions = one["flows"], one["transitions"]
    steps = " → ".join(flows["steps"])
    content = [
        tag("h3", one["name"]),
        tag("p", one["description"], class_="note") if one["description"] else None,
        tag("h4", "Sizes over time"),
        chart("sizes", f"Customers in each segment of {one['name']} over time", number),
        _segment_table(one),
    ]
    if flows["links"]:
        content += [
            tag("h4", "Flows between segments"),
            tag("p", steps, class_="note"),
            chart("flows", f"How many customers went from which segment to which, {steps}", number),
        ]
    if transitions["periods"] and transitions["names"]:
        content += [tag("h4", f"Where customers are a {one['period']} later"), _transitions(one)]
    return tag("div", *content, class_="panel", id=f"panel-{number}", role="tabpanel", aria_labelledby=f"tab-{number}")


def _segment_table(one: dict[str, Any]) -> Markup:
    spend = sum(row["spend"] for row in one["segments"]) or 1.0
    rows = [
        [
            cell(
                joined([_swatch(place), tag("b", row["label"] or row["name"]), _small(row)]),
                row["label"] or row["name"],
            ),
            cell(f"{row['customers']:,}", row["customers"]),
            cell(f"{row['share']:.1%}", row["share"]),
            cell(f"{row['change']:+,}", row["change"]),
            cell(f"{row['spend']:,.0f}", row["spend"]),
            cell(f"{row['spend'] / spend:.1%}", row["spend"] / spend),
            cell(f"{row['entries']:,}", row["entries"]),
            cell(f"{row['flaps']:,}", row["flaps"]),
            cell("" if row["stay_days"] is None else f"{row['stay_days']:,.1f}", row["stay_days"] or 0.0),
        ]
        for place, row in enumerate(one["segments"])
    ]
    heads = [(f"since {one['since']}", title) if text == "since" else (text, title) for text, title in SEGMENT_HEADS]
    return sortable(f"Segments of {one['name']} at the end", heads, rows)


def _small(row: dict[str, Any]) -> Markup | None:
    text = row["name"] if row["label"] else row["meaning"]
    return tag("small", text) if text else None


def _swatch(place: int) -> Markup:
    return tag("i", class_=f"swatch c{place % 12}", aria_hidden="true")


def _transitions(one: dict[str, Any]) -> Markup:
    found = one["transitions"]
    labels = {row["name"]: row["label"] or row["name"] for row in one["segments"]}
    names = [labels.get(name, name) for name in found["names"]]
    rows = [
        (
            name,
            [
                (_percent(share), share, f"{name} → {other}: {share:.1%}")
                for other, share in zip(names, row, strict=True)
            ],
        )
        for name, row, members in zip(names, found["shares"], found["members"], strict=True)
        if members
    ]
    caption = (
        f"Of a segment's members (row), the share in each segment a {one['period']} later; mean of {found['periods']}"
    )
    return matrix(caption, "from ↓ to →", names, rows)


def _percent(share: float) -> str:
    return "" if share < 0.005 else f"{share:.0%}"  # noqa: PLR2004 - what would be shown as 0 %


def customers(document: dict[str, Any]) -> Markup:
    """Revenue, who comes back, concentration, RFM."""
    cohorts, concentration = document["cohorts"], document["concentration"]
    told = [
        [
            cell(f"top {one['share']:.0%}", one["share"]),
            cell(f"{one['customers']:,}", one["customers"]),
            cell(f"{one['spend_share']:.1%}", one["spend_share"]),
        ]
        for one in concentration["told"]
    ]
    return joined(
        [
            tag("h3", f"Revenue by {cohorts['period']}"),
            tag(
                "p",
                tag("span", _swatch(3), "new: first order in it"),
                tag("span", _swatch(9), "returning: had ordered before"),
                class_="note legend",
            ),
            chart("revenue", f"Revenue by {cohorts['period']}, from new and from returning customers"),
            tag("h3", "Who comes back"),
            _retention(cohorts),
            tag("h3", "Concentration"),
            tag(
                "p",
                f"What part of the spend is held by which part of the {concentration['buyers']:,} buyers.",
                class_="note",
            ),
            tag(
                "div",
                chart("concentration", "Share of spend held by the buyers with the highest spend"),
                sortable(
                    "Held by the buyers with the highest spend",
                    [("buyers", ""), ("customers", ""), ("of spend", "")],
                    told,
                ),
                class_="pair",
            ),
            tag("h3", "Recency and frequency"),
            _rfm(document["rfm"]),
        ]
    )


def _retention(cohorts: dict[str, Any]) -> Markup:
    width = max((len(one["ordered"]) for one in cohorts["cohorts"]), default=0)
    largest = max(
        (n / one["size"] for one in cohorts["cohorts"] if one["size"] for n in one["ordered"][1:]), default=1.0
    )
    rows: list[Any] = []
    for one in cohorts["cohorts"]:
        if not one["size"]:
            continue
        cells: list[tuple[str, float | None, str]] = [(f"{one['size']:,}", 0.0, "first order in it")]
        for later, count in enumerate(one["ordered"][1:], 1):
            share = count / one["size"]
            title = f"{count:,} of {one['size']:,} ordered {later} {cohorts['period']}s later"
            cells.append((_percent(share), share / max(largest, 1e-9), title))
        rows.append((one["name"], cells + [("", None, "")] * (width - len(cells))))
    caption = f"Of those with their first order in a {cohorts['period']} (row), the share who ordered so many later"
    return matrix(caption, "first order", ["buyers", *(f"+{n}" for n in range(1, width))], rows)


def _rfm(grid: dict[str, Any]) -> Markup:
    most = max((n for row in grid["customers"] for n in row), default=1) or 1
    rows = []
    for recency in range(4, -1, -1):
        cells: list[tuple[str, float | None, str]] = []
        for frequency in range(5):
            count, spend = grid["customers"][recency][frequency], grid["spend"][recency][frequency]
            title = (
                f"recency {recency + 1}, frequency {frequency + 1}: {count:,} customers with a spend of {spend:,.0f}"
            )
            text = f"{count:,}\n{spend:,.0f}" if count else ""
            cells.append((text, count / most, title))
        rows.append((f"recency {recency + 1}{_recency(grid['recency_days'], recency)}", cells))
    columns = [f"frequency {n + 1}{_orders(grid['orders'], n)}" for n in range(5)]
    return matrix("Buyers, and below them their spend; 5 is the best fifth", "", columns, rows)


def _recency(cuts: list[float], score: int) -> str:
    return f", over {cuts[-1]:,.0f} days" if score == 0 else f", up to {cuts[4 - score]:,.0f} days" if score else ""


def _orders(cuts: list[float], score: int) -> str:
    return f", over {cuts[-1]:,.0f} orders" if score == len(cuts) else f", up to {cuts[score]:,.0f}"


def clusters(document: dict[str, Any]) -> Markup:
    """The map and a card for each persona."""
    found = document["clusters"]
    choice = f" Why {found['choice']['clusters']}: {found['choice']['reason']}." if found["choice"] else ""
    note = (
        f"{found['customers']:,} customers, picked evenly, in the two directions in which they differ most. "
        f"Right: {found['axes'][0]}. Up: {found['axes'][1]}.{choice}"
    )
    places = _places(document)
    cards = [
        _persona(one, places.get(one["segment"], 0)) for one in sorted(found["personas"], key=lambda one: -one["share"])
    ]
    return joined(
        [
            tag("p", note, class_="note"),
            chart("atlas", "Sampled customers on a plane, coloured by cluster"),
            tag("div", *cards, class_="cards"),
        ]
    )


def _places(document: dict[str, Any]) -> dict[str, int]:
    """Where each cluster stands among the segments of its dimension: its colour."""
    own = next(one for one in document["dimensions"] if one["name"] == document["clusters"]["dimension"])
    return {row["name"]: place for place, row in enumerate(own["segments"])}


def _persona(one: dict[str, Any], place: int) -> Markup:
    traits = [
        (trait["name"], f"{_plain(trait['value'], trait['unit'])} (all: {_plain(trait['average'], trait['unit'])})")
        for trait in one["traits"][:PERSONA_TRAITS]
    ]
    return tag(
        "article",
        tag("h4", _swatch(place), one["label"]),
        tag(
            "p",
            f"{one['share']:.1%} of customers, {one['revenue_share']:.1%} of revenue; {one['segment']}",
            class_="note",
        ),
        facts(traits),
        tag("p", one["address"]),
    )


def _plain(value: float, unit: str) -> str:
    return f"{value:.0%}" if unit == "share" else f"{value:,.4g}"


def comparison(document: dict[str, Any]) -> Markup:
    """Two definitions side by side."""
    found = document["comparison"]
    rows = [
        [
            cell(one["name"]),
            cell(f"{one['differ']:,}", one["differ"]),
            cell(f"{one['differ_share']:.1%}", one["differ_share"]),
            cell(f"{one['differ_spend']:,.0f}", one["differ_spend"]),
            cell(f"{one['changes_a_day'][0]:,.1f} → {one['changes_a_day'][1]:,.1f}", one["changes_a_day"][1]),
            cell(f"{one['flaps_a_day'][0]:,.1f} → {one['flaps_a_day'][1]:,.1f}", one["flaps_a_day"][1]),
        ]
        for one in found["dimensions"]
    ]
    heads = [("dimension", ""), ("differ", "customers in another segment"), ("of all", ""), ("their spend", "")]
    heads += [("changes a day", "first → second"), ("flaps a day", "first → second")]
    return joined(
        [tag("ul", *(tag("li", one) for one in found["words"])), sortable("The first against the second", heads, rows)]
    )


def health(document: dict[str, Any]) -> Markup:
    """What the events were like, and what the kernel did with them."""
    found = document["health"]
    rows = [(f"{topic}: events", count) for topic, count in found["events"].items()]
    rows += [(f"rows that did not fit: {reason}", count) for reason, count in found["misfits"].items()]
    rows += [
        ("decisions about customers", found["decisions"]),
        ("events that came late", found["late"]),
        ("duplicates, applied once", found["duplicates"]),
        ("changes held back by a dwell or a margin", found["suppressed"]),
    ]
    table = [[cell(name), cell(f"{count:,}", count)] for name, count in rows]
    return sortable("Events and decisions", [("what", ""), ("count", "")], table)
