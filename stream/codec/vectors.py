"""Customer vectors on their way from partitions to the trainer: one record a sample, packed."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.clusters.pulse import Pulse
from models.features.catalogue import CLUSTER_FEATURES

VECTORS_PER_RECORD = 4000  # 14 numbers of 8 bytes each: about 450 KB
OFFSET_UNKNOWN = 2**62  # behind every entry of a journal: such a record always counts
SLOT_BITS = 40  # of a key; the partition stands above them, and all is below 2**53, exact in a double


class Vectors(Struct, array_like=True):
    """Vectors of one partition as of one entry of its journal, the second number telling copies apart."""

    partition: int
    offset: int
    part: int
    as_of_ms: int
    vectors: bytes
    amounts: bytes
    slots: bytes = b""  # where each customer stands in the partition's table; absent in records of older versions

    def keys(self) -> NDArray[np.int64] | None:
        """A number for each customer that no other of any partition has, the same at every sample; None if unknown."""
        slots = np.frombuffer(self.slots, "<i8")
        return slots + (self.partition << SLOT_BITS) if self.slots else None

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """([n, features], [n, 3]: recency_days, orders, spend)."""
        vectors = np.frombuffer(self.vectors, "<f8").reshape(-1, len(CLUSTER_FEATURES))
        return vectors, np.frombuffer(self.amounts, "<f8").reshape(-1, 3)


class Forget(Struct, array_like=True, tag="forget"):
    """A customer is to be taken out of the trainer's reservoir."""

    partition: int
    slot: int
    offset: int = OFFSET_UNKNOWN  # of the entry after which they were gone; absent in records of older versions

    @property
    def key(self) -> int:
        """As `Vectors.keys`."""
        return self.slot + (self.partition << SLOT_BITS)


class PulseOf(Struct, array_like=True, tag="pulse"):
    """How a partition's customers stand at the end of a day: see models.clusters.pulse."""

    partition: int
    offset: int  # of the entry of its journal that ended the day
    as_of_ms: int
    day: int
    stride: int
    known: int
    means: list[float]
    older: int
    older_means: list[float]

    @property
    def pulse(self) -> Pulse:
        """As the trainer takes it."""
        means, older_means = np.array(self.means), np.array(self.older_means)
        return Pulse(self.day, self.stride, self.known, means, self.older, older_means)


_DECODER = msgspec.msgpack.Decoder(Vectors)
_PULSE = msgspec.msgpack.Decoder(PulseOf)
_FORGET = msgspec.msgpack.Decoder(Forget)


def encode(
    partition: int,
    offset: int,
    as_of_ms: int,
    vectors: NDArray[np.float64],
    amounts: NDArray[np.float64],
    slots: NDArray[np.int64],
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
                slots[start : start + VECTORS_PER_RECORD].astype("<i8").tobytes(),
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
        keys = packed.keys()
    except (msgspec.MsgspecError, ValueError) as error:
        raise BrokenVectorsError(str(error)) from error
    if len(vectors) != len(amounts) or (keys is not None and len(keys) != len(vectors)):
        raise BrokenVectorsError("vectors, amounts and slots are not of one length")
    return packed


def encode_forget(partition: int, slot: int, offset: int) -> bytes:
    """Record value that takes out of the reservoir whoever had the slot before this entry of the journal."""
    return msgspec.msgpack.encode(Forget(partition, slot, offset))


def decode_forget(value: bytes) -> Forget | None:
    """The customer whom a record takes out of the reservoir; None when it is something else."""
    try:
        return _FORGET.decode(value)
    except msgspec.MsgspecError:
        return None


def encode_pulse(partition: int, offset: int, as_of_ms: int, pulse: Pulse) -> bytes:
    """Record value of a partition's pulse."""
    return msgspec.msgpack.encode(
        PulseOf(
            partition,
            offset,
            as_of_ms,
            pulse.day,
            pulse.stride,
            pulse.known,
            pulse.means.tolist(),
            pulse.older,
            pulse.older_means.tolist(),
        )
    )


def decode_pulse(value: bytes) -> PulseOf | None:
    """The pulse that a record tells; None when it is something else."""
    try:
        return _PULSE.decode(value)
    except msgspec.MsgspecError:
        return None
