"""The clock: units and direction."""

from __future__ import annotations

from stream.clock import monotonic_s, wall_ms


def test_the_wall_clock_is_milliseconds_since_the_epoch() -> None:
    """A time in ms of this century has 13 digits; seconds or microseconds would not."""
    assert len(str(wall_ms())) == 13


def test_the_monotonic_clock_does_not_go_back() -> None:
    """Deadlines rest on it."""
    earlier_s = monotonic_s()
    assert monotonic_s() >= earlier_s
