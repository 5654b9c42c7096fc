"""The last section: what went in, what came out, and how anybody checks both."""

from __future__ import annotations

from typing import Any

from stream.report.markup import Markup, joined, tag
from stream.report.tables import cell, facts, sortable


def proof(document: dict[str, Any]) -> Markup:
    """Digests of inputs and outputs, the definitions' text, and the command that recomputes them."""
    recipe = document["recipe"]
    outputs = joined(_output(one, number) for number, one in enumerate(document["outputs"]))
    texts = (
        tag(
            "details",
            tag("summary", f"Definitions{_which(number, recipe['variants'])}"),
            tag("pre", one["definitions"]),
        )
        for number, one in enumerate(recipe["variants"])
    )
    again = (
        "This page holds all that the run hangs on. With the same input files the run can be made again; "
        "every figure and every byte of this page must come out the same:"
        if recipe["sources"]
        else "The events came from topics: the page can be checked against its own figures, and not be run again."
    )
    return joined(
        [
            tag("p", again),
            tag("pre", tag("code", "segstream report verify THIS-FILE.html"), class_="command"),
            tag("h3", "Inputs"),
            sortable(
                "What was read",
                [("file", ""), ("bytes", ""), ("digest (xxh3-128)", "of the file's bytes")],
                [
                    [
                        cell(one["name"]),
                        cell(f"{one['bytes']:,}", one["bytes"]),
                        cell(tag("code", one["digest"] or "none")),
                    ]
                    for one in document["inputs"]
                ],
            ),
            tag("h3", "Outputs"),
            outputs,
            tag("h3", "Definitions in full"),
            *texts,
        ]
    )


def _which(number: int, variants: list[Any]) -> str:
    return "" if len(variants) == 1 else f", variant {number + 1}"


def _output(one: dict[str, Any], number: int) -> Markup:
    models = ", ".join(one["models"][-3:]) or "none"
    return facts(
        [
            (f"variant {number + 1}", f"{one['changes']:,} changes"),
            ("digest of every change, in order", tag("code", one["digest"])),
            ("definitions", tag("code", one["definitions"])),
            (f"models ({len(one['models'])}; the latest)", tag("code", models)),
        ]
    )
