"""What the worker and the trainer's process say to each other: one framed message each way, in turn."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

LENGTH_BYTES = 4  # before each message
MESSAGE_BYTES_MAX = 64_000_000  # a sample is half a megabyte, a snapshot some ten kilobytes: more is a broken stream


class Begin(Struct, tag=True):
    """The first message: settings, and the snapshots in force and newest as documents."""

    learner: str
    clusters: int
    seed: int
    moved_max: float
    core_share: float
    previous: bytes | None
    newest: bytes | None


class Learn(Struct, tag=True):
    """A record of segment-vectors, as it is."""

    value: bytes


class Forget(Struct, tag=True):
    """Take a customer out of the reservoir."""

    key: int


class Beat(Struct, tag=True):
    """A pulse of segment-vectors, as it is."""

    value: bytes


class Publish(Struct, tag=True):
    """Give the next snapshot."""

    as_of_ms: int


class Adopted(Struct, tag=True):
    """A snapshot that was held is in force."""

    document: bytes


class Alarm(Struct):
    """A drift: when, and what moved (series, change, usual, deviations)."""

    as_of_ms: int
    moved: list[tuple[str, float, float, float]]


class Answer(Struct):
    """To every message: vectors learned, processor seconds since the last answer, drifts, a snapshot's document."""

    learned: int = 0
    cpu_s: float = 0.0
    alarms: list[Alarm] = []  # msgspec copies it for each
    document: bytes | None = None


Message = Begin | Learn | Forget | Beat | Publish | Adopted
_MESSAGES = msgspec.msgpack.Decoder(Message)
_ANSWERS = msgspec.msgpack.Decoder(Answer)


def framed(message: Any) -> bytes:
    """A message with its length before it."""
    packed = msgspec.msgpack.encode(message)
    return len(packed).to_bytes(LENGTH_BYTES, "big") + packed


def length_of(head: bytes) -> int:
    """How long the message after these bytes is; raises ValueError for what no message can be."""
    length = int.from_bytes(head, "big")
    if len(head) != LENGTH_BYTES or length > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {length} bytes is none of ours")
    return length


def message_of(packed: bytes) -> Message:
    """The message to the trainer."""
    return _MESSAGES.decode(packed)  # type: ignore[no-any-return] # a union has no type of its own


def answer_of(packed: bytes) -> Answer:
    """The trainer's answer."""
    return _ANSWERS.decode(packed)
