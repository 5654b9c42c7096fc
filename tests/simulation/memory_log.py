"""The log in memory: what Kafka does with appends, acks, transactions and fencing, one step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from stream.codec.block import Block, block_of
from stream.errors import SegstreamError
from stream.worker.log import FencedError, Keyed, LogUnavailableError, Several
from tests.simulation.process import Process
from tests.simulation.steps import entry_step, publish_steps, read_step
from tests.simulation.world import ABORTED, COMMITTED, Transaction

READ_RECORDS = 7  # of a range at a time: few, so that much happens between two reads


class MemoryTransactions:
    """See stream.worker.log.Transactions. Whether its holder is the last one is asked where a message arrives."""

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

    async def write(self, parts: Sequence[tuple[str, Several]]) -> list[int]:
        """See Transactions.write."""
        process, world = self._process, self._process.world
        whole = [(topic, await _all_of(records)) for topic, records in parts]
        await process.reach("5 checkpoint: nothing sent")
        transaction = Transaction()
        firsts = []
        for (topic, records), sent in zip(whole, ("rows and marker", "memberships"), strict=False):
            firsts.append(await world.wire(lambda t=topic, r=records: self._put(t, r, transaction)))  # type: ignore[misc]
            await process.point(f"5 checkpoint: {sent} sent")
        await world.wire(lambda: self._commit(transaction, [topic for topic, _ in parts]))
        await process.told("5 checkpoint: committed, not told")
        return firsts

    def _put(self, topic: str, records: Sequence[Keyed], transaction: Transaction) -> int:
        self._check()
        world = self._process.world
        world.open[self._identity] = transaction
        shelf = world.shelves[topic, self._partition]
        first = shelf.end
        for key, value in records:
            shelf.put(key, value, world.now_ms(), transaction)
        return first

    def _commit(self, transaction: Transaction, topics: Sequence[str]) -> None:
        self._check()
        world = self._process.world
        transaction.state = COMMITTED
        world.open.pop(self._identity, None)
        for topic in topics:
            world.shelves[topic, self._partition].end += 1  # the control record

    async def close(self) -> None:
        """See Transactions.close."""


async def _all_of(records: Several) -> list[Keyed]:
    return [record async for record in records] if isinstance(records, AsyncIterator) else list(records)


class MemoryLog:
    """See stream.worker.log.Log, for one process. `claiming` says whether a partition is being recovered."""

    def __init__(self, process: Process, claiming: Callable[[int], bool]) -> None:
        self._process = process
        self._world = process.world
        self._claiming = claiming
        self._last: dict[tuple[str, int], asyncio.Future[int]] = {}

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    async def append(self, topic: str, partition: int, value: bytes) -> int:
        """See Log.append."""
        before, after = entry_step(value)
        await self._process.reach(before, topic)
        shelf = self._world.shelves[topic, partition]
        offset = await self._world.wire(lambda: shelf.put(None, value, self._world.now_ms()))
        await self._process.told(after)
        return offset

    async def publish(self, topic: str, partition: int, records: Sequence[Keyed]) -> asyncio.Future[int]:
        """See Log.publish: records reach the log in order, some of them before a crash."""
        if not records:
            nothing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            nothing.set_result(-1)
            return nothing
        before = self._last.get((topic, partition))
        task = asyncio.ensure_future(self._deliver(topic, partition, list(records), before))
        self._last[topic, partition] = task
        return task

    async def _deliver(
        self, topic: str, partition: int, records: list[Keyed], before: asyncio.Future[int] | None
    ) -> int:
        step, in_part, after = publish_steps(topic, claiming=self._claiming(partition))
        if before is not None:
            if not before.done():
                await asyncio.wait([before])
            if before.cancelled() or before.exception() is not None:  # an idempotent producer never overtakes itself
                raise LogUnavailableError("an earlier record was not acknowledged")
        end = -1
        while records:
            await self._process.reach(step, topic)
            count = self._world.chance.randint(1, len(records))
            end = await self._world.wire(lambda part=records[:count]: self._put(topic, partition, part))  # type: ignore[misc]
            del records[:count]
            step = in_part
        await self._process.told(after)
        return end

    def _put(self, topic: str, partition: int, records: Sequence[Keyed]) -> int:
        shelf = self._world.shelves[topic, partition]
        for key, value in records:
            shelf.put(key, value, self._world.now_ms())
        return shelf.end

    async def read(
        self, topic: str, partition: int, start: int, end: int, *, committed: bool
    ) -> AsyncIterator[list[Any]]:
        """See Log.read."""
        if start >= end:
            return
        step = read_step(topic, claiming=self._claiming(partition))
        await self._process.reach(step)
        shelf = self._world.shelves[topic, partition]
        if start < shelf.start:
            raise SegstreamError(f"{topic} [{partition}] offset {start} is gone", "the simulation deleted it")
        records = shelf.between(start, min(end, shelf.readable_end()) if committed else end, committed=committed)
        self._process.reading += 1
        try:
            for i in range(0, len(records), READ_RECORDS):
                yield records[i : i + READ_RECORDS]
                await self._process.point(step)
        finally:
            self._process.reading -= 1

    async def blocks(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Block]:
        """See Log.blocks."""
        async for records in self.read(topic, partition, start, end, committed=True):
            yield block_of(records)

    async def bounds(self, topic: str, partition: int, *, committed: bool) -> tuple[int, int]:
        """See Log.bounds."""
        await self._process.reach(read_step(topic, claiming=self._claiming(partition)))
        shelf = self._world.shelves[topic, partition]
        return shelf.start, shelf.readable_end() if committed else shelf.end

    async def transactions(self, identity: str, partition: int) -> MemoryTransactions:
        """See Log.transactions."""
        await self._process.reach("claim: predecessor not fenced")
        taken = await self._world.wire(lambda: MemoryTransactions(self._process, identity, partition))
        await self._process.told("claim: predecessor fenced")
        return taken

    async def forget_readers(self) -> None:
        """See Log.forget_readers."""

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See Log.delete_before."""
        what = topic.removeprefix("segment-")
        await self._process.reach(f"5 forget: {what} not deleted")
        shelf = self._world.shelves[topic, partition]
        shelf.start = max(shelf.start, offset)
        await self._process.point(f"5 forget: {what} deleted")
