"""Health in words: a table for each dimension, what fails which test and by which number, who overlaps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from models.health import DimensionHealth, Health, SegmentHealth
from stream.backtest.words import table

OVERLAPS_TOLD = 10  # pairs: more are not read; JSON has twice as many
LIKENESS_TOLD = 0.5  # of Cramer's V: below, two dimensions ask different things


def plain(found: Health) -> dict[str, Any]:
    """Plain values, for JSON."""
    return asdict(found)


def told(found: Health) -> str:
    """The whole of it."""
    counts = f"{found.customers:,} customers, {found.buyers:,} buyers, revenue {found.revenue:,.0f}"
    top = f"the fifth of the buyers who spent most holds {_percent(found.top_fifth_revenue_share) or 'nothing'}"
    lines = [f"{counts}; {top}; response to e-mail {_percent(found.email_response) or 'unknown'}"]
    for dimension in found.dimensions:
        lines += _dimension(dimension)
    if found.overlaps:
        lines += ["", "much the same customers"]
        for one in found.overlaps[:OVERLAPS_TOLD]:
            pair = f"{': '.join(one.first)} and {': '.join(one.second)}"
            lines.append(f"- {pair}: {one.customers:,} in both, {one.jaccard:.0%} of those in either")
    alike = [two for two in found.likeness if two.cramers_v >= LIKENESS_TOLD]
    if alike:
        lines += ["", "dimensions that say much the same (Cramer's V)"]
        lines += [f"- {two.first} and {two.second}: {two.cramers_v:.2f}" for two in alike]
    return "\n".join(lines)


def _dimension(one: DimensionHealth) -> list[str]:
    head = (
        one.dimension, "customers", "share", "of revenue", "average", "growth", "in/day", "out/day", "flaps", "days in",
        "e-mail", "fails",
    )  # fmt: skip
    moved = ""
    if one.stability is not None:
        shift = f", {one.shift}" if one.shift else ""
        moved = f"; shares over {one.period_days} days: index {one.stability:.3f}{shift}"
    noisy = f" ({one.flapping.upper()})" if one.flapping else ""
    flaps = "" if one.flap_rate is None else f"; flaps {_percent(one.flap_rate)}{noisy}"
    lines = [
        "",
        *table([head, *(_row(segment) for segment in one.segments)], markdown=False),
        f"  {one.covered:.1%} of the customers have a segment{flaps}{moved}",
    ]
    for segment in one.segments:
        told = ", ".join(
            f"{test.name} {test.number:.3g} {'above' if test.name == 'actionable' else 'below'} {test.limit:g}"
            for test in segment.failed
        )
        if told:
            lines.append(f"  {segment.segment} fails: {told}")
    return lines


def _row(one: SegmentHealth) -> tuple[str, ...]:
    flaps = _percent(one.flap_rate) + {"": "", "warning": " !", "alarm": " !!"}[one.flapping]
    return (
        one.segment,
        f"{one.customers:,}",
        _percent(one.share),
        _percent(one.revenue_share),
        "" if one.average_revenue is None else f"{one.average_revenue:,.0f}",
        "" if one.growth is None else f"{one.growth:+.1%}",
        f"{one.entries_per_day:,.1f}",
        f"{one.exits_per_day:,.1f}",
        flaps,
        "" if one.stay_days is None else f"{one.stay_days:,.1f}",
        _percent(one.email_response),
        " ".join(test.name[0].upper() for test in one.failed) or "-",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
