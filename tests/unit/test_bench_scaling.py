"""What is drawn and said of the scaling figures is what was measured."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from stream.bench.chart import svg, table
from stream.bench.publish import BEGIN, END, publish
from stream.bench.scaling import pauses
from stream.codec.journal import Batch, Claim, Entry
from tests.house.tree import REPO

FIGURES: dict[str, Any] = {
    "points": [
        {
            "workers": workers, "customers": customers, "events": 10, "events_per_s": 1000 * workers,
            "cpu_us_per_event": 7.5, "checkpoints": 4, "rows_checkpointed": 100,
        }
        for customers in (10_000, 1_000_000)
        for workers in (1, 2)
    ],
    "cpu_ratio": 1.0,
    "pause": {
        "moved_partitions": 2, "moved_seconds": 1.5, "kept_partitions": 2, "kept_seconds": 0.1, "customers": 1000,
        "events_per_s": 1000.0,
    },
    "machine": {"cores": 2, "processor": "P & <Q>", "python": "3.11", "kafka": "4.1.0"},
}  # fmt: skip


def batch(wall_ms: int) -> Entry:
    """An entry at a time."""
    return Batch(0, (), 0, wall_ms)


def test_a_pause_is_the_longest_silence_of_a_partition() -> None:
    """Of those that were claimed meanwhile, and of those that stayed; silence at the end counts too."""
    entries = [
        (0, Claim("a", "", "g", "f", 0)),
        *((0, batch(t)) for t in range(1000, 9000, 100)),
        *((1, batch(t)) for t in range(1000, 4000, 100)),
        (1, Claim("b", "", "g", "f", 5000)),
        *((1, batch(t)) for t in range(6500, 9000, 100)),
        *((2, batch(t)) for t in range(1000, 8000, 100)),
        (2, batch(99_000)),
    ]
    assert pauses(entries, 1000, 9000) == {
        "moved_partitions": 1, "moved_seconds": 2.6, "kept_partitions": 2, "kept_seconds": 1.1,
    }  # fmt: skip


def test_the_chart_is_xml_with_every_point_twice() -> None:
    """Two panels, a dot for each point in each, a line for each number of workers; nothing leaves the picture."""
    root = ET.fromstring(svg(FIGURES))  # noqa: S314 - our own text
    space = "{http://www.w3.org/2000/svg}"
    dots = [dot for dot in root.iter(f"{space}circle") if dot.get("r") == "4"]
    assert len(dots) == 2 * len(FIGURES["points"])
    assert len(list(root.iter(f"{space}polyline"))) == 4
    assert all(0 < float(dot.get("cx", 0)) < 860 and 0 < float(dot.get("cy", 0)) < 330 for dot in dots)


def test_a_chart_without_processor_time_is_still_drawn() -> None:
    """Not every system tells what a process used."""
    points = [{**point, "cpu_us_per_event": None} for point in FIGURES["points"]]
    ET.fromstring(svg({**FIGURES, "points": points}))  # noqa: S314 - as above


def test_publishing_writes_beside_the_page_and_into_it(tmp_path: Any) -> None:
    """Figures, picture and table together; the rest of the page stays; a page without the place is refused."""
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish(tmp_path, FIGURES)
    assert json.loads((tmp_path / "scaling.json").read_text()) == FIGURES
    assert (tmp_path / "scaling.svg").read_text() == svg(FIGURES)
    text = page.read_text()
    assert "old" not in text
    assert table(FIGURES) in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    page.write_text("no place\n")
    with pytest.raises(ValueError, match="scaling"):
        publish(tmp_path, FIGURES)


def test_the_page_shows_the_figures_beside_it() -> None:
    """If this fails: `make bench-scale`, or its commit left one of the three files behind."""
    figures = json.loads((REPO / "docs/scaling.json").read_text("utf-8"))
    assert (REPO / "docs/scaling.svg").read_text("utf-8") == svg(figures)
    assert table(figures) in (REPO / "docs/performance.md").read_text("utf-8")
