"""Measured figures into the documents: the JSON, the picture and the table are written together, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream.bench.chart import svg, table

PAGE, FIGURES, PICTURE = "performance.md", "scaling.json", "scaling.svg"
BEGIN, END = "<!-- scaling: written by make bench-scale -->", "<!-- /scaling -->"


def publish(folder: Path, figures: dict[str, Any]) -> None:
    """Write the scaling figures into a folder with a performance page.

    Raises
    ------
    ValueError : the page has no place for them.
    """
    page = folder / PAGE
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the scaling figures: {BEGIN} and {END}")
    shown = f"{BEGIN}\n![Throughput and cost against customers]({PICTURE})\n\n{table(figures)}{END}"
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    (folder / PICTURE).write_text(svg(figures), "utf-8")
    page.write_text(before + shown + after, "utf-8")
