"""The subscriber against a real broker: memberships in transactions, changes beside them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stream.kafka import client, topic_admin
from stream.settings import Settings
from stream.subscriber import CHECKPOINT_KEY, HoleError, Subscriber

pytestmark = pytest.mark.kafka

PARTITION = 1
WAIT_MS = 200


def _change(seq: int, customer_id: str, segment: str, previous_seq: int | None) -> dict[str, Any]:
    return {
        "seq": seq,
        "customer_id": customer_id,
        "dimension": "value",
        "segment": segment,
        "previous_seq": previous_seq,
    }


HISTORY = [
    _change(1, "a", "low", None),
    _change(2, "b", "low", None),
    _change(3, "a", "medium", 1),
    _change(4, "a", "high", 3),
    _change(5, "b", "top", 2),
]


async def _publish(settings: Settings, changes: list[dict[str, Any]]) -> None:
    producer = client.producer(settings)
    await producer.start()
    try:
        for change in changes:
            value = json.dumps(change).encode()
            await producer.send_and_wait(settings.prefix + "segment-changes", value, b"key", PARTITION)
    finally:
        await producer.stop()


async def _checkpoint(
    settings: Settings, seq: int, segments: dict[str, tuple[int, str]], *, commits: bool = True
) -> None:
    """Memberships and mark in one transaction, which may be aborted."""
    producer = client.transactional_producer(settings, f"test-{PARTITION}")
    topic = settings.prefix + "segment-memberships"
    await producer.start()
    try:
        await producer.begin_transaction()
        for customer_id, (customer_seq, segment) in segments.items():
            membership = {
                "customer_id": customer_id,
                "seq": customer_seq,
                "segments": {"value": {"segment": segment}},
            }
            await producer.send_and_wait(topic, json.dumps(membership).encode(), customer_id.encode(), PARTITION)
        mark = {"seq": seq, "changes_offset": seq}
        await producer.send_and_wait(topic, json.dumps(mark).encode(), CHECKPOINT_KEY.encode(), PARTITION)
        await (producer.commit_transaction() if commits else producer.abort_transaction())
    finally:
        await producer.stop()


async def _read(subscriber: Subscriber, count: int) -> list[int]:
    """The seq of the next `count` changes, and of any that come at once behind them."""
    seqs: list[int] = []
    while len(seqs) < count:
        seqs += [change["seq"] for change in await subscriber.poll(WAIT_MS)]
    return seqs + [change["seq"] for change in await subscriber.poll(WAIT_MS)]


def test_a_late_start_takes_each_change_once(settings: Settings) -> None:
    """Committed memberships count, aborted ones do not; then exactly the changes above the checkpoint."""

    async def run() -> tuple[list[int], dict[str, str], dict[str, str]]:
        await topic_admin.create(settings)
        await _publish(settings, HISTORY[:3])
        await _checkpoint(settings, 2, {"a": (1, "low"), "b": (2, "low")})
        await _checkpoint(settings, 3, {"a": (3, "wrong")}, commits=False)
        async with Subscriber(settings) as subscriber:
            await _publish(settings, HISTORY[3:] + HISTORY[2:])  # a crash repeated the tail
            return await _read(subscriber, 3), subscriber.segments("a"), subscriber.segments("b")

    assert asyncio.run(run()) == ([3, 4, 5], {"value": "high"}, {"value": "top"})


def test_it_starts_before_anything_was_published(settings: Settings) -> None:
    """Empty topics: no membership, no checkpoint; the first change is the first."""

    async def run() -> list[int]:
        await topic_admin.create(settings)
        async with Subscriber(settings) as subscriber:
            await _publish(settings, HISTORY)
            found = []
            async for change in subscriber.changes():
                found.append(change["seq"])
                if len(found) == len(HISTORY):
                    await subscriber.stop()
            return found

    assert asyncio.run(run()) == [1, 2, 3, 4, 5]


def test_a_restart_ends_with_the_same_view(settings: Settings) -> None:
    """Before and after a checkpoint, whatever was read the first time."""

    async def run() -> list[dict[str, str]]:
        await topic_admin.create(settings)
        await _publish(settings, HISTORY)
        views = []
        for checkpoint in (None, {"a": (4, "high"), "b": (2, "low")}):
            if checkpoint is not None:
                await _checkpoint(settings, 4, checkpoint)
            async with Subscriber(settings) as subscriber:
                await _read(subscriber, 5 if checkpoint is None else 1)
                views += [subscriber.segments("a"), subscriber.segments("b")]
        return views

    assert asyncio.run(run()) == [{"value": "high"}, {"value": "top"}] * 2


def test_a_hole_is_raised_or_counted(settings: Settings) -> None:
    """As the subscriber was told."""

    async def run() -> int:
        await topic_admin.create(settings)
        await _publish(settings, [HISTORY[0], *HISTORY[3:]])
        async with Subscriber(settings) as subscriber:
            with pytest.raises(HoleError, match="before seq 4"):
                await _read(subscriber, 3)
        async with Subscriber(settings, on_hole="count") as subscriber:
            await _read(subscriber, 3)
            return subscriber.view.hole_count

    assert asyncio.run(run()) == 2
