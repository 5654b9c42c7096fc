"""The partitioner: Kafka's own rule."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.partitioner import partition_of, partition_of_key

# From Apache Kafka's own test of its Java client: the signed 32-bit murmur2 of each key.
KNOWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), KNOWN.items())
@pytest.mark.parametrize("partitions", [1, 3, 4, 1024])
def test_keys_go_where_the_java_client_sends_them(key: bytes, signed: int, partitions: int) -> None:
    """Java drops the sign bit, then takes the remainder."""
    assert partition_of_key(key, partitions) == (signed & 0x7FFFFFFF) % partitions


@given(st.text(min_size=1), st.integers(1, 1024))
def test_our_producer_and_our_check_agree(customer_id: str, partitions: int) -> None:
    """What the driver would choose for a key is what the worker expects, for any text."""
    key = customer_id.encode("utf-8", "surrogatepass")
    chosen = DefaultPartitioner()(key, list(range(partitions)), [])
    assert partition_of_key(key, partitions) == chosen


def test_a_customer_is_hashed_as_utf_8() -> None:
    """Text and bytes of the same customer end in the same partition."""
    assert partition_of("zoë", 97) == partition_of_key("zoë".encode(), 97)
