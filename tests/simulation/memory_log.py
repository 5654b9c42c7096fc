"""The log in memory: what Kafka does with appends, acks, transactions and fencing, one step at a time.

Every operation passes `World.point` before it takes effect and again before its caller learns of it. There the
scheduler may delay it, freeze its process, or let the process die.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.worker.log import FencedError, Keyed

DELAY_SECONDS = (0.0, 0.001, 0.02)  # of a step: at once, a round trip, a slow broker
OPEN, COMMITTED, ABORTED = range(3)


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


@dataclass(slots=True)
class Shelf:
    """One partition of one topic."""

    records: list[Stored] = field(default_factory=list)
    end: int = 0  # control records take offsets too
    start: int = 0

    def put(self, key: bytes | None, value: bytes | None, now_ms: int, transaction: Transaction | None = None) -> int:
        """Append one record and return its offset."""
        self.records.append(Stored(self.end, key, value, now_ms, transaction))
        self.end += 1
        return self.end - 1

    def readable_end(self) -> int:
        """The offset of the first record of an open transaction, or the end."""
        return next((r.offset for r in self.records if r.transaction and r.transaction.state == OPEN), self.end)


class World:
    """All topics, all transactional identities, and chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.shelves: dict[tuple[str, int], Shelf] = defaultdict(Shelf)
        self.holders: dict[str, int] = defaultdict(int)
        self.open: dict[str, Transaction] = {}

    def now_ms(self) -> int:
        """Virtual time."""
        return int(asyncio.get_running_loop().time() * 1000)


class Process:
    """One worker process: it can be frozen, thawed and killed at every step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.alive = True
        self.running = asyncio.Event()
        self.running.set()
        self.tasks: list[asyncio.Task[Any]] = []
        self.fenced = False  # it found a newer owner and stopped
        self.steps_left = -1  # until it kills itself; -1: never

    async def point(self) -> None:
        """A step: time passes, the process may be frozen or die here."""
        if self.steps_left > 0:
            self.steps_left -= 1
            if self.steps_left == 0:
                self.kill()
        delay = self.world.chance.choice(DELAY_SECONDS)
        await asyncio.sleep(delay)
        await self.running.wait()
        if not self.alive:
            await asyncio.Event().wait()  # nothing it asks for ever happens again

    def kill(self) -> None:
        """SIGKILL: no line of its code runs again."""
        self.alive = False
        for task in self.tasks:
            task.cancel()


class MemoryTransactions:
    """See stream.worker.log.Transactions."""

    def __init__(self, process: Process, identity: str, partition: int) -> None:
        self._process, self._identity, self._partition = process, identity, partition
        world = process.world
        world.holders[identity] += 1
        self._holder = world.holders[identity]
        left_open = world.open.pop(identity, None)
        if left_open is not None:
            left_open.state = ABORTED

    def _check(self) -> None:
        if self._process.world.holders[self._identity] != self._holder:
            raise FencedError

    async def write(self, parts: Sequence[tuple[str, Sequence[Keyed]]]) -> list[int]:
        """See Transactions.write."""
        world = self._process.world
        await self._process.point()
        self._check()
        transaction = Transaction()
        world.open[self._identity] = transaction
        firsts = []
        for topic, records in parts:
            await self._process.point()
            self._check()
            shelf = world.shelves[topic, self._partition]
            firsts.append(shelf.end)
            for key, value in records:
                shelf.put(key, value, world.now_ms(), transaction)
        await self._process.point()
        self._check()
        transaction.state = COMMITTED
        del world.open[self._identity]
        for topic, _ in parts:
            world.shelves[topic, self._partition].end += 1  # the control record
        await self._process.point()
        return firsts

    async def close(self) -> None:
        """See Transactions.close."""


class MemoryLog:
    """See stream.worker.log.Log, for one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._last: dict[tuple[str, int], asyncio.Task[int]] = {}

    async def append(self, topic: str, partition: int, value: bytes) -> int:
        """See Log.append."""
        await self._process.point()
        offset = self._world.shelves[topic, partition].put(None, value, self._world.now_ms())
        await self._process.point()
        return offset

    async def publish(self, topic: str, partition: int, records: Sequence[Keyed]) -> asyncio.Task[int]:
        """See Log.publish: records reach the log in order, some of them before a crash."""
        before = self._last.get((topic, partition))
        task = asyncio.ensure_future(self._deliver(topic, partition, list(records), before))
        self._last[topic, partition] = task
        self._process.tasks.append(task)
        return task

    async def _deliver(self, topic: str, partition: int, records: list[Keyed], before: asyncio.Task[int] | None) -> int:
        if before is not None:
            await asyncio.shield(before)
        end = -1
        while records:
            await self._process.point()
            count = self._world.chance.randint(1, len(records))
            for key, value in records[:count]:
                end = self._world.shelves[topic, partition].put(key, value, self._world.now_ms()) + 1
            del records[:count]
        await self._process.point()
        return end

    async def read(
        self, topic: str, partition: int, start: int, end: int, *, committed: bool
    ) -> AsyncIterator[list[Any]]:
        """See Log.read."""
        await self._process.point()
        records = [
            record
            for record in self._world.shelves[topic, partition].records
            if start <= record.offset < end
            and (not committed or record.transaction is None or record.transaction.state == COMMITTED)
        ]
        for i in range(0, len(records), 7):
            yield records[i : i + 7]
            await self._process.point()

    async def bounds(self, topic: str, partition: int, *, committed: bool) -> tuple[int, int]:
        """See Log.bounds."""
        await self._process.point()
        shelf = self._world.shelves[topic, partition]
        return shelf.start, shelf.readable_end() if committed else shelf.end

    async def transactions(self, identity: str, partition: int) -> MemoryTransactions:
        """See Log.transactions."""
        await self._process.point()
        return MemoryTransactions(self._process, identity, partition)

    async def forget_readers(self) -> None:
        """See Log.forget_readers."""

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See Log.delete_before."""
        shelf = self._world.shelves[topic, partition]
        shelf.start = max(shelf.start, offset)
        shelf.records = [record for record in shelf.records if record.offset >= offset]
