"""The log as the worker sees it: what Kafka gives, and what an in-memory twin must give to stand in for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, Protocol

from stream.codec.block import Block

Keyed = tuple[bytes | None, bytes | None]
Several = Iterable[Keyed] | AsyncIterator[Keyed]  # records of a transaction: sent as they come


class FencedError(Exception):
    """A newer owner has taken the partition: stop at once and publish nothing."""


class LogUnavailableError(Exception):
    """The log did not answer in time, or answered with what cannot be trusted: the process must end."""


class Transactions(Protocol):
    """One partition's transactional identity. Creating it fences every older holder of the same."""

    async def write(self, parts: Sequence[tuple[str, Several]]) -> list[int]:
        """Write records to topics (of this partition) in one transaction; returns each topic's first offset.

        Raises FencedError when a newer holder exists: none of the records is ever visible.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Log(Protocol):
    """Topics of records. `topic` is the plain name; partitions are numbered."""

    def append(self, topic: str, partition: int, value: bytes) -> Awaitable[int]:
        """Append one record and return its offset; raises LogUnavailableError without an answer in time."""
        ...

    async def publish(self, topic: str, partition: int, records: Sequence[Keyed]) -> Awaitable[int]:
        """Queue records in order; awaiting the result waits for the last ack and gives the offset after the last."""
        ...

    def read(self, topic: str, partition: int, start: int, end: int, *, committed: bool) -> AsyncIterator[list[Any]]:
        """Records with offsets in [start, end), batch by batch; `committed` hides aborted transactions."""
        ...

    def blocks(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Block]:
        """Committed records of an input with offsets in [start, end), as they were fetched."""
        ...

    async def bounds(self, topic: str, partition: int, *, committed: bool) -> tuple[int, int]:
        """(first offset kept, offset after the last readable record)."""
        ...

    async def transactions(self, identity: str, partition: int) -> Transactions:
        """Take a transactional identity from whoever holds it, to write to partition `partition` of topics."""
        ...

    async def forget_readers(self) -> None:
        """Close what `read` kept open for the next range."""
        ...

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Forget the records below `offset`; raises LogUnavailableError when they are still there, or may be."""
        ...
