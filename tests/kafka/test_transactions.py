"""A partition's transactional identity on the real broker: who lost it is told so, whatever the driver was doing."""

from __future__ import annotations

import asyncio

import pytest

from stream.kafka import topic_admin
from stream.kafka.client import BATCH_SIZE_BYTES
from stream.kafka.log import KafkaLog
from stream.settings import Settings
from stream.worker.log import FencedError, Keyed

pytestmark = pytest.mark.kafka

SMALL: list[Keyed] = [(b"key", b"value")]
LARGE: list[Keyed] = [(b"key", bytes(BATCH_SIZE_BYTES // 2 + 1))] * 6  # a batch each: the third waits for the first
# Each topic that the driver does not know yet costs a question: the transaction fails before all is handed over.
TOPICS = ("segment-state", "segment-memberships", "segment-changes", "segment-dead-letters", "clicks", "emails")


@pytest.mark.parametrize(
    "parts",
    [[("segment-state", SMALL)], [("segment-state", LARGE)], [(topic, SMALL) for topic in TOPICS]],
    ids=["a batch", "batches", "topics"],
)
def test_who_lost_the_identity_is_fenced(settings: Settings, parts: list[tuple[str, list[Keyed]]]) -> None:
    """FencedError, whether the driver hears of it in the commit, between two batches or between two topics."""

    async def run() -> None:
        await topic_admin.create(settings)
        log = KafkaLog(settings)
        older = await log.transactions("state-0", 0)
        await older.write([("segment-state", SMALL)])
        newer = await log.transactions("state-0", 0)
        try:
            with pytest.raises(FencedError):
                await older.write(parts)
            await newer.write(parts)
        finally:
            await older.close()
            await newer.close()
            await log.stop()

    asyncio.run(run())
