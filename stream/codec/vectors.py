"""Customer vectors on their way from partitions to the trainer: one record a sample, packed."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.features.catalogue import CLUSTER_FEATURES

VECTORS_PER_RECORD = 4000  # 13 numbers of 8 bytes each: about 400 KB


class Vectors(Struct, array_like=True):
    """Vectors of one partition as of one entry of its journal, the second number telling copies apart."""

    partition: int
    offset: int
    part: int
    as_of_ms: int
    vectors: bytes
    amounts: bytes

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """([n, features], [n, 3]: recency_days, orders, spend)."""
        vectors = np.frombuffer(self.vectors, "<f8").reshape(-1, len(CLUSTER_FEATURES))
        return vectors, np.frombuffer(self.amounts, "<f8").reshape(-1, 3)


_DECODER = msgspec.msgpack.Decoder(Vectors)


def encode(
    partition: int, offset: int, as_of_ms: int, vectors: NDArray[np.float64], amounts: NDArray[np.float64]
) -> list[bytes]:
    """Record values of a sample."""
    return [
        msgspec.msgpack.encode(
            Vectors(
                partition,
                offset,
                start // VECTORS_PER_RECORD,
                as_of_ms,
                vectors[start : start + VECTORS_PER_RECORD].astype("<f8").tobytes(),
                amounts[start : start + VECTORS_PER_RECORD].astype("<f8").tobytes(),
            )
        )
        for start in range(0, len(vectors), VECTORS_PER_RECORD)
    ]


class BrokenVectorsError(ValueError):
    """A record of the vectors topic that is no sample."""


def decode(value: bytes) -> Vectors:
    """Vectors of a record value; raises BrokenVectorsError when it is none."""
    try:
        packed = _DECODER.decode(value)
        vectors, amounts = packed.arrays()
    except (msgspec.MsgspecError, ValueError) as error:
        raise BrokenVectorsError(str(error)) from error
    if len(vectors) != len(amounts):
        raise BrokenVectorsError("vectors and amounts are not of one length")
    return packed
