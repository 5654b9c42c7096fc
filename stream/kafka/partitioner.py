"""Which partition a customer lives in: Kafka's own rule, so that any default producer agrees."""

from __future__ import annotations

from aiokafka.partitioner import murmur2

POSITIVE_MASK = 0x7FFFFFFF  # Kafka drops the sign bit of the 32-bit hash


def partition_of(customer_id: str, partitions: int) -> int:
    """Return the partition of a customer.

    Parameters
    ----------
    customer_id : the record key as text; hashed as UTF-8.
    partitions : number of partitions of the topic, at least 1.

    Examples
    --------
    >>> partition_of("c17850", 4)
    0
    """
    return partition_of_key(customer_id.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a record key, as `partition_of` for bytes that are at hand already."""
    return int(murmur2(key) & POSITIVE_MASK) % partitions
