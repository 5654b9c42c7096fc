"""What the viewer sees while the year plays: on a terminal a live view, elsewhere a line now and then."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from stream.clock import monotonic_s

if TYPE_CHECKING:
    from stream.demo.run import Standing

LINE_SECONDS = 5.0  # between two lines where nobody can watch
LATENCY = "segstream_change_latency_seconds"


class Screen(Protocol):
    """Shows where the demo stands; `close` comes before anything else is printed."""

    def stage(self, text: str) -> None:
        """What is being waited for; the same text may come again and again."""

    def draw(self, standing: Standing) -> None:
        """How things stand."""

    def close(self) -> None:
        """Leave the terminal as it was; may be called twice."""


class PlainScreen:
    """Lines on a stream: each stage once, progress every few seconds."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._stage = ""
        self._told_s = 0.0

    def stage(self, text: str) -> None:
        """Tell a stage when it begins."""
        if text != self._stage:
            self._stage = text
            self._say(text)

    def draw(self, standing: Standing) -> None:
        """Tell how things stand, every few seconds."""
        now_s = monotonic_s()
        if now_s - self._told_s >= LINE_SECONDS:
            self._told_s = now_s
            self._say(progress_line(standing))

    def close(self) -> None:
        """Nothing to leave."""

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


def progress_line(standing: Standing) -> str:
    """Everything that matters in one line."""
    player, tally, found = standing.player, standing.tally, standing.figures
    p50, p99 = (milliseconds(found.quantile(LATENCY, share, standing.before)) for share in (0.5, 0.99))
    return (
        f"{date(player.played_ms)}  {player.share:4.0%} played  {standing.applied:,} events "
        f"({standing.rate('segstream_events_applied_total'):,.0f}/s), lag {standing.lag:,}, "
        f"{tally.count:,} changes ({standing.rate('segstream_changes_total'):,.0f}/s), "
        f"latency p50 {p50} p99 {p99}, model {found.most('segstream_model_version'):.0f}"
    )


def date(ms: int) -> str:
    """The day of a time."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def milliseconds(seconds: float | None) -> str:
    """A latency for people; a dash for none."""
    return "-" if seconds is None else f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"
