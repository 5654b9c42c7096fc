"""The report's document: everything the page shows, as plain values. The same run gives the same document."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.clusters.snapshot import digest as model_digest
from models.customers.row import DAY_MS
from models.events import MINOR_PER_MAJOR, TOPICS
from models.workspace import DECISIONS, DUPLICATES, LATE_EVENTS, SUPPRESSED
from stream import __version__
from stream.backtest.compare import Comparison, in_words
from stream.backtest.result import Outcome, Result
from stream.codec.times import iso
from stream.report.atlas import clusters
from stream.report.customers import cohorts, concentration, rfm
from stream.report.segments import dimensions

FORMAT = 1  # of the document; a report of another is not compared
MOVE_TOLD = 0.1  # of a segment's members in the last period: below, a sentence would tell of noise
TENTH = 0.1  # of the buyers: as everybody tells concentration
WORDS_MAX = 6  # sentences at the top: more are not read


def document_of(result: Result, recipe: dict[str, Any], comparison: Comparison | None = None) -> dict[str, Any]:
    """The whole of it. What hangs on the machine (speed, memory, number of processes) is left out."""
    parts = {
        "dimensions": dimensions(result),
        "cohorts": cohorts(result),
        "concentration": concentration(result),
        "rfm": rfm(result),
        "clusters": clusters(result),
    }
    figures = _figures(result)
    document = {
        "format": FORMAT,
        "version": __version__,
        "name": result.variants[0].definitions.name,
        "complete": result.complete,
        "figures": figures,
        "words": _words(figures, parts),
        **parts,
        "comparison": _comparison(comparison) if comparison is not None else None,
        "health": _health(result),
        "inputs": [{"name": one.name, "bytes": one.size_bytes, "digest": one.digest} for one in result.inputs],
        "outputs": [_output(one) for one in result.variants],
        "recipe": recipe,
    }
    found: dict[str, Any] = _plain(document)
    return found


def _plain(value: Any) -> Any:
    """Numbers of numpy as those of Python, tuples as lists: what JSON gives back."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _figures(result: Result) -> dict[str, Any]:
    customers = result.customers
    return {
        "first": iso(result.first_ms),
        "last": iso(result.last_ms),
        "days": round((result.last_ms - result.first_ms) / DAY_MS, 1),
        "events": result.events,
        "customers": customers.present,
        "buyers": int((customers.orders > 0).sum()),
        "orders": int(customers.orders.sum()),
        "spend": round(int(customers.spend_minor.sum()) / MINOR_PER_MAJOR, 2),
        "changes": result.variants[0].totals.changes,
    }


def _words(figures: dict[str, Any], parts: dict[str, Any]) -> list[str]:
    """What stands out, a sentence each."""
    said = [
        f"{one['customers']:,} buyers, a tenth of all, hold {one['spend_share']:.0%} of the spend."
        for one in parts["concentration"]["told"]
        if one["share"] == TENTH
    ]
    for dimension in parts["dimensions"]:
        moved = _largest_move(dimension)
        if moved is not None:
            said.append(moved)
    cohort = parts["cohorts"]
    if len(cohort["names"]) > 1:
        new, returning = cohort["revenue_new"][-2], cohort["revenue_returning"][-2]
        if new + returning > 0:
            share = returning / (new + returning)
            earlier = f"customers from earlier {cohort['period']}s"
            said.append(f"In {cohort['names'][-2]} {earlier} brought {share:.0%} of the revenue.")
    days = max(figures["days"], 1e-9)
    said.append(f"{figures['changes'] / days:,.0f} changes a day: segments answer to what customers do.")
    return said[:WORDS_MAX]


def _largest_move(dimension: dict[str, Any]) -> str | None:
    """The segment that grew or shrank most in the last period, if that is much."""
    best, sentence = MOVE_TOLD, None
    for one in dimension["segments"]:
        before = one["customers"] - one["change"]
        relative = abs(one["change"]) / before if before >= 50 else 0.0  # noqa: PLR2004 - of fewer, a few are much
        if relative > best:
            best = relative
            verb = "grew" if one["change"] > 0 else "shrank"
            name = one["label"] or one["name"]
            sentence = (
                f"{dimension['name']}: “{name}” {verb} by {relative:.0%} since the end of "
                f"{dimension['since']}, to {one['customers']:,} customers."
            )
    return sentence


def _comparison(found: Comparison) -> dict[str, Any]:
    return {**found.plain(), "words": in_words(found)}


def _health(result: Result) -> dict[str, Any]:
    counters, fit = result.variants[0].counters, result.fit
    return {
        "events": {topic: int(count) for topic, count in zip(TOPICS, result.by_kind, strict=True)},
        "misfits": dict(sorted(fit.misfits.items())),
        "decisions": int(counters[DECISIONS]),
        "late": int(counters[LATE_EVENTS]),
        "duplicates": int(counters[DUPLICATES]),
        "suppressed": int(counters[SUPPRESSED]),
    }


def _output(outcome: Outcome) -> dict[str, Any]:
    return {
        "definitions": outcome.definitions.digest,
        "changes": outcome.totals.changes,
        "digest": outcome.digest,
        "models": [model_digest(one) for one in outcome.models],
    }
