"""Follow: read one topic's partitions from chosen offsets, outside any group; the reader behind `watch` and
subscribers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from stream.errors import SegstreamError
from stream.kafka import client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.settings import Settings


class Followed(NamedTuple):
    """One record: where it lies, when it was written (Kafka's time, epoch ms), its key and value (None =
    tombstone).
    """

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Follower:
    """Reads a topic (name without prefix); `start`, then `seek`, then `records` again and again; `stop` at
    the end.
    """

    def __init__(
        self, settings: Settings, topic: str, isolation: client.Isolation, *, client_id: str = "follow"
    ) -> None:
        self._settings = settings
        self._topic = settings.prefix + topic
        self._consumer = client.reader(settings, isolation, client_id=client_id)
        self._assigned: list[TopicPartition] = []

    async def start(self) -> list[int]:
        """Connect and return the partitions of the topic.

        Raises
        ------
        SegstreamError : no broker answers, or the topic does not exist.
        """
        try:
            await self._consumer.start()
            existing = await self._consumer.topics()
        except KafkaError as error:
            raise await client.unreachable(self._settings, error) from error
        if self._topic not in existing:
            raise SegstreamError(f"the topic {self._topic} does not exist", "run `segstream topics create`")
        # An assigned topic is in the driver's metadata; partition 0 is in every topic.
        self._consumer.assign([TopicPartition(self._topic, 0)])
        await self._consumer.end_offsets([TopicPartition(self._topic, 0)])
        found = self._consumer.partitions_for_topic(self._topic) or {0}
        self._assigned = [TopicPartition(self._topic, partition) for partition in sorted(found)]
        self._consumer.assign(self._assigned)
        return sorted(found)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def first_offsets(self) -> dict[int, int]:
        """The oldest offset that is still there, by partition."""
        found = await self._consumer.beginning_offsets(self._assigned)
        return {place.partition: offset for place, offset in found.items()}

    async def end_offsets(self) -> dict[int, int]:
        """The offset after the newest record that may be read (committed: before any open transaction)."""
        found = await self._consumer.end_offsets(self._assigned)
        return {place.partition: offset for place, offset in found.items()}

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Go on reading at these offsets, by partition."""
        for partition, offset in offsets.items():
            self._consumer.seek(TopicPartition(self._topic, partition), offset)

    async def positions(self) -> dict[int, int]:
        """The offset of the next record to read, by partition; it passes control records, which are never
        handed out.
        """
        return {place.partition: await self._consumer.position(place) for place in self._assigned}

    async def records(self, wait_ms: int) -> list[Followed]:
        """What arrived, in offset order within each partition; empty if nothing did for `wait_ms`.

        Raises
        ------
        SegstreamError : records were deleted before they were read.
        """
        try:
            arrived = await self._consumer.getmany(timeout_ms=wait_ms)
        except OffsetOutOfRangeError as error:
            raise SegstreamError(
                f"{self._topic} no longer holds the records to read next",
                "start the reader again; it was behind retention",
            ) from error
        return [
            Followed(place.partition, record.offset, record.timestamp, record.key, record.value)
            for place, records in arrived.items()
            for record in records
        ]
