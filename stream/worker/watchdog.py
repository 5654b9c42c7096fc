"""Is this worker still getting on? The event loop tells, other threads ask; every time is the caller's monotonic clock.

Alive is what turns, and every partition with something to do that got on within a set time. Nothing here waits, so the
answer comes also when the event loop stands still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOOP = "event loop"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a partition stands: `mark` differs from the last as soon as it has got on, `waiting` says why it should."""

    mark: object
    waiting: str  # what it has to do ("120 records to apply", "a claim to finish"); "" for nothing


@dataclass(frozen=True, slots=True)
class Stall:
    """A partition that has something to do and does not get on."""

    seconds: float
    waiting: str


class Watchdog:
    """What was last seen of the loops and of each partition.

    Parameters
    ----------
    stall_seconds : how long a partition with something to do may stand where it is.
    silent_seconds_max : how long a loop may go without a turn.
    """

    def __init__(self, stall_seconds: float, silent_seconds_max: float) -> None:
        self._stall_seconds = stall_seconds
        self._silent_seconds_max = silent_seconds_max
        self._turned_s: dict[str, float] = {}
        # replaced as a whole, never changed: other threads read it
        self._seen: dict[int, tuple[Standing, float]] = {}
        self._told: set[int] = set()

    def turned(self, loop: str, now_s: float) -> None:
        """A loop has made a turn; from its first one on it is watched."""
        self._turned_s[loop] = now_s

    def look(self, now_s: float, standings: Mapping[int, Standing]) -> dict[int, Stall]:
        """Take in where every partition of ours stands; returns those that began to stall since the last look."""
        seen = {}
        for number, standing in standings.items():
            last, since_s = self._seen.get(number, (standing, now_s))
            got_on = last.mark != standing.mark or not standing.waiting or not last.waiting
            seen[number] = standing, now_s if got_on else since_s
        self._seen = seen
        stalls = self.stalls(now_s)
        told, self._told = self._told, set(stalls)
        return {number: stall for number, stall in stalls.items() if number not in told}

    def stalls(self, now_s: float) -> dict[int, Stall]:
        """The partitions that stall."""
        return {
            number: Stall(now_s - since_s, standing.waiting)
            for number, (standing, since_s) in self._seen.items()
            if standing.waiting and now_s - since_s > self._stall_seconds
        }

    def reason(self, now_s: float) -> str | None:
        """None while all is alive; else what stands still, by name."""
        for loop, turned_s in self._turned_s.copy().items():
            if now_s - turned_s > self._silent_seconds_max:
                return f"the {loop} has stood still for {now_s - turned_s:.0f} s"
        found = [
            f"partition {number} has not got on for {stall.seconds:.0f} s: {stall.waiting}"
            for number, stall in sorted(self.stalls(now_s).items())
        ]
        return "; ".join(found) or None
