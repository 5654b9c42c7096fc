"""Record batches as the wire has them: what aiokafka's own reader sees in them, ours sees too."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from stream.codec.block import Record, joined
from stream.kafka.record_batch import LENGTH_END, Aborted, aborted_of, unpack

CONTENT = st.none() | st.binary(max_size=200)
RECORDS = st.lists(st.tuples(CONTENT, CONTENT, st.integers(0, 2**41)), min_size=1, max_size=12)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ABORT, COMMIT = b"\x00\x00\x00\x00", b"\x00\x00\x00\x01"  # the keys of control records


def batch(
    records: list[Any], first: int = 0, codec: int = 0, producer: int = -1, *, transactional: bool = False
) -> bytes:
    """One batch of (key, value, timestamp), whose first offset is `first`."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=transactional, producer_id=producer, producer_epoch=0,
        base_sequence=0, batch_size=10**6,
    )  # fmt: skip
    for i, (key, value, timestamp) in enumerate(records):
        assert builder.append(i, timestamp=timestamp, key=key, value=value, headers=[("h", b"x")]) is not None
    content = bytearray(builder.build())
    content[:8] = first.to_bytes(8, "big")  # the broker sets it; the checksum does not cover it
    return bytes(content)


def control(key: bytes, first: int, producer: int) -> bytes:
    """The batch that ends a transaction."""
    content = bytearray(batch([(key, b"\x00" * 6, 0)], first, 0, producer, transactional=True))
    content[22] |= 0x20  # the bit of a control batch
    return resealed(content)


def resealed(content: bytearray) -> bytes:
    """With the checksum that the content needs."""
    from aiokafka.record.util import calc_crc32c  # noqa: PLC0415 - only here

    content[17:21] = calc_crc32c(bytes(content[21:])).to_bytes(4, "big")
    return bytes(content)


def seen(data: bytes, position: int = 0, aborted: Aborted | None = None) -> tuple[list[Record], int]:
    """What our reader finds, and where it goes on."""
    blocks, after = unpack(data, position, aborted or Aborted())
    return list(joined(blocks).records()), after


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(parts=st.lists(RECORDS, min_size=1, max_size=4))
def test_every_record_is_what_the_library_reads(codec: int, parts: list[Any]) -> None:
    """Keys, values, nulls, times and offsets, whatever the compression and however many batches."""
    data, first = b"", 5
    for records in parts:
        data += batch(records, first, codec)
        first += len(records)
    wanted, memory = [], MemoryRecords(data)
    while memory.has_next():
        following: Any = memory.next_batch()
        wanted += [(one.offset, one.key, one.value, one.timestamp) for one in following]
    assert seen(data) == ([Record(*one) for one in wanted], first)
    assert seen(data, first - 1)[0] == [Record(*wanted[-1])]  # a fetch begins at a batch's start


@given(RECORDS, st.data())
def test_a_cut_batch_is_left_for_the_next_fetch(records: list[Any], data: st.DataObject) -> None:
    """The broker cuts where the answer is full."""
    whole = batch(records, 0)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert seen(whole + batch(records, len(records))[:cut]) == seen(whole)


@given(RECORDS, st.data())
def test_a_flipped_bit_is_found(records: list[Any], data: st.DataObject) -> None:
    """Behind the checksum every byte counts."""
    content = bytearray(batch(records, 0))
    content[data.draw(st.integers(17, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CorruptRecordException):
        seen(bytes(content))


@given(RECORDS, st.data())
def test_a_batch_that_lies_about_its_records_is_refused(records: list[Any], data: st.DataObject) -> None:
    """With a right checksum over wrong lengths: nothing is read outside the batch, and nothing crashes."""
    content = bytearray(batch(records, 0))
    content[data.draw(st.integers(57, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytearray(resealed(content))
    content[8:12] = (len(content) - LENGTH_END).to_bytes(4, "big")
    try:
        found, _ = seen(bytes(content))
    except CorruptRecordException:
        return
    assert sum(len(one.value or b"") + len(one.key or b"") for one in found) <= len(content) * max(len(found), 1)


def test_older_formats_are_refused() -> None:
    """Kafka has written format 2 since 0.11, and 4.0 writes no other."""
    content = bytearray(batch([(b"k", b"v", 1)]))
    content[16] = 1
    with pytest.raises(CorruptRecordException, match="format 1"):
        seen(bytes(content))


def test_aborted_transactions_and_control_records_are_left_out() -> None:
    """Of two producers, one aborts, goes on and commits; the positions run over what is hidden."""
    one, two = 7, 8
    data = (
        batch([(b"a", b"gone", 1)], 0, 0, one, transactional=True)
        + batch([(b"b", b"kept", 1)], 1, 0, two, transactional=True)
        + control(ABORT, 2, one)
        + batch([(b"c", b"kept too", 1)], 3, 0, one, transactional=True)
        + control(COMMIT, 4, one)
        + control(COMMIT, 5, two)
    )
    found, after = seen(data, 0, aborted_of([(one, 0)]))
    assert ([record.value for record in found], after) == ([b"kept", b"kept too"], 6)
    assert [record.value for record in seen(data)[0]] == [b"gone", b"kept", b"kept too"]  # nothing aborted
