"""Bulk: many events into the input topics, whole batches at a time, each to its customer's partition."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Self

from aiokafka.errors import KafkaError

from stream.clock import monotonic_s, wall_ms
from stream.errors import SegstreamError
from stream.kafka import client
from stream.kafka.partitioner import partition_of_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aiokafka.producer.message_accumulator import BatchBuilder

    from stream.settings import Settings

BulkRecord = tuple[str, bytes, bytes]
"""(topic without prefix, key, value)."""

UNACKED_MAX = 64  # batches on their way (32 MB): bounds memory, and what a dead broker leaves unsure
KNOWN_KEYS_MAX = 200_000  # remembered hashes of keys (murmur2 in Python costs 3 us a key); some 20 MB
SLICE_RECORDS = 1_000  # between two looks at the clock, the progress and other tasks: some 5 ms
PACE_SECONDS = 0.02  # at a given rate: how long records gather before they are sent
HASH_RANGE = 2**31  # the whole positive hash: its remainder is good for any number of partitions


class BulkProducer:
    """Sends records with the wall clock as their Kafka timestamp; use as an async context manager.

    Idempotent producer, acks of all replicas. A record is safe when `flush` (or `run`) has returned.

    Parameters
    ----------
    at_once : what a `run` sends is one transaction (a minute long at most): readers see all of it, or nothing yet.
    """

    def __init__(self, settings: Settings, *, at_once: bool = False) -> None:
        self._settings, self._at_once = settings, at_once
        self._producer = (
            client.transactional_producer(settings, "bulk", client_id="bulk")
            if at_once
            else client.producer(settings, client_id="bulk")
        )
        self._partitions: dict[str, int] = {}
        self._hashes: dict[bytes, int] = {}
        self._open: dict[tuple[str, int], BatchBuilder] = {}
        self._full: list[tuple[str, int, BatchBuilder]] = []
        self._unacked: set[asyncio.Future[object]] = set()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises
        ------
        SegstreamError : no broker answers.
        """
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise await client.unreachable(self._settings, error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect; what was not flushed may be lost."""
        await self._producer.stop()

    async def run(
        self,
        records: Iterable[BulkRecord],
        *,
        rate: float | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> int:
        """Send all the records and return how many, once all are acknowledged.

        Parameters
        ----------
        records : what to send, taken as it is needed.
        rate : records a second; None for as fast as the brokers take them.
        on_progress : called now and then with the number of records handed over so far.

        Raises
        ------
        SegstreamError : a topic does not exist, or the brokers refuse or stay silent.
        """
        if self._at_once:
            await self._producer.begin_transaction()
        started_s = monotonic_s()
        source = iter(records)
        count = 0
        while True:
            due = SLICE_RECORDS if rate is None else int((monotonic_s() - started_s) * rate) - count
            taken = await self.add(islice(source, min(max(due, 1), SLICE_RECORDS)))
            if not taken:
                break
            count += taken
            if on_progress is not None:
                on_progress(count)
            if rate is None:
                await asyncio.sleep(0)  # lets the driver send what is full
            else:
                await self._send_open()
                ahead_s = count / rate - (monotonic_s() - started_s)
                await asyncio.sleep(max(ahead_s, min(PACE_SECONDS, 1 / rate)))
        await self.flush()
        if self._at_once:
            await self._producer.commit_transaction()
        return count

    async def add(self, records: Iterable[BulkRecord]) -> int:
        """Put records into their partitions' batches, sending those that are full; returns how many."""
        count = 0
        for topic, key, value in records:
            if topic not in self._partitions:
                await self._find(topic)
            self._append(topic, key, value)
            count += 1
            if self._full:
                await self._send_full()
        return count

    async def flush(self) -> None:
        """Send everything and wait until the brokers have it.

        Raises
        ------
        SegstreamError : they refuse or stay silent.
        """
        await self._send_open()
        while self._unacked:
            await self._acknowledge(asyncio.ALL_COMPLETED)

    def _append(self, topic: str, key: bytes, value: bytes) -> None:
        hashed = self._hashes.get(key)
        if hashed is None:
            if len(self._hashes) >= KNOWN_KEYS_MAX:
                self._hashes.clear()
            hashed = self._hashes[key] = partition_of_key(key, HASH_RANGE)
        place = topic, hashed % self._partitions[topic]
        batch = self._open.get(place)
        if batch is None:
            batch = self._open[place] = self._producer.create_batch()
        if batch.append(timestamp=wall_ms(), key=key, value=value) is None:
            self._full.append((*place, batch))
            batch = self._open[place] = self._producer.create_batch()
            batch.append(timestamp=wall_ms(), key=key, value=value)  # the first one always fits

    async def _find(self, topic: str) -> None:
        name = self._settings.prefix + topic
        # All topics at once: the driver would wait its whole timeout for one that does not exist.
        found = (await self._producer.client.fetch_all_metadata()).partitions_for_topic(name)
        if not found:
            raise SegstreamError(f"there is no topic {name}", "run `segstream topics create`")
        self._partitions[topic] = len(found)

    async def _send_open(self) -> None:
        batches, self._open = self._open, {}
        self._full += [(topic, partition, batch) for (topic, partition), batch in batches.items()]
        await self._send_full()

    async def _send_full(self) -> None:
        full, self._full = self._full, []
        for topic, partition, batch in full:
            name = self._settings.prefix + topic
            try:
                sent = await self._producer.send_batch(batch, name, partition=partition)
            except KafkaError as error:
                raise self._refused(error) from error
            self._unacked.add(sent)
            while len(self._unacked) >= UNACKED_MAX:
                await self._acknowledge(asyncio.FIRST_COMPLETED)

    async def _acknowledge(self, until: str) -> None:
        seconds = self._settings.ack_timeout_seconds
        done, self._unacked = await asyncio.wait(self._unacked, timeout=seconds, return_when=until)
        if not done:
            raise self._refused(TimeoutError(f"no acknowledgement in {seconds:g} s"))
        for sent in done:
            error = sent.exception()
            if error is not None:
                raise self._refused(error) from error

    def _refused(self, error: BaseException) -> SegstreamError:
        return SegstreamError(
            f"Kafka at {self._settings.brokers} did not take the events: {error!r}",
            "look at the brokers' logs; the events after the last flush are to be sent again",
        )


def keyed(events: Iterable[tuple[str, str, bytes]]) -> Iterator[BulkRecord]:
    """Bulk records of (topic, customer id, value): the key is the customer id as UTF-8."""
    return ((topic, customer_id.encode(), value) for topic, customer_id, value in events)
