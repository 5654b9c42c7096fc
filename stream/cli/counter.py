"""A running count on standard error, and only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream.clock import monotonic_s

REDRAW_SECONDS = 0.2  # fast enough to look alive, slow enough to cost nothing


@contextmanager
def counter(what: str) -> Iterator[Callable[[int], None] | None]:
    """Give a callback (count so far) that keeps one line up to date, or None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    started_s = drawn_s = monotonic_s()

    def count(done: int) -> None:
        nonlocal drawn_s
        now_s = monotonic_s()
        if now_s - drawn_s >= REDRAW_SECONDS:
            drawn_s = now_s
            sys.stderr.write(f"\r{done:,} {what}, {done / (now_s - started_s):,.0f} a second\x1b[K")
            sys.stderr.flush()

    try:
        yield count
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
