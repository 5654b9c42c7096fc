"""The live view of a terminal, drawn with rich on standard error; gone when it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stream.clock import monotonic_s
from stream.demo.screen import LATENCY, date, milliseconds
from stream.settings import wants_colour
from stream.words import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.demo.run import Standing
    from stream.demo.tally import Tally
    from stream.subscriber import Change

BAR_WIDTH = 30  # of the year's progress
HEADER_LINES = 5  # date, two lines of figures, and the two rules
ROWS_MAX = (16, 8, 6, 5, 4, 3)  # segments of a dimension that are shown: as many as the terminal's height allows
STORY_LINES_MIN = 3  # of the followed customer, however low the terminal is


class LiveScreen:
    """A view that redraws itself; `order` gives the segments of each dimension in the order to show them."""

    def __init__(self, order: dict[str, list[str]], console: Console | None = None) -> None:
        self._order = order
        self._console = console or Console(stderr=True, no_color=not wants_colour(), highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._spinner = Spinner("line")
        self._stage, self._since_s = "", 0.0

    def stage(self, text: str) -> None:
        """Tell what is being waited for, and for how long."""
        now_s = monotonic_s()
        if text != self._stage:
            self._stage, self._since_s = text, now_s
        self._spinner.update(text=f"{text} ({now_s - self._since_s:.0f} s)")
        self._live.update(self._spinner, refresh=True)

    def draw(self, standing: Standing) -> None:
        """Show how things stand."""
        self._live.update(self.view(standing), refresh=True)

    def close(self) -> None:
        """Take the view off the terminal."""
        self._live.stop()

    def view(self, standing: Standing) -> RenderableType:
        """Everything, fitted to the terminal's height: what is left below the sizes goes to the changes."""
        tally = standing.tally
        for rows_max in ROWS_MAX:
            sizes = Columns([self._sizes(dimension, tally, rows_max) for dimension in tally.sizes], padding=(0, 3))
            used = HEADER_LINES + len(self._console.render_lines(sizes)) + 1
            if used + STORY_LINES_MIN + 1 <= self._console.height:
                break
        left = max(self._console.height - used, STORY_LINES_MIN + 1)
        recent = list(tally.recent)[: max(left - STORY_LINES_MIN, 1)]
        story = tally.story[-max(left - len(recent), STORY_LINES_MIN) :]
        return Group(
            _header(standing),
            *_figures(standing),
            sizes,
            Rule("what just changed", align="left", style="dim"),
            *(_line(change) for change in recent),
            Rule("ada, whom this demo follows", align="left", style="dim"),
            *_story(story),
        )

    def _sizes(self, dimension: str, tally: Tally, rows_max: int) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(justify="right", min_width=5)
        table.add_row(Text(dimension, style="bold cyan"), "")
        sizes = tally.sizes[dimension]
        known = self._order.get(dimension, [])
        shown = [*known, *sorted(segment for segment in set(sizes) - set(known) if sizes[segment])]
        largest = {segment for segment, _ in sizes.most_common(rows_max - 1)} if len(shown) > rows_max else set(shown)
        for segment in shown:
            if segment in largest:
                table.add_row(segment, f"{sizes[segment]:,}" if sizes[segment] else Text("0", style="dim"))
        if len(largest) < len(shown):
            rest = sum(sizes[segment] for segment in shown if segment not in largest)
            table.add_row(Text("others", style="dim"), f"{rest:,}")
        return table


def _header(standing: Standing) -> RenderableType:
    player = standing.player
    table = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=1.0, completed=player.share, width=BAR_WIDTH)
    ended = player.ended_s is not None
    told = "all sent: waiting for the last changes" if ended else f"{player.share:.0%} played"
    table.add_row(Text("segstream demo", style="bold"), Text(date(player.played_ms), style="bold yellow"), bar, told)
    return table


def _figures(standing: Standing) -> Iterable[RenderableType]:
    found, tally = standing.figures, standing.tally
    p50, p99 = (milliseconds(found.quantile(LATENCY, share, standing.before)) for share in (0.5, 0.99))
    customers = int(found.total("segstream_customers"))
    yield Text.from_markup(
        f"[bold]{standing.applied:>7,}[/] events  {standing.rate('segstream_events_applied_total'):>6,.0f}/s   "
        f"lag [bold]{standing.lag:>4,}[/]   latency p50 [bold]{p50:>7}[/]  p99 [bold]{p99:>7}[/]"
    )
    yield Text.from_markup(
        f"[bold]{tally.count:>7,}[/] changes {standing.rate('segstream_changes_total'):>6,.0f}/s   "
        f"{customers:,} customers   model {found.most('segstream_model_version'):.0f}   "
        f"{standing.refused} dead letters   {found.total('segstream_duplicate_events_total'):.0f} duplicates"
    )


def _line(change: Change) -> Text:
    text = Text(sentence(change), no_wrap=True, overflow="ellipsis")
    text.stylize("bold", 0, len(str(change["customer_id"])))
    return text


def _story(story: Iterable[Change]) -> Iterable[Text]:
    for change in story:
        line = Text(f"{change['decided_at'][:10]}  ", style="magenta", no_wrap=True, overflow="ellipsis")
        yield line.append(sentence(change).removeprefix(f"{change['customer_id']} "))
