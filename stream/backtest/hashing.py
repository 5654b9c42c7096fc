"""Hashes of whole text columns, compiled: event identities, customers, and Kafka's partition of a customer.

Nothing here decides an outcome but `murmur2`, which is Kafka's own rule; the others only tell texts apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel

MULTIPLIER = np.uint64(0xC6A4A7935BD1E995)  # MurmurHash64A (Appleby, public domain), as are the shifts below
SHIFT = np.uint64(47)
BYTE = np.uint64(8)
KAFKA_SEED = np.uint32(0x9747B28C)  # org.apache.kafka.common.utils.Utils.murmur2
KAFKA_MULTIPLIER = np.uint32(0x5BD1E995)
POSITIVE = np.uint32(0x7FFFFFFF)  # Kafka drops the sign bit

Texts = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""UTF-8 bytes of a column one after the other, and where each text begins (one more: where the last ends)."""


@kernel
def _hash(content: Any, start: int, end: int, seed: Any) -> Any:
    """MurmurHash64A of content[start:end]."""
    length = end - start
    h = seed ^ (np.uint64(length) * MULTIPLIER)
    whole = start + (length // 8) * 8
    for at in range(start, whole, 8):
        k = np.uint64(0)
        for j in range(8):
            k |= np.uint64(content[at + j]) << (np.uint64(j) * BYTE)
        k *= MULTIPLIER
        k ^= k >> SHIFT
        k *= MULTIPLIER
        h ^= k
        h *= MULTIPLIER
    if whole < end:
        for j in range(end - whole):
            h ^= np.uint64(content[whole + j]) << (np.uint64(j) * BYTE)
        h *= MULTIPLIER
    h ^= h >> SHIFT
    h *= MULTIPLIER
    h ^= h >> SHIFT
    return h


@kernel
def _hash_all(content: Any, offsets: Any, seed: Any, out: Any) -> None:
    for i in range(len(out)):
        if offsets[i + 1] > offsets[i]:
            out[i] = max(_hash(content, offsets[i], offsets[i + 1], seed), np.uint64(1))
        else:
            out[i] = np.uint64(0)


def hash_texts(texts: Texts, seed: int) -> NDArray[np.uint64]:
    """64-bit hashes of a column; 0 for an empty text and for nothing else."""
    content, offsets = texts
    out = np.empty(len(offsets) - 1, np.uint64)
    _hash_all(content, offsets, np.uint64(seed), out)
    return out


@kernel
def _partition_all(content: Any, offsets: Any, partitions: int, out: Any) -> None:
    for i in range(len(out)):
        start, end = offsets[i], offsets[i + 1]
        length = end - start
        h = KAFKA_SEED ^ np.uint32(length)
        whole = start + (length // 4) * 4
        for at in range(start, whole, 4):
            k = np.uint32(0)
            for j in range(4):
                k |= np.uint32(content[at + j]) << np.uint32(8 * j)
            k = np.uint32(k * KAFKA_MULTIPLIER)
            k ^= k >> np.uint32(24)
            k = np.uint32(k * KAFKA_MULTIPLIER)
            h = np.uint32(h * KAFKA_MULTIPLIER) ^ k
        if whole < end:
            for j in range(end - whole):
                h ^= np.uint32(content[whole + j]) << np.uint32(8 * j)
            h = np.uint32(h * KAFKA_MULTIPLIER)
        h ^= h >> np.uint32(13)
        h = np.uint32(h * KAFKA_MULTIPLIER)
        h ^= h >> np.uint32(15)
        out[i] = np.int64(h & POSITIVE) % partitions


def partitions_of(texts: Texts, partitions: int) -> NDArray[np.int64]:
    """The partition of each customer id, as stream.kafka.partitioner has it (murmur2, the sign bit dropped)."""
    content, offsets = texts
    out = np.empty(len(offsets) - 1, np.int64)
    _partition_all(content, offsets, partitions, out)
    return out


@kernel
def probe(high: Any, low: Any, table: Any, following: int, out: Any, new: Any) -> int:
    """Codes of 128-bit keys by open addressing; unknown keys get the next codes, in order of first sight.

    `table` is uint64 [a power of two, 4]: both halves of a key and its code + 1, so that one look is one line of
    cache. `out` receives the codes, `new` the row of each new key; returns how many are new. There must be room for
    them all.
    """
    mask = np.uint64(len(table) - 1)
    found = 0
    for i in range(len(high)):
        place = high[i] & mask
        while True:
            code = table[place, 2]
            if code == 0:
                table[place, 0] = high[i]
                table[place, 1] = low[i]
                table[place, 2] = np.uint64(following + found + 1)
                out[i] = following + found
                new[found] = i
                found += 1
                break
            if table[place, 0] == high[i] and table[place, 1] == low[i]:
                out[i] = np.int64(code) - 1
                break
            place = (place + np.uint64(1)) & mask
    return found
