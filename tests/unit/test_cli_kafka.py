"""Commands whose Kafka is not as they need it: the cause and a remedy, never "a fault of segstream"."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError
from aiokafka.protocol.admin import DescribeGroupsResponse_v3

from stream.cli import main
from stream.cli.recover import _told, name_of
from stream.errors import SegstreamError
from stream.kafka.failures import GONE, of_kafka, unreadable
from stream.kafka.groups import counted
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from stream.worker.log import FencedError, LogUnavailableError
from stream.worker.repair import Plan
from tests.house.tree import REPO

NOWHERE = "127.0.0.1:1"  # nothing listens there
COMMANDS = (
    "explain anna", "personas", "personas --approve 0123456789abcdef", "health", "verify", "verify --list", "recover",
    "recover --skip-missing --yes", "replay", "backtest --from-topic", "definitions history", "definitions rollback",
    "definitions diff live shipped",
)  # fmt: skip
NOT_AUTHORIZED, MEMBER = 30, ("m-1", None, "worker", "/10.0.0.1", b"", b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_broker_is_told_by_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each says which address does not answer and what to look at."""
    assert main([*command.split(), "--brokers", NOWHERE]) == 2
    told = capsys.readouterr().err
    assert f"error: no usable answer from Kafka at {NOWHERE}" in told
    assert "SEGSTREAM_BROKERS" in told


def test_explain_says_what_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """A partition of a million customers takes seconds: on standard error, so that the answer stays alone."""
    main(["explain", "anna", "--brokers", NOWHERE])
    shown = capsys.readouterr()
    assert shown.err.startswith(f"reading partition {partition_of('anna', Settings().partitions)}: ")
    assert shown.out == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FencedError(), "took the partition meanwhile"),
        (LogUnavailableError("no acknowledgement within 30 s"), "no acknowledgement within 30 s"),
        (KafkaTimeoutError(), "KafkaTimeoutError"),
    ],
)
def test_what_kafka_caused_has_words_of_its_own(error: Exception, words: str) -> None:
    """A fence, a silence, a driver's error: none of them is unexpected."""
    known = of_kafka(error)
    assert known is not None
    assert words in known.message
    assert "run" in known.advice


def test_a_fault_stays_a_fault() -> None:
    """What Kafka has nothing to do with is not put on it."""
    assert of_kafka(ValueError("ours")) is None


@pytest.mark.parametrize("topic", [*GONE, "segment-changes"])
def test_the_advice_for_what_cannot_be_read_is_a_heading_of_its_topic(topic: str) -> None:
    """Records that are gone and a broker that is gone lead to different pages, and both exist."""
    gone, silent = (unreadable(topic, 2, 3, error).advice for error in (OffsetOutOfRangeError(), KafkaError()))
    headings = (REPO / "docs" / "operations.md").read_text("utf-8").splitlines()
    for advice in (gone, silent):
        assert f"### {advice.split(chr(39))[1]}" in headings
    assert "a broker does not answer" in silent
    assert ("source records" in gone) == (not topic.startswith("segment-"))


def group(code: int, *members: Any) -> DescribeGroupsResponse_v3:
    """What a broker answers about one group."""
    return DescribeGroupsResponse_v3(0, [(code, "segstream", "Stable", "consumer", "range", list(members), 0)])


def test_members_are_counted_only_where_the_broker_told_them() -> None:
    """An answer that is an error, or none, is not an empty group."""
    assert counted("segstream", [group(0, MEMBER, MEMBER)]) == 2
    assert counted("segstream", [group(0)]) == 0
    for answers in ([group(NOT_AUTHORIZED)], []):
        with pytest.raises(SegstreamError, match="is not known"):
            counted("segstream", answers)


def test_who_decided_has_a_name_in_every_container() -> None:
    """A uid without an entry in passwd is told as a number."""
    assert name_of(54_321) == "uid-54321"
    assert name_of(os.getuid())


@pytest.mark.parametrize("as_json", [False, True])
def test_partitions_that_were_repaired_are_told_though_a_later_one_fails(
    *, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is told when it is done: what is written cannot be known otherwise."""

    async def plans() -> AsyncIterator[Plan]:
        yield Plan(0, decided=True)
        raise LogUnavailableError("no acknowledgement within 30 s")

    with pytest.raises(LogUnavailableError):
        asyncio.run(_told(plans(), done=True, as_json=as_json))
    shown = capsys.readouterr().out
    if as_json:
        assert [one["done"] for one in json.loads(shown)["partitions"]] == [True]
    else:
        assert "sealed with a checkpoint" in shown
