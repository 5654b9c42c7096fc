"""A wall clock that is believed only as long as it goes with the monotonic one."""

from __future__ import annotations

from typing import Any

from stream.worker.log import LogUnavailableError

CLOCK_JUMP_SECONDS = 60.0  # a wall clock this far off the monotonic one was set by hand: silence would be invented


class SteadyClock:
    """stream.clock's two functions; the wall clock is refused once it has jumped.

    With `clock` live, silence is declared by the wall clock and written to the journal for ever: one reading after a
    jump would be too many, so the reading itself fails.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._apart_s = clock.wall_ms() / 1000 - clock.monotonic_s()

    def wall_ms(self) -> int:
        """Epoch milliseconds; raises LogUnavailableError when they jumped since the start: only a new start helps."""
        wall_ms: int = self._clock.wall_ms()
        jumped_s = wall_ms / 1000 - self._clock.monotonic_s() - self._apart_s
        if abs(jumped_s) > CLOCK_JUMP_SECONDS:
            raise LogUnavailableError(f"the wall clock jumped by {jumped_s:.0f} s")
        return wall_ms

    def monotonic_s(self) -> float:
        """Seconds, never going back."""
        seconds: float = self._clock.monotonic_s()
        return seconds
