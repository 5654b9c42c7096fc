"""Journal entries: the order in which one partition's inputs were applied. MessagePack, one tagged array a record."""

import msgspec
from msgspec import Struct


class Position(Struct, array_like=True, frozen=True):
    """What an entry takes from one topic: offsets [start, end), how many records lie there, and their digest."""

    kind: int
    start: int
    end: int
    count: int
    digest: int  # xxh3 64-bit over the records' values, lengths included


class Embedded(Struct, array_like=True, frozen=True):
    """A record of a compacted input, kept in the entry because its topic may lose it."""

    kind: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Claim(Struct, tag="claim", array_like=True, frozen=True):
    """An owner takes the partition; the entry's own offset is its epoch."""

    worker: str
    cluster: str
    group: str
    fingerprint: str
    wall_ms: int


class Batch(Struct, tag="batch", array_like=True, frozen=True):
    """Records are applied, ordered by (event time, topic rank, offset), after which stream time is `stream_ms`."""

    epoch: int
    positions: tuple[Position, ...]
    stream_ms: int
    wall_ms: int
    embedded: tuple[Embedded, ...] = ()


class Tick(Struct, tag="tick", array_like=True, frozen=True):
    """Stream time reached `stream_ms`: customers due by then are looked at, in slot order, at most `limit`."""

    epoch: int
    stream_ms: int
    limit: int
    wall_ms: int


class Adopt(Struct, tag="adopt", array_like=True, frozen=True):
    """A document comes into force as of `stream_ms`."""

    epoch: int
    document: str  # "definitions" | "model"
    digest: str
    stream_ms: int
    wall_ms: int


class Rejudge(Struct, tag="rejudge", array_like=True, frozen=True):
    """Customers in slots [start, end) are judged by the rules in force."""

    epoch: int
    start: int
    end: int
    wall_ms: int


class Decision(Struct, tag="decision", array_like=True, frozen=True):
    """Somebody decided how to go on where a recovery could not: `segstream recover --yes`, for the record.

    What follows from it is sealed in a checkpoint after it. An entry of this kind after the last marker means that this
    did not come to its end.
    """

    epoch: int
    choices: tuple[str, ...]  # new-engine, skip-missing, from
    basis: int  # offset of the marker that was built on, -1: the journal's first entry
    kept_seq: int  # changes up to it were published before, and stay
    issued: int  # changes published because of it, those that correct earlier ones among them
    corrected: int
    lost_records: int  # that could not be read again
    by: str
    reason: str
    wall_ms: int


Entry = Claim | Batch | Tick | Adopt | Rejudge | Decision

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The entry's record value."""
    return _ENCODER.encode(entry)


def decode(value: bytes) -> Entry:
    """The entry of a record value; raises msgspec.MsgspecError when it is not one."""
    entry: Entry = _DECODER.decode(value)
    return entry
