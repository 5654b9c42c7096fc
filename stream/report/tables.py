"""Tables of the page: those that sort, and matrices whose cells are shaded."""

from __future__ import annotations

from collections.abc import Sequence

from stream.report.markup import Child, Markup, joined, tag


def cell(text: Child, value: float | str | None = None) -> Markup:
    """A cell that sorts by `value`; numbers stand right."""
    if isinstance(value, int | float):
        return tag("td", text, class_="number", data_value=f"{value:g}" if isinstance(value, int) else repr(value))
    return tag("td", text, data_value=value)


def sortable(caption: str, heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[Markup]]) -> Markup:
    """A table of which each head sorts; `heads` are (text, explanation)."""
    columns = [
        tag("th", tag("button", text, type="button", title=title or None), scope="col", aria_sort="none")
        for text, title in heads
    ]
    return _scrolling(
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *columns)),
            tag("tbody", *(tag("tr", *row) for row in rows)),
            class_="sortable",
        )
    )


def matrix(
    caption: str,
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Child, Sequence[tuple[str, float | None, str]]]],
) -> Markup:
    """A table of shaded cells: (text, shade 0 to 1 or None for an empty cell, explanation)."""
    head = tag("tr", tag("th", corner, scope="col"), *(tag("th", tag("span", name), scope="col") for name in columns))
    body = [tag("tr", tag("th", name, scope="row"), *(_shaded(*one) for one in cells)) for name, cells in rows]
    return _scrolling(tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_="matrix"))


def _shaded(text: str, shade: float | None, title: str) -> Markup:
    if shade is None:
        return tag("td", class_="empty")
    return tag("td", text, style=f"--shade:{min(max(shade, 0.0), 1.0):.3f}", title=title or None)


def _scrolling(table: Markup) -> Markup:
    """Wide tables scroll in themselves, so that the page does not."""
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label="table")


def facts(pairs: Sequence[tuple[str, Child]]) -> Markup:
    """Names and values."""
    return tag("dl", joined(joined([tag("dt", name), tag("dd", value)]) for name, value in pairs), class_="facts")
