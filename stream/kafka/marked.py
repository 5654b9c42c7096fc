"""Records with a header on each, in whole batches: what is not live says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from aiokafka.errors import KafkaError

from stream.errors import SegstreamError
from stream.kafka import client

if TYPE_CHECKING:
    from stream.settings import Settings

UNACKED_MAX = 64  # batches on their way: bounds memory


class MarkedProducer:
    """Writes records in order, each with the same header; use as an async context manager."""

    def __init__(self, settings: Settings, header: tuple[str, bytes]) -> None:
        self._settings = settings
        self._header = header
        self._producer = client.producer(settings, client_id="marked")
        self._unacked: list[asyncio.Future[object]] = []
        self._known: set[str] = set()

    async def __aenter__(self) -> Self:
        """Connect; raises SegstreamError when no broker answers."""
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise self._failed(error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def write(self, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Send records to a partition; they are safe after `flush`. Raises SegstreamError when they are refused."""
        name = self._settings.prefix + topic
        if name not in self._known:
            await self._check(name, partition)
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(timestamp=None, key=key, value=value, headers=[self._header]) is None:
                await self._send(batch, name, partition)
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=[self._header])  # the first always fits
        if batch.record_count():
            await self._send(batch, name, partition)

    async def flush(self) -> None:
        """Wait until the brokers have everything."""
        try:
            await asyncio.wait_for(asyncio.gather(*self._unacked), self._settings.ack_timeout_seconds)
        except (KafkaError, TimeoutError) as error:
            raise self._failed(error) from error
        self._unacked.clear()

    async def _send(self, batch: object, name: str, partition: int) -> None:
        try:
            self._unacked.append(await self._producer.send_batch(batch, name, partition=partition))
        except KafkaError as error:
            raise self._failed(error) from error
        if len(self._unacked) >= UNACKED_MAX:
            await self.flush()

    async def _check(self, name: str, partition: int) -> None:
        found = (await self._producer.client.fetch_all_metadata()).partitions_for_topic(name)
        if not found or partition not in found:
            raise SegstreamError(
                f"there is no partition {partition} of {name}",
                "run `segstream topics create` with that prefix and as many partitions",
            )
        self._known.add(name)

    def _failed(self, error: BaseException) -> SegstreamError:
        return SegstreamError(
            f"no usable answer from Kafka at {self._settings.brokers}: {error}",
            "check that it runs and that SEGSTREAM_BROKERS names it",
        )
