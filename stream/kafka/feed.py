"""The live feed: records of the owned partitions from explicit positions, outside any consumer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from stream.kafka import client

if TYPE_CHECKING:
    from stream.settings import Settings

Place = tuple[str, int]  # plain topic name, partition


class Feed:
    """One consumer over all inputs of all owned partitions."""

    def __init__(self, settings: Settings, *, client_id: str = "feed") -> None:
        self._prefix = settings.prefix
        self._consumer = client.reader(
            settings, "read_committed", client_id=client_id, records_max=settings.batch_records
        )
        self._paused: set[TopicPartition] = set()
        self.generation = 0  # raised by every assign: what a poll brings belongs to the one it began under

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def assign(self, positions: dict[Place, int]) -> None:
        """Read from exactly these places from now on, each from its position."""
        places = {self._place(place): offset for place, offset in positions.items()}
        self.generation += 1
        self._paused.clear()
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    def _place(self, place: Place) -> TopicPartition:
        return TopicPartition(self._prefix + place[0], place[1])

    async def poll(self, wait_ms: int) -> dict[Place, list[Any]]:
        """What has arrived, waiting at most `wait_ms` for something; raises KafkaError when a position is gone."""
        if not self._consumer.assignment() - self._paused:
            return {}
        batches = await self._consumer.getmany(timeout_ms=wait_ms)
        return {(tp.topic.removeprefix(self._prefix), tp.partition): records for tp, records in batches.items()}

    async def remaining(self, place: Place) -> int | None:
        """Records between the feed's position and the end as the last fetch saw it; None when it is not known."""
        tp = self._place(place)
        if tp not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.last_stable_offset(tp)
        if end is None:
            return None
        position: int = await self._consumer.position(tp)
        return max(end - position, 0)

    def pause(self, place: Place, *, paused: bool) -> None:
        """Stop or go on fetching from a place."""
        tp = self._place(place)
        if paused == (tp in self._paused) or tp not in self._consumer.assignment():
            return
        if paused:
            self._consumer.pause(tp)
            self._paused.add(tp)
        else:
            self._consumer.resume(tp)
            self._paused.discard(tp)
