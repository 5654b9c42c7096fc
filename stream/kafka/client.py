"""The one place that builds Kafka clients, so that security and sizes are decided once.

Every function must be called while an event loop runs; the client is returned unstarted and is the caller's.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from stream.errors import SegstreamError
from stream.kafka import security
from stream.settings import env_name

if TYPE_CHECKING:
    from stream.settings import Settings

Isolation = Literal["read_committed", "read_uncommitted"]
C = TypeVar("C", AIOKafkaConsumer, AIOKafkaProducer)

BATCH_SIZE_BYTES = 512 * 1024  # one request's worth of a partition: larger no longer gains, and stays below a fetch
CHECKPOINT_BATCH_BYTES = 2 * 1024 * 1024  # a request waits for the one before, under full load for long: so few
REQUEST_SIZE_MAX_BYTES = 4 * 1024 * 1024  # the topics' largest message: a checkpoint record (900 KB) with room
FETCH_PARTITION_BYTES = 4 * 1024 * 1024  # at least the largest message, so that a read always brings one whole
FETCH_MAX_BYTES = 32 * 1024 * 1024  # bounds what one poll can bring into memory
FETCH_WAIT_MS = 100  # how long a broker holds an empty fetch: answers at once when a record comes
KNOCK_MS = 5_000  # for a broker to say why it does not let us in: it has answered, or failed to, a moment ago
TRANSACTION_TIMEOUT_MAX_MS = 900_000  # what brokers allow if nobody told them otherwise
TRANSACTION_TIMEOUT_MS = 60_000  # a dead owner's open checkpoint hides later records from readers no longer than this


def connection(settings: Settings, client_id: str) -> dict[str, Any]:
    """Return what every client needs to reach the brokers: addresses, its name, TLS and credentials."""
    servers = [address.strip() for address in settings.brokers.split(",")]
    return {
        "bootstrap_servers": servers,
        "client_id": f"{settings.group}-{client_id}",
        **security.arguments(settings),
    }


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
        **_producing(settings) | {"max_batch_size": CHECKPOINT_BATCH_BYTES},
        transactional_id=f"{settings.group}-{transactional_id}",
        transaction_timeout_ms=min(
            max(TRANSACTION_TIMEOUT_MS, 2 * int(settings.ack_timeout_seconds * 1000)), TRANSACTION_TIMEOUT_MAX_MS
        ),
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


def bare(settings: Settings, client_id: str) -> AIOKafkaClient:
    """Return a client that sends requests of the protocol: what the feed fetches with."""
    return AIOKafkaClient(**connection(settings, client_id))


def writing(settings: Settings, client_id: str) -> AIOKafkaClient:
    """Return the same for writes, whose answers may take as long as an acknowledgement."""
    return AIOKafkaClient(
        **connection(settings, client_id), request_timeout_ms=int(settings.ack_timeout_seconds * 1000)
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


async def started(settings: Settings, made: C) -> C:
    """Connect a client and return it.

    Raises
    ------
    SegstreamError : no broker takes us.

    The client is stopped again also when nobody waits for it any more: nobody else knows of it.
    """
    try:
        await made.start()
    except BaseException as error:
        await made.stop()
        if isinstance(error, KafkaError):
            raise await unreachable(settings, error) from error
        raise
    return made


async def unreachable(settings: Settings, error: BaseException) -> SegstreamError:
    """Return what to tell a person when no broker took us, with the cause: the driver keeps it to its own log."""
    cause = await _refusal(settings) or error
    return SegstreamError(
        f"no usable answer from Kafka at {settings.brokers}: {str(cause) or type(cause).__name__}", _advice(cause)
    )


async def _refusal(settings: Settings) -> BaseException | None:
    """Knock once more at the first broker: why it does not let us in, None if it does."""
    host, _, port = settings.brokers.split(",")[0].strip().rpartition(":")
    try:
        connected = await create_conn(
            host, int(port), request_timeout_ms=KNOCK_MS, client_id=settings.group, **security.arguments(settings)
        )
    except (OSError, KafkaError) as found:
        return found
    connected.close()
    return None


def _advice(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLError):
        return f"check {env_name('ssl_ca_file')}, and that {env_name('brokers')} has the certificate's own names"
    if isinstance(cause, _NOT_LET_IN):
        return f"check {env_name('sasl_username')}, its password and {env_name('sasl_mechanism')}"
    return (
        "check that it runs (`segstream broker` starts one here), and that SEGSTREAM_BROKERS and "
        "SEGSTREAM_SECURITY_PROTOCOL name its listener"
    )


_NOT_LET_IN = (
    AuthenticationFailedError, IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError,
)  # fmt: skip
