"""What segment-state holds: packed rows, and the marker that says where a checkpoint stands."""

import msgspec
from msgspec import Struct

MARKER_KEY, ROWS_KEY, CLAIM_KEY, CHECKPOINT_KEY = b"marker", b"rows", b"claim", b"_checkpoint"  # record keys


class Kept(Struct, array_like=True, frozen=True):
    """An earlier marker that can still be gone back to, and what it needs."""

    offset: int  # of the marker's record
    needed_from: int
    journal_next: int
    wall_ms: int


class Marker(Struct, array_like=True):
    """Where a checkpoint stands. Everything up to `journal_next` is in the rows and acknowledged everywhere."""

    row_version: int  # layout of the rows
    fingerprint: str
    journal_next: int
    epoch: int
    positions: dict[int, int]
    stream_ms: int
    counters: list[int]
    customers: int  # slots given, those that are vacant again included
    definitions: str
    model: str
    older_definitions: str
    older_model: str
    generation: int
    adopted_ms: int
    trigger: int
    cursor: int
    changes_next: int
    needed_from: int  # first record of segment-state that a recovery reads; -1: from the beginning
    wall_ms: int
    kept: tuple[Kept, ...] = ()  # oldest first
    row_records: int = -1  # before the marker in its checkpoint; -1: layout 1, which did not say
    part: int = 0  # slices of the rolling cycle that were written before, the cycle's customers and its first record
    part_customers: int = 0
    part_from: int = -1
    warming: dict[str, int] = {}


class Rows(Struct, array_like=True):
    """Some rows, packed as they lie in memory."""

    slots: bytes
    due_ms: bytes
    rows: bytes
    ids: bytes | list[str]  # UTF-8, one after the other; layout 1: one by one
    id_sizes: bytes = b""  # of each, 16 bits; 0 for a slot that nobody has
    version: int = 1  # layout: one checkpoint may need rows of several, since they are written a slice at a time


_MARKERS = msgspec.msgpack.Decoder(Marker)
_ROWS = msgspec.msgpack.Decoder(Rows)


def encode(part: Marker | Rows) -> bytes:
    """The record value of a marker or of rows."""
    return msgspec.msgpack.encode(part)


def decode_marker(value: bytes) -> Marker:
    """The marker of a record value."""
    return _MARKERS.decode(value)


def decode_rows(value: bytes) -> Rows:
    """The rows of a record value."""
    return _ROWS.decode(value)
