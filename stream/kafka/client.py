"""The one place that builds Kafka clients, so that security and sizes are decided once.

Every function must be called while an event loop runs; the client is returned unstarted and is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

if TYPE_CHECKING:
    from stream.settings import Settings

Isolation = Literal["read_committed", "read_uncommitted"]

BATCH_SIZE_BYTES = 512 * 1024  # one request's worth of a partition: larger no longer gains, and stays below a fetch
REQUEST_SIZE_MAX_BYTES = 4 * 1024 * 1024  # the topics' largest message: a checkpoint record (900 KB) with room
FETCH_PARTITION_BYTES = 4 * 1024 * 1024  # at least the largest message, so that a read always brings one whole
FETCH_MAX_BYTES = 32 * 1024 * 1024  # bounds what one poll can bring into memory
FETCH_WAIT_MS = 100  # how long a broker holds an empty fetch: answers at once when a record comes
TRANSACTION_TIMEOUT_MS = 60_000  # a dead owner's open checkpoint hides later records from readers no longer than this


def connection(settings: Settings, client_id: str) -> dict[str, Any]:
    """Return what every client needs to reach the brokers: the place for addresses, later credentials."""
    servers = [address.strip() for address in settings.brokers.split(",")]
    return {"bootstrap_servers": servers, "client_id": f"{settings.group}-{client_id}"}


def producer(settings: Settings, *, client_id: str = "producer") -> AIOKafkaProducer:
    """Return an idempotent producer: acks of all replicas, no lingering, Kafka's partitioner."""
    return AIOKafkaProducer(**connection(settings, client_id), **_producing(settings))


def transactional_producer(
    settings: Settings, transactional_id: str, *, client_id: str = "checkpoint"
) -> AIOKafkaProducer:
    """Return a producer whose start fences every older one of the same id and aborts what it left open.

    Parameters
    ----------
    transactional_id : unique within the cluster; the group's name is put before it here.
    """
    return AIOKafkaProducer(
        **connection(settings, client_id),
        **_producing(settings),
        transactional_id=f"{settings.group}-{transactional_id}",
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )


def reader(
    settings: Settings, isolation: Isolation, *, client_id: str = "reader", records_max: int | None = None
) -> AIOKafkaConsumer:
    """Return a consumer outside any group: the caller assigns and seeks; nothing is committed.

    Parameters
    ----------
    isolation : `read_committed` for topics written in transactions, else `read_uncommitted`.
    records_max : records of one poll at most; None for what the fetch sizes allow.
    """
    return AIOKafkaConsumer(
        **connection(settings, client_id),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",  # a position that is gone is an error to be told, never a silent jump
        isolation_level=isolation,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=FETCH_PARTITION_BYTES,
        max_poll_records=records_max,
    )


def admin(settings: Settings, *, client_id: str = "admin") -> AIOKafkaAdminClient:
    """Return a client that creates and describes topics."""
    return AIOKafkaAdminClient(**connection(settings, client_id))


def _producing(settings: Settings) -> dict[str, Any]:
    return {
        "enable_idempotence": True,
        "acks": "all",
        "linger_ms": 0,  # batches form while the one before is on its way; waiting only adds latency
        "max_batch_size": BATCH_SIZE_BYTES,
        "max_request_size": REQUEST_SIZE_MAX_BYTES,
        "request_timeout_ms": int(settings.ack_timeout_seconds * 1000),
    }
