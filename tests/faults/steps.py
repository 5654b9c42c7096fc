"""Where a worker can be made to stop itself: before, in and after each numbered step of stream/worker/partition.py.

A step is a name and a function that wraps what the worker calls there. `reached` is called whenever the worker comes
by; it stops the process (SIGSTOP) at the chosen time and returns when somebody lets it go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.kafka.log import KafkaLog, KafkaTransactions
from stream.worker.inputs import Inputs
from stream.worker.partition import Partition
from stream.worker.replica import Replica

Reached = Callable[[], None]
CHANGES, JOURNAL, MEMBERSHIPS = "segment-changes", "segment-journal", "segment-memberships"


def _before(owner: Any, name: str, reached: Reached, when: Callable[..., bool] = lambda *_: True) -> None:
    """Come by before each call whose arguments (without self) are as wanted."""
    original = getattr(owner, name)

    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        if when(*arguments):
            reached()
        return original(self, *arguments, **named)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, reached: Reached, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Come by after each call whose result is as wanted."""
    original = getattr(owner, name)

    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, *arguments, **named)
        if when(result):
            reached()
        return result

    setattr(owner, name, wrapped)


def _after_awaiting(owner: Any, name: str, reached: Reached, when: Callable[..., bool] = lambda *_: True) -> None:
    """Come by when a coroutine method with such arguments has returned."""
    original = getattr(owner, name)

    async def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        result = await original(self, *arguments, **named)
        if when(*arguments):
            reached()
        return result

    setattr(owner, name, wrapped)


def _something(topic: str, _partition: int, records: Any) -> bool:
    return topic == CHANGES and bool(records)


def _to_journal(topic: str, *_: Any) -> bool:
    return topic == JOURNAL


def _half_published(reached: Reached) -> None:
    """The first half of an entry's changes is acknowledged, the second not yet sent."""
    original = KafkaLog.publish

    async def publish(self: KafkaLog, topic: str, partition: int, records: Any) -> Any:
        half = len(records) // 2
        if topic == CHANGES and half:
            await (await original(self, topic, partition, records[:half]))
            reached()
            return await original(self, topic, partition, records[half:])
        return await original(self, topic, partition, records)

    KafkaLog.publish = publish  # type: ignore[method-assign]  # the wrap


def _acknowledged(reached: Reached) -> None:
    """All of an entry's changes are acknowledged."""
    original = KafkaLog.publish

    async def publish(self: KafkaLog, topic: str, partition: int, records: Any) -> Any:
        async def last(sent: Any) -> int:
            end = int(await sent)
            reached()
            return end

        sent = await original(self, topic, partition, records)
        return last(sent) if _something(topic, partition, records) else sent

    KafkaLog.publish = publish  # type: ignore[method-assign]  # the wrap


def _checkpoint(parts: Any) -> bool:
    """Not what a claim proves its identity with, nor a model of the trainer's."""
    return any(topic == MEMBERSHIPS for topic, _ in parts)


def _in_the_transaction(reached: Reached) -> None:
    """All of a checkpoint is sent and nothing committed."""
    original, commit = KafkaTransactions.write, AIOKafkaProducer.commit_transaction
    writing: set[Any] = set()

    async def write(self: KafkaTransactions, parts: Any) -> Any:
        if _checkpoint(parts):
            writing.add(self._producer)
        return await original(self, parts)

    async def commit_transaction(self: Any) -> None:
        if self in writing:
            writing.discard(self)
            reached()
        await commit(self)

    KafkaTransactions.write = write  # type: ignore[method-assign]  # the wrap
    AIOKafkaProducer.commit_transaction = commit_transaction


def _changed(outcome: Any) -> bool:
    return bool(outcome.changes)


STEPS: Mapping[str, Callable[[Reached], None]] = {
    "0 claim not written": lambda r: _before(KafkaLog, "append", r, _to_journal),
    "0 claim written": lambda r: _after_awaiting(KafkaLog, "append", r, _to_journal),
    "0 recovered": lambda r: _before(Partition, "_publish_missing", r),
    "1 merged": lambda r: _after(Inputs, "take", r, lambda taken: taken is not None),
    "2 entry on its way": lambda r: _before(Replica, "execute", r),
    "2 entry acknowledged": lambda r: _after_awaiting(KafkaLog, "append", r, _to_journal),
    "3 executed": lambda r: _after(Replica, "execute", r, _changed),
    "4 not published": lambda r: _before(KafkaLog, "publish", r, _something),
    "4 half published": _half_published,
    "4 on its way": lambda r: _after_awaiting(KafkaLog, "publish", r, _something),
    "4 acknowledged": _acknowledged,
    "5 copying": lambda r: _after(Partition, "_begin_checkpoint", r),
    "5 before the transaction": lambda r: _before(KafkaTransactions, "write", r, _checkpoint),
    "5 in the transaction": _in_the_transaction,
    "5 committed": lambda r: _after_awaiting(KafkaTransactions, "write", r, _checkpoint),
}
CLAIMING = tuple(name for name in STEPS if name.startswith("0"))
CHECKPOINTING = tuple(name for name in STEPS if name.startswith("5"))
