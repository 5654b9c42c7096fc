"""The document as one HTML file. The same document gives the same bytes; nothing is fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from stream.report.markup import Markup, script_json, tag
from stream.report.proof import proof
from stream.report.sections import clusters, comparison, customers, health, segments

OPENING = '<script type="application/json" id="document">'
CLOSING = "</script>"


def asset(name: str) -> str:
    """A file that every page holds."""
    return (files("stream.report") / "assets" / name).read_text(encoding="utf-8")


def page(document: dict[str, Any]) -> str:
    """The file's text; raises KeyError, TypeError or ValueError for what is no document."""
    scripts = [asset("echarts.min.js"), asset("page.js")]
    title = f"Customer segments, {_span(document)}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"segstream {document['version']}"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(asset("page.css"))),
    )
    body = tag(
        "body",
        _header(document),
        _contents(document),
        tag("main", *_sections(document)),
        _footer(document),
        Markup(f"{OPENING}{script_json(document)}{CLOSING}"),
        *(tag("script", Markup(script)) for script in scripts),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _footer(document: dict[str, Any]) -> Markup:
    licences = tag("details", tag("summary", "Charts by Apache ECharts: licences"), tag("pre", asset("LICENSES")))
    return tag("footer", tag("p", f"Made by segstream {document['version']}."), licences)


def _policy(scripts: list[str]) -> str:
    """What a browser may do with the page: run these two scripts, and reach nothing."""
    hashes = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts)
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _span(document: dict[str, Any]) -> str:
    figures = document["figures"]
    return f"{figures['first'][:10]} to {figures['last'][:10]}"


def _header(document: dict[str, Any]) -> Markup:
    figures = document["figures"]
    told = [
        (f"{figures['customers']:,}", "customers"),
        (f"{figures['orders']:,}", "orders"),
        (f"{figures['spend']:,.0f}", "spend, refunds taken off"),
        (f"{figures['events']:,}", "events"),
        (f"{figures['changes']:,}", "segment changes"),
    ]
    partial = tag("p", f"Partial: the run was interrupted; everything is as of {figures['last']}.", class_="warning")
    return tag(
        "header",
        tag("p", "segstream backtest", class_="kicker"),
        tag("h1", "Customer segments"),
        tag("p", f"{_span(document)}, definitions “{document['name']}”", class_="lead"),
        None if document["complete"] else partial,
        tag("dl", *(tag("div", tag("dt", name), tag("dd", number)) for number, name in told), class_="figures"),
        tag("ul", *(tag("li", one) for one in document["words"]), class_="words") if document["words"] else None,
        tag("noscript", tag("p", "Charts need JavaScript; every table is here without it.", class_="warning")),
    )


def _parts(document: dict[str, Any]) -> list[tuple[str, str, Markup]]:
    parts = [("segments", "Segments", segments(document))]
    if document["comparison"]:
        parts.append(("comparison", "Compared", comparison(document)))
    parts.append(("customers", "Customers and revenue", customers(document)))
    if document["clusters"]:
        parts.append(("clusters", "Clusters", clusters(document)))
    parts.append(("health", "Health", health(document)))
    parts.append(("proof", "How to check this", proof(document)))
    return parts


def _contents(document: dict[str, Any]) -> Markup:
    links = (tag("a", title, href=f"#{name}") for name, title, _ in _parts(document))
    return tag("nav", *links, aria_label="Contents")


def _sections(document: dict[str, Any]) -> list[Markup]:
    return [tag("section", tag("h2", title), content, id=name) for name, title, content in _parts(document)]
