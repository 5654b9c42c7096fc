"""What was published, held against what the journal gives: changes by seq, dead letters by the address they refuse."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass
from typing import Any

from models.events import TOPICS
from stream.codec.documents import address_of, seq_of

DIGEST_BYTES = 16  # of BLAKE2: no two changes of a journal share one by accident
CUSTOMER_BYTES = 6  # of BLAKE2: enough to find a customer whom one knows, and nobody else
SHOWN_FIELDS_MAX = 4  # of a difference: the first few tell what kind it is
NOT_READ = -1  # offset of a seq of which no record was seen


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that is not as the journal gives it, with its address; -1 and "" where a part does not apply."""

    what: str
    topic: str
    partition: int
    offset: int = NOT_READ  # of the published record
    seq: int = NOT_READ
    entry: int = NOT_READ  # of the journal that gives it
    customer: str = ""  # digest of the id: whoever knows the id can compute it
    fields: tuple[tuple[str, str, str], ...] = ()  # (name, published, computed) of what differs, as JSON

    def __str__(self) -> str:
        """One line for people."""
        parts = [f"{self.topic} [{self.partition}]"]
        named = (("offset", self.offset), ("seq", self.seq), ("journal entry", self.entry))
        parts += [f"{name} {value}" for name, value in named if value != NOT_READ]
        parts += [f"customer {self.customer}"] * bool(self.customer)
        values = "; ".join(f"{name} is {there}, expected {here}" for name, there, here in self.fields)
        return f"{', '.join(parts)}: {self.what}{': ' if values else ''}{values}"


class Published:
    """Digest and offset of every published change, by seq.

    Parameters
    ----------
    first_seq : changes before it are passed over; 0 begins with the first that comes.
    """

    def __init__(self, first_seq: int = 0) -> None:
        self.first_seq = first_seq
        self.copies = 0
        self.offsets: array[int] = array("q")
        self._digests = bytearray()

    @property
    def last_seq(self) -> int:
        """The greatest seq that was published, 0 for none."""
        return self.first_seq + len(self.offsets) - 1 if self.offsets else 0

    def add(self, record: Any) -> int:
        """Take the next record of the topic; returns the offset of an earlier copy unlike it, or NOT_READ."""
        seq = seq_of(record.value)
        if not self.first_seq:
            self.first_seq = seq
        place = seq - self.first_seq
        if place < 0:
            return NOT_READ  # of before the range, or a copy of what retention has removed
        missing = place + 1 - len(self.offsets)
        self.offsets.extend([NOT_READ] * missing)
        self._digests.extend(bytes(DIGEST_BYTES * max(missing, 0)))
        found = digest(record.key, record.value)
        if self.offsets[place] == NOT_READ:
            self.offsets[place] = record.offset
            self._digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES] = found
            return NOT_READ
        self.copies += 1
        return NOT_READ if self._digest(seq) == found else self.offset(seq)

    def offset(self, seq: int) -> int:
        """Where the change lies, NOT_READ when it does not."""
        place = seq - self.first_seq
        return self.offsets[place] if 0 <= place < len(self.offsets) else NOT_READ

    def equals(self, seq: int, key: bytes | None, value: bytes | None) -> bool:
        """Whether the published change has this key and value."""
        return self._digest(seq) == digest(key, value)

    def _digest(self, seq: int) -> bytes:
        start = (seq - self.first_seq) * DIGEST_BYTES
        return bytes(self._digests[start : start + DIGEST_BYTES])


class Letters:
    """Computed dead letters, each waiting for its published record."""

    def __init__(self, partition: int) -> None:
        self.count = 0
        self._partition = partition
        self._wanted: dict[tuple[str, int], tuple[bytes, int]] = {}
        self._seen: set[tuple[str, int]] = set()

    def expect(self, key: bytes | None, value: bytes | None, entry: int) -> None:
        """A dead letter that a journal entry gives."""
        self.count += 1
        self._wanted[address_of(value or b"")] = digest(key, value), entry

    def add(self, record: Any) -> Difference | None:
        """Take the next record of the topic; returns how it differs from the one that was computed."""
        address = address_of(record.value)
        wanted = self._wanted.get(address)
        if wanted is None:
            return None
        self._seen.add(address)
        if wanted[0] == digest(record.key, record.value):
            return None
        what = f"the dead letter of {address[0]} offset {address[1]} has other bytes"
        return Difference(what, "segment-dead-letters", self._partition, record.offset, entry=wanted[1])

    def missing(self) -> list[tuple[str, int]]:
        """Addresses whose dead letter was not seen."""
        return sorted(set(self._wanted) - self._seen, key=lambda one: (TOPICS.index(one[0]), one[1]))


def digest(key: bytes | None, value: bytes | None) -> bytes:
    """A digest of a record's key and value."""
    state = hashlib.blake2b(key or b"", digest_size=DIGEST_BYTES)
    state.update(b"\xff")
    state.update(value or b"")
    return state.digest()


def customer_digest(key: bytes | None) -> str:
    """A customer without the id."""
    return hashlib.blake2b(key or b"", digest_size=CUSTOMER_BYTES).hexdigest()


def fields_of(computed: bytes, published: bytes) -> tuple[tuple[str, str, str], ...]:
    """The first fields that differ: name, published and computed value. Customer ids are told as digests."""
    mine, theirs = json.loads(computed), json.loads(published)
    names = [name for name in {**theirs, **mine} if mine.get(name) != theirs.get(name)][:SHOWN_FIELDS_MAX]
    return tuple((name, _shown(name, theirs), _shown(name, mine)) for name in names)


def _shown(name: str, change: dict[str, Any]) -> str:
    if name not in change:
        return "absent"
    value = change[name]
    return customer_digest(value.encode()) if name == "customer_id" else json.dumps(value, ensure_ascii=False)
