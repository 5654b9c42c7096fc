"""What a person is told when Kafka, or a topic in it, is not as a command needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from models.events import TOPICS
from stream.errors import SegstreamError
from stream.kafka import client
from stream.worker.log import FencedError, LogUnavailableError

if TYPE_CHECKING:
    from stream.settings import Settings

GONE: Final = {
    **dict.fromkeys(TOPICS, "the records are gone: see docs/operations.md, 'source records are gone'"),
    "segment-journal": "entries are gone: see docs/operations.md, 'journal has a hole'",
    "segment-state": "rows or markers are gone: see docs/operations.md, 'a checkpoint cannot be read'",
    "segment-definitions": "documents are gone: see docs/operations.md, 'a document is missing'",
    "segment-models": "documents are gone: see docs/operations.md, 'a document is missing'",
}  # what to do where records of a topic are gone
SILENT: Final = "see docs/operations.md, 'a broker does not answer'"


async def partitions_there(settings: Settings) -> dict[str, int]:
    """How many partitions each topic of the cluster has, of those that we may see.

    Raises
    ------
    SegstreamError : no broker answers.
    """
    bare = client.bare(settings, "look")
    try:
        await bare.bootstrap()
        found = await bare.fetch_all_metadata()
    except KafkaError as error:
        raise await client.unreachable(settings, error) from error
    finally:
        await bare.close()
    return {name: len(found.partitions_for_topic(name) or ()) for name in found.topics()}


def absent(name: str, partition: int, partitions: int) -> SegstreamError:
    """What to say of a place that is not there; `partitions` is how many the topic has, 0 without the topic."""
    if partitions:
        return SegstreamError(
            f"the topic {name} has {partitions} partitions, there is no partition {partition}",
            f"set SEGSTREAM_PARTITIONS={partitions}, as its workers have it",
        )
    return SegstreamError(
        f"there is no topic {name}",
        "check SEGSTREAM_PREFIX and the right to describe it; `segstream topics create` creates what is missing",
    )


def unreadable(topic: str, partition: int, start: int, error: KafkaError) -> SegstreamError:
    """What to say of a range that cannot be read; `topic` is without the prefix."""
    gone = isinstance(error, OffsetOutOfRangeError) and topic in GONE
    return SegstreamError(
        f"{topic} [{partition}] cannot be read from offset {start}: {type(error).__name__}",
        GONE[topic] if gone else SILENT,
    )


def of_kafka(error: BaseException) -> SegstreamError | None:
    """What to say of an error that Kafka caused; None for any other."""
    if isinstance(error, FencedError):
        return SegstreamError(
            "a worker, or another command, took the partition meanwhile: it wins",
            "stop them all and run this again; what was said to be done is done",
        )
    if isinstance(error, LogUnavailableError):
        return SegstreamError(f"Kafka did not take it: {error}", f"look at the brokers, run it again; {SILENT}")
    if isinstance(error, KafkaError):
        return SegstreamError(f"Kafka failed: {error!r}", f"look at the brokers, run it again; {SILENT}")
    return None
