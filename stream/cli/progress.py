"""The progress bar of downloads: on standard error, and only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream.clock import monotonic_s
from stream.settings import wants_colour


@contextmanager
def download_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a callback (bytes done, bytes in all) that draws a bar, or None where nobody would see it.

    The bar appears with the first call: nothing is drawn when nothing is downloaded.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # a tenth of a second, for those who see it
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True, no_color=not wants_colour())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None, visible=False)

        def advance(done_bytes: int, total_bytes: int) -> None:
            progress.update(task, completed=done_bytes, total=total_bytes, visible=True)

        yield advance


@contextmanager
def share_bar(title: str) -> Iterator[Callable[[float, int], None] | None]:
    """Give a callback (share done from 0 to 1, events so far) that draws a bar with rate and time left, or None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True, no_color=not wants_colour())
    started_s = monotonic_s()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=1.0, rate="")

        def advance(share: float, events: int) -> None:
            rate = events / max(monotonic_s() - started_s, 1e-3)  # a millisecond: the first call comes at once
            progress.update(task, completed=share, rate=f"{rate:,.0f} events/s")

        yield advance
