"""The broker's side of a simulation: topics, transactional identities, faults that wait for their step, and chance."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tests.simulation.faults import Scenario, StepFault

T = TypeVar("T")
OPEN, COMMITTED, ABORTED = range(3)
ROUND_TRIP_SECONDS, SLOW_SECONDS = 0.001, 0.02  # delays of a step, beside none

_offset = attrgetter("offset")


@dataclass(slots=True)
class Transaction:
    """One transaction: its records are readable when it is committed."""

    state: int = OPEN


@dataclass(frozen=True, slots=True)
class Stored:
    """One record."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    transaction: Transaction | None = None

    @property
    def committed(self) -> bool:
        """Whether a reader of committed records sees it."""
        return self.transaction is None or self.transaction.state == COMMITTED


@dataclass(slots=True)
class Shelf:
    """One partition of one topic. What was deleted stays for the checks, below `start`."""

    records: list[Stored] = field(default_factory=list)
    end: int = 0  # control records take offsets too
    start: int = 0

    def put(self, key: bytes | None, value: bytes | None, now_ms: int, transaction: Transaction | None = None) -> int:
        """Append one record and return its offset."""
        self.records.append(Stored(self.end, key, value, now_ms, transaction))
        self.end += 1
        return self.end - 1

    def between(self, start: int, end: int, *, committed: bool) -> list[Stored]:
        """The records with offsets in [start, end)."""
        first = bisect_left(self.records, start, key=_offset)
        found = self.records[first : bisect_left(self.records, end, lo=first, key=_offset)]
        return [record for record in found if record.committed] if committed else found

    def readable_end(self) -> int:
        """The offset of the first record of an open transaction, or the end."""
        end = self.end
        for record in reversed(self.records):
            if record.transaction is None or record.transaction.state != OPEN:
                break
            end = record.offset
        return end


class World:
    """Everything outside the processes."""

    def __init__(self, scenario: Scenario) -> None:
        self.chance = random.Random(scenario.seed)
        self.shelves: dict[tuple[str, int], Shelf] = defaultdict(Shelf)
        self.holders: dict[str, int] = defaultdict(int)
        self.open: dict[str, Transaction] = {}
        self.down_until_s = self.slow_until_s = self.lost_until_s = 0.0
        self.leader_until_s: dict[str, float] = {}  # of one topic
        self.passed: Counter[str] = Counter()
        self.struck: Counter[tuple[str, str]] = Counter()  # by kind of fault and gap
        self._waiting: dict[str, list[StepFault]] = defaultdict(list)
        for fault in scenario.at_steps:
            self._waiting[fault.step].append(fault)
        self._random = self.chance.random
        self._loop = asyncio.get_running_loop()

    def now_s(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    def now_ms(self) -> int:
        """Virtual time."""
        return int(self._loop.time() * 1000)

    def delay(self) -> float:
        """Seconds that a step takes."""
        drawn = self._random()
        return 0.0 if drawn < 0.6 else ROUND_TRIP_SECONDS if drawn < 0.9 else SLOW_SECONDS

    def passes(self, step: str) -> StepFault | None:
        """Count a pass of the gap; the fault that waits for just this one."""
        passed = self.passed[step] = self.passed[step] + 1
        if step in self._waiting:
            for fault in self._waiting[step]:
                if fault.nth == passed:
                    self.struck[fault.kind, step] += 1
                    return fault
        return None

    async def wire(self, effect: Callable[[], T]) -> T:
        """Send a message: it arrives a little later, also when its sender is no more."""
        arrived: asyncio.Future[T] = self._loop.create_future()

        def arrive() -> None:
            try:
                result = effect()
            except Exception as error:  # noqa: BLE001 - the sender's, as the answer
                if not arrived.done():
                    arrived.set_exception(error)
                return
            if not arrived.done():
                arrived.set_result(result)

        self._loop.call_later(self.delay(), arrive)
        return await arrived

    def calm(self) -> None:
        """No more faults."""
        self._waiting.clear()
        self.leader_until_s.clear()
        self.down_until_s = self.slow_until_s = self.lost_until_s = 0.0
