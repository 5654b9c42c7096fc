"""The live feed in memory: what stream.kafka.feed does, for one simulated process."""

from __future__ import annotations

import asyncio

from aiokafka.errors import OffsetOutOfRangeError

from stream.codec.block import Block, block_of
from tests.simulation.process import Process

FETCH_RECORDS_MAX = 6  # of a place at a time
Place = tuple[str, int]


class MemoryFeed:
    """See stream.kafka.feed.Feed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._next: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._fetched: set[Place] = set()  # asked of the broker since they were assigned
        self.generation = 0

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    def assign(self, positions: dict[Place, int]) -> None:
        """See Feed.assign."""
        self.generation += 1
        self._next = dict(positions)
        self._paused.clear()
        self._fetched.clear()

    async def poll(self, wait_ms: int) -> dict[Place, Block]:
        """See Feed.poll."""
        generation = self.generation
        await self._process.reach("1 inputs: fetching")
        found = self._fetch() if generation == self.generation else {}
        if not found:
            await asyncio.sleep(wait_ms / 1000)
            await self._process.point("1 inputs: fetching")
            found = self._fetch()
        return found

    def _fetch(self) -> dict[Place, Block]:
        found = {}
        for place, start in self._next.items():
            if place in self._paused:
                continue
            self._fetched.add(place)
            shelf = self._world.shelves[place]
            if start < shelf.start:
                raise OffsetOutOfRangeError(f"{place} begins at {shelf.start}, {start} was asked for")
            end = shelf.readable_end()
            records = shelf.between(start, end, committed=True)
            count = self._world.chance.randint(1, FETCH_RECORDS_MAX)
            if records:
                found[place] = block_of(records[:count])
            self._next[place] = records[count - 1].offset + 1 if len(records) > count else end
        return found

    def remaining(self, place: Place) -> int | None:
        """See Feed.remaining."""
        if place not in self._fetched or place not in self._next:
            return None
        return self._world.shelves[place].readable_end() - self._next[place]

    def position(self, place: Place) -> int:
        """See Feed.position."""
        return self._next[place]

    def pause(self, place: Place, *, paused: bool) -> None:
        """See Feed.pause."""
        if paused:
            self._paused.add(place)
        else:
            self._paused.discard(place)
