"""The models that have been published, read from Kafka to the end: for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.clusters.snapshot import Snapshot
from stream.codec.definitions import encode_approval, load
from stream.errors import SegstreamError
from stream.kafka.log import KafkaLog
from stream.worker.documents import MODELS_TOPIC, Documents

if TYPE_CHECKING:
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
    """Approve a held snapshot by its digest; raises SegstreamError where no worker would adopt it for that."""
    documents = await models(settings)
    chosen = approvable(documents, name)
    if chosen == documents.snapshot:
        return chosen  # wanted already
    log = KafkaLog(settings)
    await log.start()
    try:
        await (await log.publish(MODELS_TOPIC, 0, [encode_approval(name)]))
    finally:
        await log.stop()
    return chosen


def approvable(documents: Documents, name: str) -> Snapshot:
    """The snapshot of a digest, if workers want it or would, once it is approved.

    Raises
    ------
    SegstreamError : there is no such snapshot, or it is older than the one in force: workers never go back.
    """
    found = documents.get(name) if documents.holds(name) else None
    if not isinstance(found, Snapshot):
        raise SegstreamError(f"there is no model {name}", "`segstream personas --newest` names the newest")
    present = documents.snapshot
    if present is not None and present != found and present.version >= found.version:
        raise SegstreamError(
            f"model {name} has version {found.version}, {present.version} is in force: workers never go back",
            "nothing was approved; `segstream personas --newest` shows the newest model, held or not",
        )
    return found
