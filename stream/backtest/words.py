"""A backtest in words: plain text for a terminal, Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.backtest.compare import PAIRS_SHOWN_MAX, Comparison, DimensionComparison, in_words
from stream.backtest.limits import Verdict
from stream.backtest.notice import Notice
from stream.backtest.result import Result
from stream.backtest.score import Score

Row = Sequence[str]


def table(rows: Sequence[Row], *, markdown: bool) -> list[str]:
    """Rows as lines, the first being the head: the first column left, the others right."""
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return [lines[0], "|---" + "|--:" * (len(rows[0]) - 1) + "|", *lines[1:]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [_line(row, widths) for row in rows]


def _line(row: Row, widths: Sequence[int]) -> str:
    first, *others = row
    cells = [one.rjust(width) for one, width in zip(others, widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *cells]).rstrip()


def heading(text: str, *, markdown: bool) -> list[str]:
    """A heading with the empty line before it."""
    return ["", f"### {text}", ""] if markdown else ["", text]


def told(
    result: Result, found: Comparison | None, scores: Sequence[Score], verdicts: Sequence[Verdict], *, markdown: bool
) -> str:
    """The whole answer."""
    lines = _overview(result)
    if found is None:
        for d, name in enumerate(result.variants[0].dimensions):
            lines += _segments(result, d, name, markdown=markdown)
    else:
        lines += _decision(found, markdown=markdown)
        lines += _notices(found, markdown=markdown)
        for one in found.dimensions:
            lines += _dimension(one, markdown=markdown)
    for number, score in enumerate(scores):
        lines += _score(score, number, markdown=markdown)
    if verdicts:
        lines += heading("limits", markdown=markdown)
        lines += [f"- {'BROKEN' if one.broken else 'kept'}: {one.limit} (is {one.measured:g})" for one in verdicts]
    return "\n".join([*lines, *_misfits(result, markdown=markdown)])


def _overview(result: Result) -> list[str]:
    figures = result.summary()
    span = f"{figures['first'][:10]} to {figures['last'][:10]}"
    changes = " and ".join(f"{one.totals.changes:,}" for one in result.variants)
    lines = [
        f"{result.events:,} events of {figures['customers']:,} customers, {span}: {changes} changes",
        "",
        (
            f"{figures['events_per_s']:,} events/s, {figures['events_per_s_core']:,} a core, "
            f"{figures['peak_rss_mb']:,.0f} MB; digest {figures['digest']}"
        ),
    ]
    if not result.complete:
        lines[:0] = [f"PARTIAL: interrupted, everything is as of {figures['last']}", ""]
    return lines


def _segments(result: Result, d: int, name: str, *, markdown: bool) -> list[str]:
    rows: list[Row] = [(name, "customers", "share", "spend", "entries", "flaps", "days in")]
    for segment, one in result.segment_figures(0, d).items():
        rows.append(
            (
                segment,
                f"{one['customers']:,}",
                f"{one['share']:.1%}",
                f"{one['spend']:,.0f}",
                f"{one['entries']:,}",
                f"{one['flaps']:,}",
                _number(one["stay_days"]),
            )
        )
    return ["", *table(rows, markdown=markdown)]


def _number(x: float | None) -> str:
    return "" if x is None else f"{x:,.1f}"


def _decision(found: Comparison, *, markdown: bool) -> list[str]:
    return [*heading("what it means", markdown=markdown), *(f"- {one}" for one in in_words(found))]


def _notices(found: Comparison, *, markdown: bool) -> list[str]:
    rows: list[Row] = [("noticed by", "known", "first", "days", "second", "days")]
    both: dict[tuple[str, str], list[Notice | None]] = {}
    for number, notices in enumerate(found.notices):
        for one in notices:
            both.setdefault((one.group, one.dimension), [None, None])[number] = one
    for (group, dimension), (old, new) in both.items():
        known = next(one.known for one in (old, new) if one is not None)
        cells = [f"{group}: {dimension}", f"{known:,}"]
        for own in (old, new):
            cells += ["", ""] if own is None else [f"{own.noticed:,}", _number(own.days)]
        rows.append(cells)
    return (
        [*heading("known churners and big buyers", markdown=markdown), *table(rows, markdown=markdown)] if both else []
    )


def _dimension(one: DimensionComparison, *, markdown: bool) -> list[str]:
    if not one.differ and all(old == new for old, new in one.segments.values()):
        return ["", f"{one.name}: the same"]
    rows: list[Row] = [
        ("segment", "customers", "after", "spend", "after", "entries", "after", "flaps", "after", "days in", "after")
    ]
    for name, (old, new) in one.segments.items():
        cells = [name]
        for key in ("customers", "spend", "entries", "flaps", "stay_days"):
            for own in (old, new):
                value = None if own is None else own[key]
                cells.append("" if value is None else f"{value:,.1f}" if key == "stay_days" else f"{value:,.0f}")
        rows.append(cells)
    lines = heading(f"{one.name}: {one.differ:,} customers differ ({one.differ_share:.1%})", markdown=markdown)
    lines += table(rows, markdown=markdown)
    if one.pairs:
        pairs: list[Row] = [("from → to", "customers", "spend")]
        pairs += [
            (f"{p.before} → {p.after}", f"{p.customers:,}", f"{p.spend:,.0f}") for p in one.pairs[:PAIRS_SHOWN_MAX]
        ]
        lines += ["", *table(pairs, markdown=markdown)]
    return lines


def _score(score: Score, number: int, *, markdown: bool) -> list[str]:
    """Predictors; the segments of the first variant only, JSON has the others."""
    title = (
        f"{'second: ' if number else ''}{score.outcome} within {score.days:g} days after {score.at}: "
        f"{score.positives:,} of {score.customers:,} customers ({score.base_rate:.1%})"
    )
    rows: list[Row] = [("predictor", "AUC", "95 % interval", "lift of the top fifth", "its share of the revenue after")]
    rows += [
        (one.name, f"{one.auc:.4f}", f"{one.low:.4f} to {one.high:.4f}", f"{one.lift:.2f}", f"{one.revenue_share:.1%}")
        for one in score.predictors
    ]
    lines = [*heading(title, markdown=markdown), *table(rows, markdown=markdown)]
    for dimension, segments in score.segments.items() if number == 0 else ():
        rows = [(dimension, "customers", "rate", "lift", "revenue after")]
        rows += [
            (name, f"{one.customers:,}", f"{one.rate:.1%}", f"{one.lift:.2f}", f"{one.revenue:,.0f}")
            for name, one in segments.items()
        ]
        lines += ["", *table(rows, markdown=markdown)]
    return lines


def _misfits(result: Result, *, markdown: bool) -> Iterable[str]:
    fit = result.fit
    if not fit.misfit_count:
        return []
    lines = heading(f"{fit.misfit_count:,} rows did not fit", markdown=markdown)
    lines += [f"- {count:,} x {reason}" for reason, count in sorted(fit.misfits.items())]
    shown = ", ".join(f"row {row} ({reason})" for row, reason in fit.examples)
    return [*lines, f"- for example {shown}"]
