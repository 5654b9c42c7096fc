"""A wall clock that was set: it is not believed, not once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.worker.log import LogUnavailableError
from stream.worker.steady_clock import CLOCK_JUMP_SECONDS, SteadyClock


class Machine:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.seconds = self.set_by_s = 0.0

    def wall_ms(self) -> int:
        """Epoch milliseconds."""
        return 1_700_000_000_000 + round((self.seconds + self.set_by_s) * 1000)

    def monotonic_s(self) -> float:
        """Seconds."""
        return self.seconds


@given(st.lists(st.tuples(st.floats(0.0, 1e5), st.floats(-1e8, 1e8)), max_size=8))
def test_time_passes_and_jumps_do_not(moves: list[tuple[float, float]]) -> None:
    """However long it runs: a reading is at most a minute off the monotonic clock, or it fails."""
    machine = Machine()
    clock = SteadyClock(machine)
    for passed_s, jump_s in moves:
        machine.seconds += passed_s
        machine.set_by_s += jump_s
        if abs(machine.set_by_s) > CLOCK_JUMP_SECONDS + 0.002:
            with pytest.raises(LogUnavailableError, match="the wall clock jumped by"):
                clock.wall_ms()
        elif abs(machine.set_by_s) < CLOCK_JUMP_SECONDS - 0.002:
            assert clock.wall_ms() == machine.wall_ms()
        assert clock.monotonic_s() == machine.seconds
