"""The models that have been published, read from Kafka to the end: for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.codec.definitions import encode_approval, load
from stream.errors import SegstreamError
from stream.kafka.log import KafkaLog
from stream.worker.documents import MODELS_TOPIC, Documents

if TYPE_CHECKING:
    from models.clusters.snapshot import Snapshot
    from stream.settings import Settings


async def models(settings: Settings) -> Documents:
    """Every model and approval so far."""
    documents = Documents(load("")[0])
    log = KafkaLog(settings)
    await log.start()
    try:
        first, end = await log.bounds(MODELS_TOPIC, 0, committed=True)
        async for records in log.read(MODELS_TOPIC, 0, first, end, committed=True):
            documents.add(MODELS_TOPIC, records)
    finally:
        await log.stop()
    return documents


async def approve(settings: Settings, name: str) -> Snapshot:
    """Approve a held snapshot by its digest; raises SegstreamError when it was never published."""
    documents = await models(settings)
    if not documents.holds(name):
        raise SegstreamError(f"there is no model {name}", "`segstream personas --newest` names the newest")
    log = KafkaLog(settings)
    await log.start()
    try:
        await (await log.publish(MODELS_TOPIC, 0, [encode_approval(name)]))
    finally:
        await log.stop()
    return documents.get(name)  # type: ignore[no-any-return] # a digest of this topic names a snapshot
