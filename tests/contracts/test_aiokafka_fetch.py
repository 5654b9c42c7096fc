"""What the feed takes from aiokafka below its consumer: the client, the request, and the answer's fields by place."""

from __future__ import annotations

import inspect

from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.util import calc_crc32c


def test_the_client_sends_to_a_node_and_follows_topics() -> None:
    """`send(node, request)` gives the answer; topics are followed once set."""
    assert list(inspect.signature(AIOKafkaClient.send).parameters)[:3] == ["self", "node_id", "request"]
    assert {"bootstrap", "set_topics", "force_metadata_update", "close"} <= set(dir(AIOKafkaClient))


def test_the_request_takes_these_in_this_order() -> None:
    """Wait, least and most bytes, isolation, topics: the builder picks the version."""
    parameters = list(inspect.signature(FetchRequest.__init__).parameters)
    assert parameters[1:6] == ["max_wait_time", "min_bytes", "max_bytes", "isolation_level", "topics"]


def test_the_answer_has_its_fields_where_the_library_reads_them() -> None:
    """Last stable offset first, records last; the aborted transactions third from version 11 on, else last but one."""
    source = inspect.getsource(Fetcher._proc_fetch_request)
    for line in (
        "for partition, error_code, highwater, *part_data in partitions",
        "if response.API_VERSION >= 11",
        "lso = part_data[0]",
        "aborted_transactions = part_data[2]",
        "aborted_transactions = part_data[-2]",
        "MemoryRecords(part_data[-1])",
    ):
        assert line in source


def test_checksum_and_control_records_are_kafka_s() -> None:
    """CRC-32C of the standard's test string; a control key of version 0 and type 0 aborts."""
    assert calc_crc32c(b"123456789") == 0xE3069283
    assert ControlRecord.parse(b"\x00\x00\x00\x00") == ABORT_MARKER
