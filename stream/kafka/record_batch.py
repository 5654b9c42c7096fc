"""What a fetch brings, as Kafka stores it, into Blocks: record batches of format 2 (KIP-98), whole and checked.

aiokafka makes an object of each record, a sixth of a worker's time at full rate; here a batch is taken apart by one
compiled loop. Aborted transactions and control records are left out; older formats are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.util import calc_crc32c
from numpy.typing import NDArray

from models.compiled import kernel, records
from stream.codec.block import NULL, RECORD, Block

# base offset, length, leader epoch, magic, crc, attributes, last offset delta, first and newest timestamp, producer
# id, producer epoch, base sequence, number of records
HEADER = Struct(">qiibIhiqqqhii")
LENGTH_END = 12  # of the base offset and the length itself: the length counts what follows
CRC_START = 21  # the checksum covers everything from the attributes on
RECORD_BYTES_MIN = 7  # a record is seven varints and no content
MAGIC = 2
CODEC_MASK, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x07, 0x08, 0x10, 0x20  # bits of the attributes
NO_CODEC = 0
DECODERS: dict[int, Callable[[bytes], bytes]] = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


class Header(NamedTuple):
    """The head of a record batch."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    newest_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int


@dataclass(slots=True)
class Aborted:
    """Which producers' records are of aborted transactions, as batch after batch is read (read_committed)."""

    waiting: list[tuple[int, int]] = field(default_factory=list)  # (first offset, producer id), in order
    producers: set[int] = field(default_factory=set)

    def hides(self, header: Header) -> bool:
        """Whether the batch is to be passed over; call once a batch, in order."""
        while self.waiting and self.waiting[0][0] <= header.base_offset:
            self.producers.add(self.waiting.pop(0)[1])
        return bool(header.attributes & TRANSACTIONAL) and header.producer_id in self.producers


def aborted_of(transactions: Iterable[tuple[int, int]] | None) -> Aborted:
    """From a fetch's list of (producer id, first offset)."""
    return Aborted(sorted((first, producer) for producer, first in transactions or ()))


def warm() -> None:
    """Compile every kernel function of this module now."""
    _scan(np.frombuffer(b"", np.uint8), 0, 0, 0, 0, records(np.zeros(0, RECORD)))


def unpack(data: bytes, position: int, aborted: Aborted) -> tuple[list[Block], int]:
    """The records from `position` on, a Block for each buffer, and the position after the last whole batch.

    Raises CorruptRecordException when a batch is not what its checksum says, or of an older format.
    """
    blocks: list[Block] = []
    view, whole = memoryview(data), np.frombuffer(data, np.uint8)
    at = 0
    while at + HEADER.size <= len(data):
        header = Header(*HEADER.unpack_from(data, at))
        end = at + max(LENGTH_END + header.length, HEADER.size)
        if end > len(data):
            break  # the broker cuts the last batch where the fetch is full
        _check(view, at, end, header)
        if header.attributes & CONTROL:
            _note_end(view, at, end, header, aborted)
        elif not aborted.hides(header) and header.records:
            block = _records(whole, at + HEADER.size, end, header)
            first = int(np.searchsorted(block.index["offset"], position))  # a fetch begins at a batch's start
            if first < len(block):
                blocks.append(block.part(first, len(block)))
        position = max(position, header.base_offset + header.last_offset_delta + 1)
        at = end
    return _merged(blocks), position


def _merged(blocks: list[Block]) -> list[Block]:
    """Neighbours that lie in the same buffer as one: a thousand batches of one record each are one fetch."""
    merged: list[Block] = []
    for _, group in groupby(blocks, key=lambda block: id(block.data)):
        same = list(group)
        index = same[0].index if len(same) == 1 else np.concatenate([block.index for block in same])
        merged.append(Block(same[0].data, index))
    return merged


def _check(view: memoryview, at: int, end: int, header: Header) -> None:
    if header.magic != MAGIC:
        raise CorruptRecordException(f"a record batch of format {header.magic} at offset {header.base_offset}")
    if calc_crc32c(view[at + CRC_START : end]) != header.crc:
        raise CorruptRecordException(f"the checksum of the batch at offset {header.base_offset} is wrong")


def _note_end(view: memoryview, at: int, end: int, header: Header, aborted: Aborted) -> None:
    """A control batch ends a transaction; an aborted one no longer hides what its producer writes next."""
    whole = np.frombuffer(view, np.uint8)
    key = _records(whole, at + HEADER.size, end, header).record(0).key
    if key is not None and ControlRecord.parse(key) == ABORT_MARKER:
        aborted.producers.discard(header.producer_id)


def _records(whole: NDArray[np.uint8], start: int, end: int, header: Header) -> Block:
    codec = header.attributes & CODEC_MASK
    if codec != NO_CODEC:
        if codec not in DECODERS:
            raise UnsupportedCodecError(f"compression {codec} is not known")
        whole = np.frombuffer(DECODERS[codec](whole[start:end].tobytes()), np.uint8)
        start, end = 0, len(whole)
    if not 0 <= header.records <= (end - start) // RECORD_BYTES_MIN:
        raise CorruptRecordException(f"the batch at offset {header.base_offset} cannot hold {header.records} records")
    index = np.zeros(header.records, RECORD)
    if _scan(whole, start, end, header.base_offset, header.first_timestamp, records(index)) < 0:
        raise CorruptRecordException(f"the batch at offset {header.base_offset} does not hold its records")
    if header.attributes & LOG_APPEND_TIME:
        index["timestamp"] = header.newest_timestamp
    return Block(whole, index)


@kernel
def _varint(data: Any, at: int, end: int) -> tuple[int, int]:
    """A zig-zag varint; returns (value, position after it), the position -1 when it runs over the end."""
    value, shift = 0, 0
    while at < end and shift < 64:  # noqa: PLR2004 - bits of the longest
        byte = int(data[at])
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says: goes on
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    return 0, -1


@kernel
def _scan(data: Any, at: int, end: int, base_offset: int, first_timestamp: int, index: Any) -> int:
    """Fill the index from the records lying at [at, end); returns their number, -1 when they do not fit."""
    for i in range(len(index)):
        length, at = _varint(data, at, end)
        after = at + length
        if at < 0 or length < 0 or after > end:
            return -1
        timestamp, at = _varint(data, at + 1, after)  # one byte of attributes, unused in this format
        if at < 0:
            return -1
        offset, at = _varint(data, at, after)
        if at < 0:
            return -1
        key_length, at = _varint(data, at, after)
        if at < 0:
            return -1
        key_at = at
        value_length, at = _varint(data, at + max(key_length, 0), after)
        if at < 0 or at + max(value_length, 0) > after:
            return -1
        record = index[i]
        record.offset = base_offset + offset
        record.timestamp = first_timestamp + timestamp
        record.key[0], record.key[1] = key_at, max(key_length, NULL)
        record.value[0], record.value[1] = at, max(value_length, NULL)
        at = after
    return len(index)
