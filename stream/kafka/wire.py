"""Fetch and produce requests put together by hand, and their answers taken apart: of one version each.

aiokafka writes and reads the protocol field by field through objects that describe it, a fifth of a worker's time at
1,000 events/s. What it says of the layout is law: a contract test compares the two byte for byte. A broker that does
not speak our version is asked by aiokafka's own request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest

if TYPE_CHECKING:
    from io import BytesIO

Versions = Mapping[int, tuple[int, int]]  # least and newest that a broker speaks, by kind of request

SHORT, INT = Struct(">h"), Struct(">i")
HEAD = Struct(">hhi")  # kind, version, correlation id
FETCH_HEAD = Struct(">iiiibiii")  # replica, wait, least and most bytes, isolation, session, its epoch, topics
FETCH_PLACE = Struct(">iiqqi")  # partition, leader epoch, offset, log start, most bytes
FETCH_TAIL = INT.pack(0) + SHORT.pack(0)  # no topics to forget, no rack
FETCHED_HEAD = Struct(">ihii")  # throttled for, error, session, topics
FETCHED_PLACE = Struct(">ihqqqi")  # partition, error, high water, last stable, log start, aborted transactions
ABORTED = Struct(">qq")  # producer id, first offset
FETCHED_TAIL = Struct(">ii")  # preferred replica, bytes of records
PRODUCE_HEAD = Struct(">hhii")  # no transaction, acks, timeout, topics
PRODUCED_PLACE = Struct(">ihqqq")  # partition, error, offset, timestamp, log start
NOBODY, UNKNOWN, ALL = -1, -1, -1  # as replica, epoch or offset, and acks of all
NO_SESSION, FINAL_EPOCH = 0, -1  # of a fetch that stands alone


class _Bytes(NamedTuple):
    """What was put together already; the library asks for it as it asks its own."""

    content: bytes

    def encode(self) -> bytes:
        return self.content


class _Answered(NamedTuple):
    correlation_id: int


class _Request:
    """What the library's connection asks of a request; the version is negotiated in `prepare`."""

    API_KEY: int
    API_VERSION: int

    def prepare(self, versions: Versions) -> Any:
        """The request itself if the broker speaks its version, else the library's own."""
        least, newest = versions.get(self.API_KEY, (0, -1))
        return self if least <= self.API_VERSION <= newest else self.slow().prepare(dict(versions))

    def slow(self) -> Any:
        """The same as the library's request."""
        raise NotImplementedError

    def build_request_header(self, correlation_id: int, client_id: str) -> _Bytes:
        """What goes before it."""
        return _Bytes(HEAD.pack(self.API_KEY, self.API_VERSION, correlation_id) + _string(client_id))

    def parse_response_header(self, data: BytesIO) -> _Answered:
        """What comes before its answer."""
        return _Answered(*INT.unpack(data.read(INT.size)))


class Fetched(NamedTuple):
    """The answer to a `Fetch`: of each topic its partitions, with the fields of the library's in their order."""

    topics: list[tuple[str, list[tuple[Any, ...]]]]
    API_VERSION: int = 11

    @classmethod
    def decode(cls, data: BytesIO) -> Fetched:
        """Take an answer apart; its head has been read."""
        whole, at = data.getvalue(), data.tell()  # the value is the connection's own: 8 MB that are not copied
        count = FETCHED_HEAD.unpack_from(whole, at)[-1]
        at += FETCHED_HEAD.size
        topics = []
        for _ in range(count):
            topic, places_count, at = _topic(whole, at)
            places: list[tuple[Any, ...]] = []
            for _ in range(places_count):
                *fields, aborted_count = FETCHED_PLACE.unpack_from(whole, at)
                at += FETCHED_PLACE.size
                aborted = None
                if aborted_count >= 0:
                    end = at + ABORTED.size * aborted_count
                    aborted, at = list(ABORTED.iter_unpack(whole[at:end])), end
                replica, length = FETCHED_TAIL.unpack_from(whole, at)
                at += FETCHED_TAIL.size
                places.append((*fields, aborted, replica, None if length < 0 else whole[at : at + length]))
                at += max(length, 0)
            topics.append((topic, places))
        return cls(topics)


class Fetch(_Request):
    """Ask for records; `topics` as the library takes them: (name, [(partition, offset, most bytes)])."""

    API_KEY, API_VERSION, RESPONSE_TYPE = 1, 11, Fetched

    def __init__(
        self, wait_ms: int, bytes_max: int, isolation: int, topics: Sequence[tuple[str, list[tuple[int, int, int]]]]
    ) -> None:
        self._wait_ms, self._bytes_max, self._isolation, self._topics = wait_ms, bytes_max, isolation, topics

    def slow(self) -> FetchRequest:
        """The same as the library's request."""
        return FetchRequest(self._wait_ms, 1, self._bytes_max, self._isolation, list(self._topics))

    def encode(self) -> bytes:
        """The request without its header."""
        head = FETCH_HEAD.pack(
            NOBODY, self._wait_ms, 1, self._bytes_max, self._isolation, NO_SESSION, FINAL_EPOCH, len(self._topics)
        )
        parts = [head]
        for topic, places in self._topics:
            parts += (_string(topic), INT.pack(len(places)))
            parts += [FETCH_PLACE.pack(number, UNKNOWN, offset, UNKNOWN, most) for number, offset, most in places]
        parts.append(FETCH_TAIL)
        return b"".join(parts)


class Produced(NamedTuple):
    """The answer to a `Produce`: of each topic (partition, error, offset, timestamp, log start)."""

    topics: list[tuple[str, list[tuple[int, int, int, int, int]]]]
    API_VERSION: int = 7

    @classmethod
    def decode(cls, data: BytesIO) -> Produced:
        """Take an answer apart; its head has been read."""
        whole = data.read()
        at = INT.size
        topics = []
        for _ in range(INT.unpack_from(whole)[0]):
            topic, count, at = _topic(whole, at)
            end = at + PRODUCED_PLACE.size * count
            topics.append((topic, list(PRODUCED_PLACE.iter_unpack(whole[at:end]))))
            at = end
        return cls(topics)


class Produce(_Request):
    """Append record batches, acknowledged by all replicas: (name, [(partition, batch)])."""

    API_KEY, API_VERSION, RESPONSE_TYPE = 0, 7, Produced

    def __init__(self, timeout_ms: int, topics: Sequence[tuple[str, list[tuple[int, bytes | bytearray]]]]) -> None:
        self._timeout_ms, self._topics = timeout_ms, topics

    def slow(self) -> ProduceRequest:
        """The same as the library's request."""
        topics = [(topic, [(number, bytes(one)) for number, one in batches]) for topic, batches in self._topics]
        return ProduceRequest(None, ALL, self._timeout_ms, topics)

    def encode(self) -> bytes:
        """The request without its header."""
        parts: list[bytes | bytearray] = [PRODUCE_HEAD.pack(NOBODY, ALL, self._timeout_ms, len(self._topics))]
        for topic, batches in self._topics:
            parts += (_string(topic), INT.pack(len(batches)))
            for partition, batch in batches:
                parts += (INT.pack(partition), INT.pack(len(batch)), batch)
        return b"".join(parts)


def _string(text: str) -> bytes:
    content = text.encode()
    return SHORT.pack(len(content)) + content


def _topic(whole: bytes, at: int) -> tuple[str, int, int]:
    """A topic's name, how many partitions of it follow, and where."""
    begin = at + SHORT.size
    end = begin + SHORT.unpack_from(whole, at)[0]
    return whole[begin:end].decode(), INT.unpack_from(whole, end)[0], end + INT.size
