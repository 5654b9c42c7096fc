"""The live feed: records of the owned partitions from explicit positions, outside any consumer group.

It sends its own fetches over aiokafka's client. aiokafka's consumer would ask again as soon as a poll is over, so that
the first record that comes ends the wait of all; here the next fetch is sent when the caller asks for more, and brings
whatever has come meanwhile: at light traffic that halves both the number of batches and the time to wait for one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    for_code,
)

from stream.codec.block import Block, joined
from stream.kafka import client
from stream.kafka.record_batch import Aborted, aborted_of, unpack
from stream.kafka.wire import Fetch

if TYPE_CHECKING:
    from stream.settings import Settings

Place = tuple[str, int]  # plain topic name, partition

READ_COMMITTED = 1  # the protocol's number
FETCH_PARTITION_BYTES = 1024 * 1024  # of one partition at a time: 5,000 records; a larger message comes whole
FETCH_MAX_BYTES = 8 * 1024 * 1024  # of one answer: bounds what one poll brings into memory
RETRY_SECONDS = 0.1  # after an error that passes: leaders move within some tenths of a second
VERSION_WITH_REPLICA = 11  # of the fetch protocol: from here on an answer names a preferred replica
FATAL = (OffsetOutOfRangeError, TopicAuthorizationFailedError, UnsupportedCodecError)  # trying again does not help

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Cursor:
    """How far one place has been read and handed over."""

    position: int
    end: int | None = None  # the last stable offset as the last answer said
    paused: bool = False


@dataclass(slots=True)
class Part:
    """What an answer has of one place. It counts as read when a poll hands it over, not before."""

    block: Block | None
    position: int
    end: int


@dataclass(slots=True)
class Answer:
    """What one broker sent."""

    generation: int
    parts: dict[TopicPartition, Part] = field(default_factory=dict)


class Feed:
    """Fetches from all places, one request a broker at a time."""

    def __init__(self, settings: Settings, *, client_id: str = "feed") -> None:
        self._prefix = settings.prefix
        self._client = client.bare(settings, client_id)
        self._cursors: dict[TopicPartition, Cursor] = {}
        self._by_place: dict[Place, Cursor] = {}  # the same, by the plain name of the topic
        self._pending: dict[int, asyncio.Task[Answer]] = {}  # by broker
        self.generation = 0  # raised by every assign: what a poll brings belongs to the one it began under

    async def start(self) -> None:
        """Connect."""
        await self._client.bootstrap()

    async def stop(self) -> None:
        """Disconnect."""
        for task in self._pending.values():
            task.cancel()
        await asyncio.gather(*self._pending.values(), return_exceptions=True)
        self._pending.clear()
        await self._client.close()

    def assign(self, positions: dict[Place, int]) -> None:
        """Read from exactly these places from now on, each from its position."""
        self.generation += 1
        self._by_place = {place: Cursor(offset) for place, offset in positions.items()}
        self._cursors = {self._place(place): cursor for place, cursor in self._by_place.items()}
        if self._cursors:
            self._client.set_topics({place.topic for place in self._cursors})

    def _place(self, place: Place) -> TopicPartition:
        return TopicPartition(self._prefix + place[0], place[1])

    async def poll(self, wait_ms: int) -> dict[Place, Block]:
        """What has arrived, waiting at most `wait_ms` for something; raises KafkaError when a position is gone."""
        self._ask(everything=True)
        if not self._pending:
            await asyncio.sleep(wait_ms / 1000)
            return {}
        done, _ = await asyncio.wait(
            self._pending.values(), timeout=wait_ms / 1000, return_when=asyncio.FIRST_COMPLETED
        )
        self._pending = {node: task for node, task in self._pending.items() if task not in done}
        found: dict[Place, Block] = {}
        for task in done:
            answer = task.result()
            if answer.generation == self.generation:
                for place, part in answer.parts.items():
                    cursor = self._cursors[place]
                    cursor.position, cursor.end = part.position, part.end
                    if part.block is not None:
                        found[place.topic.removeprefix(self._prefix), place.partition] = part.block
        self._ask(everything=False)  # behind the end there is more at once: it comes while this is worked on
        return found

    def remaining(self, place: Place) -> int | None:
        """Records between the feed's position and the end as the last fetch saw it; None when it is not known."""
        cursor = self._by_place.get(place)
        if cursor is None or cursor.end is None:
            return None
        return max(cursor.end - cursor.position, 0)

    def position(self, place: Place) -> int:
        """The offset that the next fetch from an assigned place begins at."""
        return self._by_place[place].position

    def pause(self, place: Place, *, paused: bool) -> None:
        """Stop or go on fetching from a place."""
        cursor = self._by_place.get(place)
        if cursor is not None:
            cursor.paused = paused

    # -- fetching ----------------------------------------------------------------------------------------------------

    def _ask(self, *, everything: bool) -> None:
        """Send a fetch to each broker that owes none; unless `everything`, only where more is known to be."""
        if not everything and all(cursor.position == cursor.end or cursor.paused for cursor in self._cursors.values()):
            return
        wanted: dict[int, list[TopicPartition]] = defaultdict(list)
        behind: set[int] = set()
        for place, cursor in self._cursors.items():
            if cursor.paused:
                continue
            node = self._client.cluster.leader_for_partition(place)
            node = -1 if node is None else node
            wanted[node].append(place)
            if cursor.end is None or cursor.position < cursor.end:
                behind.add(node)
        for node, places in wanted.items():
            if node not in self._pending and (everything or node in behind):
                positions = {place: self._cursors[place].position for place in places}
                self._pending[node] = asyncio.ensure_future(self._fetch(node, positions, self.generation))

    async def _fetch(self, node: int, positions: dict[TopicPartition, int], generation: int) -> Answer:
        if node < 0:  # nobody leads these, or nobody has said who
            await self._look_for_leaders()
            return Answer(generation)
        by_topic: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for place, position in positions.items():
            by_topic[place.topic].append((place.partition, position, FETCH_PARTITION_BYTES))
        request = Fetch(client.FETCH_WAIT_MS, FETCH_MAX_BYTES, READ_COMMITTED, list(by_topic.items()))
        try:
            response = await self._client.send(node, request)
        except KafkaError as error:
            logger.warning("a fetch failed: %s", error)
            await self._look_for_leaders()
            return Answer(generation)
        answer = Answer(generation)
        passing = self._read(response, answer) if generation == self.generation else None
        if passing is not None:
            logger.warning("a fetch was refused: %s", passing)
            await self._look_for_leaders()
        return answer

    def _read(self, response: Any, answer: Answer) -> str | None:
        """Take an answer's records; returns what went wrong and will pass, and raises what will not."""
        passing = None
        for topic, partitions in response.topics:
            for partition, code, _, *rest in partitions:
                place = TopicPartition(topic, partition)
                error = for_code(code)
                if issubclass(error, FATAL):
                    raise error(f"{topic} [{partition}] at offset {self._cursors[place].position}")
                if code:
                    passing = f"{topic} [{partition}]: {error.__name__}"
                    continue
                position = self._cursors[place].position
                if not rest[-1]:
                    answer.parts[place] = Part(None, position, rest[0])
                    continue
                blocks, position = unpack(rest[-1], position, _aborted(response.API_VERSION, rest))
                answer.parts[place] = Part(joined(blocks) if blocks else None, position, rest[0])
        return passing

    async def _look_for_leaders(self) -> None:
        self._client.force_metadata_update()
        await asyncio.sleep(RETRY_SECONDS)


def _aborted(version: int, rest: list[Any]) -> Aborted:
    """The aborted transactions of an answer, whose place hangs on the protocol's version."""
    return aborted_of(rest[2] if version >= VERSION_WITH_REPLICA else rest[-2])
