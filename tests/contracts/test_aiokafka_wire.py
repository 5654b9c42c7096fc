"""Our fetch and produce requests, and the answers, are byte for byte what aiokafka writes and reads."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from aiokafka.protocol.api import RequestHeader_v1
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from aiokafka.protocol.produce import ProduceRequest, ProduceResponse_v7
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.wire import Fetch, Fetched, Produce, Produced

INT = st.integers(-(2**31), 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)
SHORT = st.integers(-(2**15), 2**15 - 1)
NAME = st.text(max_size=20)
SPOKEN = {Fetch.API_KEY: (4, 17), Produce.API_KEY: (3, 12)}  # what Kafka 4 speaks
OLDER = {Fetch.API_KEY: (0, 10), Produce.API_KEY: (0, 6)}


def topics_of(place: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Some topics with some places."""
    return st.lists(st.tuples(NAME, st.lists(place, max_size=4)), max_size=3)


def header_of(request: Any) -> bytes:
    """What goes before a request of aiokafka's."""
    return bytes(RequestHeader_v1(request, correlation_id=7, client_id="sign-ä").encode())


@given(topics_of(st.tuples(INT, LONG, INT)), INT, INT, st.sampled_from((0, 1)))
def test_a_fetch_is_the_librarys(topics: list[Any], wait_ms: int, bytes_max: int, isolation: int) -> None:
    """Header and content, for any topics; and to an older broker it is the library's own."""
    ours, theirs = Fetch(wait_ms, bytes_max, isolation, topics), FetchRequest(wait_ms, 1, bytes_max, isolation, topics)
    prepared, wanted = ours.prepare(SPOKEN), theirs.prepare({Fetch.API_KEY: (4, Fetch.API_VERSION)})
    assert prepared is ours
    assert prepared.encode() == wanted.encode()
    assert prepared.build_request_header(correlation_id=7, client_id="sign-ä").encode() == header_of(wanted)
    assert ours.prepare(OLDER) == theirs.prepare(OLDER)


@given(topics_of(st.tuples(INT, st.binary(max_size=30))), st.integers(0, 2**31 - 1))
def test_a_produce_is_the_librarys(topics: list[Any], timeout_ms: int) -> None:
    """Header and content, for any batches; and to an older broker it is the library's own."""
    ours, theirs = Produce(timeout_ms, topics), ProduceRequest(None, -1, timeout_ms, topics)
    prepared, wanted = ours.prepare(SPOKEN), theirs.prepare({Produce.API_KEY: (3, Produce.API_VERSION)})
    assert prepared is ours
    assert prepared.encode() == wanted.encode()
    assert prepared.build_request_header(correlation_id=7, client_id="sign-ä").encode() == header_of(wanted)
    assert ours.prepare(OLDER) == theirs.prepare(OLDER)


@given(
    topics_of(
        st.tuples(
            INT, SHORT, LONG, LONG, LONG,
            st.none() | st.lists(st.tuples(LONG, LONG), max_size=3), INT, st.none() | st.binary(max_size=30),
        )
    )
)  # fmt: skip
def test_an_answer_to_a_fetch_is_read_as_the_library_reads_it(topics: list[Any]) -> None:
    """Nulls, aborted transactions, empty topics and all."""
    answer = FetchResponse_v11(0, 0, 0, topics).encode()
    assert Fetched.decode(BytesIO(answer)).topics == FetchResponse_v11.decode(answer).topics
    assert Fetched([]).API_VERSION == FetchResponse_v11.API_VERSION


@given(topics_of(st.tuples(INT, SHORT, LONG, LONG, LONG)))
def test_an_answer_to_a_produce_is_read_as_the_library_reads_it(topics: list[Any]) -> None:
    """For any topics."""
    answer = ProduceResponse_v7(topics, 0).encode()
    assert Produced.decode(BytesIO(answer)).topics == ProduceResponse_v7.decode(answer).topics


def test_a_batch_is_built_once_its_producer_is_known() -> None:
    """The builder refuses what has no room, except the first record, and takes a sequence at the end."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, 5, 1, 0, 100)
    assert builder.append(0, None, None, bytes(200), []) is not None
    assert builder.append(1, None, b"k", None, []) is None
    builder.set_producer_state(5, 1, 41)
    assert int.from_bytes(builder.build()[53:57], "big") == 41  # the base sequence's place in a record batch
