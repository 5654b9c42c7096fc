"""Laws of what the demo sends on purpose: every kind of refusal, and copies."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import TOPICS
from stream.codec.block import block_of
from stream.codec.events import REASONS, decode
from stream.demo.faults import Fault, doubled, faults, spread
from stream.kafka.partitioner import partition_of

JUDGED_LATER = {"future", "wrong_partition"}  # by the clock and the partition, not by the record alone
MADE = faults(4)


def test_every_reason_but_a_full_table_is_shown() -> None:
    """The demo's dead letters are a tour of the reasons."""
    assert {fault.reason for fault in MADE} == set(REASONS) - {"table_full"}


@pytest.mark.parametrize("fault", MADE, ids=lambda fault: fault.reason)
def test_a_fault_is_refused_for_its_reason(fault: Fault) -> None:
    """A record that claims one fault has that one and no other."""
    record = SimpleNamespace(offset=0, key=fault.key.encode(), value=fault.value, timestamp=0)
    columns = decode(TOPICS.index(fault.topic), block_of([record]))
    reasons = [refusal.reason for _, refusal in columns.refused]
    assert reasons == ([] if fault.reason in JUDGED_LATER else [fault.reason])


@pytest.mark.parametrize("partitions", [2, 3, 4, 16])
def test_a_wrong_partition_is_wrong(partitions: int) -> None:
    """The key leads elsewhere than the customer, however many partitions there are."""
    fault = next(one for one in faults(partitions) if one.reason == "wrong_partition")
    assert partition_of(fault.key, partitions) != partition_of("c99999", partitions)


def test_faults_lie_within_the_year_in_order() -> None:
    """They are merged into a stream that is in order."""
    times = [ts_ms for ts_ms, *_ in spread(MADE, 1_000, 2_000)]
    assert times == sorted(times)
    assert times[0] > 1_000
    assert times[-1] < 2_000


@given(st.lists(st.sampled_from(["clicks", "emails", "profiles"]), max_size=60), st.integers(1, 9))
def test_copies_follow_their_originals(topics: list[str], every: int) -> None:
    """Without the copies the stream is as it was; a copy repeats the record before it, and never a profile."""
    records = [(number, topic, b"k", b"v%d" % number) for number, topic in enumerate(topics)]
    sent = list(doubled(records, every))
    assert [record for record, copy in sent if not copy] == records
    for (before, _), (record, copy) in pairwise(sent):
        assert not copy or (record == before and record[1] != "profiles")
    if "profiles" not in topics:
        assert len(sent) - len(records) == len(records) // every
