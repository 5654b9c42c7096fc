"""The scaling figures as a picture and a table: a function of the figures, so that a page cannot drift from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 330
PANEL_WIDTH, PANEL_HEIGHT, TOP, LEFT, GAP = 320, 200, 60, 70, 110
COLOURS = ("#1f6f8b", "#c8553d", "#6a994e", "#7b4b94")  # told apart also without red and green
FONT = 'font-family="sans-serif" font-size="12" fill="#333"'
GRID_LINES = 4

Figures = dict[str, Any]


def svg(figures: Figures) -> str:
    """Two panels over the number of customers: events a second, and processor time an event."""
    points = figures["points"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_panel(points, "events_per_s", "events applied a second, all workers", 0, "{:,.0f}".format),
        *_panel(points, "cpu_us_per_event", "processor time an event, us", 1, "{:g}".format),
        *_legend(_workers(points)),
        _text(LEFT, HEIGHT - 12, _machine(figures["machine"])),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def table(figures: Figures) -> str:
    """The same as Markdown, with what adding a worker paused."""
    pause = figures["pause"]
    adding = (
        f"The dearest event cost {figures['cpu_ratio']} times the cheapest. A second worker, added at "
        f"{pause['events_per_s']:,.0f} events/s over {pause['customers']:,} customers, took over "
        f"{pause['moved_partitions']} partitions: {pause['moved_seconds']} s without an applied batch at most. The "
        f"{pause['kept_partitions']} that stayed were not claimed again and paused {pause['kept_seconds']} s at most."
    )
    head = (
        "| customers | workers | events/s | CPU us/event | checkpoints | rows checkpointed |\n|---|---|---|---|---|---|"
    )
    lines = [head, *map(_row, figures["points"]), "", adding, "", f"{_machine(figures['machine'])}."]
    return "\n".join(lines) + "\n"


def _row(point: Figures) -> str:
    return (
        f"| {point['customers']:,} | {point['workers']} | {point['events_per_s']:,} | {point['cpu_us_per_event']} | "
        f"{point['checkpoints']} | {point['rows_checkpointed']:,} |"
    )


def _workers(points: Sequence[Figures]) -> list[int]:
    return sorted({point["workers"] for point in points})


def _panel(points: Sequence[Figures], figure: str, title: str, number: int, shown: Callable[[float], str]) -> list[str]:
    known = [point for point in points if point[figure] is not None]
    sizes = sorted({point["customers"] for point in points})
    top = _round_up(max((point[figure] for point in known), default=1))
    left = LEFT + number * (PANEL_WIDTH + GAP)

    def x(customers: int) -> float:  # as far apart as they are many: each is ten times the one before
        return left + PANEL_WIDTH * (sizes.index(customers) + 0.5) / len(sizes)

    def y(value: float) -> float:
        return TOP + PANEL_HEIGHT * (1 - value / top)

    parts = [_text(left, TOP - 14, title)]
    for i in range(GRID_LINES + 1):
        value = top * i / GRID_LINES
        parts.append(f'<path d="M{left} {y(value):.1f}h{PANEL_WIDTH}" stroke="#ddd"/>')
        parts.append(_text(left - 6, y(value) + 4, shown(value), "end"))
    parts += [_text(x(size), TOP + PANEL_HEIGHT + 18, f"{size:,}", "middle") for size in sizes]
    parts.append(_text(left + PANEL_WIDTH / 2, TOP + PANEL_HEIGHT + 36, "customers", "middle"))
    for colour, workers in zip(COLOURS, _workers(points), strict=False):
        mine = sorted((p["customers"], p[figure]) for p in known if p["workers"] == workers)
        line = " ".join(f"{x(customers):.1f},{y(value):.1f}" for customers, value in mine)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(c):.1f}" cy="{y(v):.1f}" r="4" fill="{colour}"/>' for c, v in mine]
    return parts


def _legend(workers: Sequence[int]) -> list[str]:
    parts = []
    for i, (colour, count) in enumerate(zip(COLOURS, workers, strict=False)):
        at = LEFT + i * 120
        parts.append(f'<circle cx="{at + 5}" cy="20" r="5" fill="{colour}"/>')
        parts.append(_text(at + 16, 24, f"{count} worker{'s' if count > 1 else ''}"))
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT}>{escape(text)}</text>'


def _machine(machine: Figures) -> str:
    return f"{machine['cores']} cores of {machine['processor']}, Python {machine['python']}, Kafka {machine['kafka']}"


def _round_up(value: float) -> float:
    """The next round number: 1, 2, 4, 6, 8 or 10 times a power of ten."""
    power = 10.0
    while power < value:
        power *= 10
    while power / 10 >= value:
        power /= 10
    return next(step * power / 10 for step in (1, 2, 4, 6, 8, 10) if step * power / 10 >= value)
