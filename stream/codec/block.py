"""Block: records of one topic as one buffer and an index, without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from models.compiled import kernel, records

NULL = -1  # the length of a key or value that is null
LENGTH_BYTES = 4  # before each value in what is hashed: ("ab", "c") is not ("a", "bc")
NULL_BYTE = 0xFF  # stands for a null value in what is hashed: no length below 4 GB begins with it

RECORD = np.dtype(
    [
        ("offset", "i8"),
        ("timestamp", "i8"),  # Kafka's, in milliseconds
        ("key", "i8", (2,)),  # [first byte, length] in the buffer
        ("value", "i8", (2,)),
    ]
)


class Record(NamedTuple):
    """One record taken out of a Block."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Records in offset order. `data` [bytes] holds their keys and values, `index` is a RECORD array."""

    data: NDArray[np.uint8]
    index: Any

    def __len__(self) -> int:
        return len(self.index)

    @property
    def size_bytes(self) -> int:
        """Bytes of all keys and values."""
        return int(_size_bytes(records(self.index)))

    def part(self, start: int, end: int) -> Block:
        """The records [start, end), in the same buffer."""
        return Block(self.data, self.index[start:end])

    def record(self, place: int) -> Record:
        """One record as an object."""
        one = self.index[place]
        return Record(int(one["offset"]), self._bytes(one["key"]), self._bytes(one["value"]), int(one["timestamp"]))

    def records(self) -> Iterator[Record]:
        """All of them as objects: for topics whose records are few."""
        return (self.record(place) for place in range(len(self)))

    def _bytes(self, span: Any) -> bytes | None:
        start, length = int(span[0]), int(span[1])
        return None if length == NULL else self.data[start : start + length].tobytes()


def block_of(records: Sequence[Any]) -> Block:
    """Pack records that are objects: what an in-memory log has, or a journal entry embeds."""
    index = np.zeros(len(records), RECORD)
    parts: list[bytes] = []
    at = 0
    rows = []
    for record in records:
        spans = []
        for content in (record.key, record.value):
            spans.append((at, NULL if content is None else len(content)))
            parts.append(content or b"")
            at += len(parts[-1])
        rows.append((record.offset, record.timestamp, *spans))
    if rows:
        index[:] = rows
    return Block(np.frombuffer(b"".join(parts), np.uint8), index)


def joined(blocks: Sequence[Block]) -> Block:
    """Several blocks as one."""
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        return Block(np.frombuffer(b"", np.uint8), np.zeros(0, RECORD))
    index = np.concatenate([block.index for block in blocks])
    done, shift = 0, 0
    for block in blocks:
        index["key"][done : done + len(block), 0] += shift
        index["value"][done : done + len(block), 0] += shift
        done, shift = done + len(block), shift + len(block.data)
    data = np.concatenate([block.data for block in blocks])
    data.flags.writeable = False  # as a fetch's own bytes: one compiled form reads both
    return Block(data, index)


def digest(block: Block) -> int:
    """xxh3 64-bit over the records' values in order; a null value is told from an empty one."""
    buffer = np.empty(block.size_bytes + LENGTH_BYTES * len(block), np.uint8)
    end = _line_up(block.data, records(block.index), buffer)
    return xxhash.xxh3_64_intdigest(buffer[:end].data)


@kernel
def _size_bytes(index: Any) -> int:
    total = 0
    for i in range(len(index)):
        total += max(index[i].key[1], 0) + max(index[i].value[1], 0)
    return total


@kernel
def _line_up(data: Any, index: Any, out: Any) -> int:
    """Write each value behind its length, or the sign of a null; returns the number of bytes."""
    at = 0
    for i in range(len(index)):
        start, length = index[i].value[0], index[i].value[1]
        if length < 0:
            out[at] = NULL_BYTE
            at += 1
            continue
        for k in range(LENGTH_BYTES):
            out[at + k] = (length >> (8 * (LENGTH_BYTES - 1 - k))) & 0xFF
        at += LENGTH_BYTES
        for k in range(length):
            out[at + k] = data[start + k]
        at += length
    return at
