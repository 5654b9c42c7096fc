"""`topics create` and `topics check` on a real broker."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from aiokafka.admin import NewTopic

from stream.cli import main
from stream.errors import SegstreamError
from stream.kafka import client, topic_admin
from stream.kafka.topics import TABLE, names
from stream.settings import Settings
from stream.worker.main import refuse_wrong_topics

pytestmark = pytest.mark.kafka


def flags(settings: Settings) -> list[str]:
    """Return the flags that point a command at these settings."""
    return ["--brokers", settings.brokers, "--prefix", settings.prefix]


def test_created_topics_are_as_the_check_wants_them(settings: Settings) -> None:
    """Every topic is missing before and right after."""
    assert len(asyncio.run(topic_admin.check(settings))) == len(TABLE)
    assert asyncio.run(topic_admin.create(settings)) == [settings.prefix + topic.name for topic in TABLE]
    assert asyncio.run(topic_admin.check(settings)) == []


def test_creating_again_changes_nothing(settings: Settings) -> None:
    """Create is safe to run at every start, also from two places at once."""

    async def both() -> None:
        await asyncio.gather(topic_admin.create(settings), topic_admin.create(settings))

    asyncio.run(both())
    assert asyncio.run(topic_admin.create(settings)) == []
    assert asyncio.run(topic_admin.check(settings)) == []


def test_topics_of_another_shape_are_found(settings: Settings) -> None:
    """A real topic with three partitions, LogAppendTime and short retention gives those findings."""

    async def wrongly() -> None:
        admin = client.admin(settings)
        await admin.start()
        configuration = {"message.timestamp.type": "LogAppendTime", "retention.ms": "60000"}
        await admin.create_topics([NewTopic(names(settings).clicks, 3, 1, topic_configs=configuration)])
        await admin.close()

    asyncio.run(wrongly())
    asyncio.run(topic_admin.create(settings))
    problems = [finding.problem for finding in asyncio.run(topic_admin.check(settings))]
    assert problems == [
        "has 3 partitions, not 4",
        "message.timestamp.type is LogAppendTime, not CreateTime",
        "retention.ms is 60000, not 604800000",
    ]


def test_the_commands_say_it_and_exit_with_it(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """0 when all is well, 1 with findings; JSON is one object on standard output."""
    assert main(["topics", "create", *flags(settings)]) == 0
    assert main(["topics", "check", *flags(settings)]) == 0
    capsys.readouterr()
    assert main(["topics", "check", *flags(settings), "--partitions", "2", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["problem"] for finding in findings} == {"has 4 partitions, not 2"}


def test_a_worker_refuses_topics_of_another_number_of_partitions(settings: Settings) -> None:
    """All of them, or one input among the others: customers would not find their rows. It says what to do."""
    asyncio.run(topic_admin.create(settings))
    refuse_wrong_topics(settings)
    with pytest.raises(SegstreamError, match="has 4 partitions, not 2") as refused:
        refuse_wrong_topics(replace(settings, partitions=2))
    assert "SEGSTREAM_PARTITIONS=4" in refused.value.advice

    other = replace(settings, prefix=f"{settings.prefix}other.")

    async def one_wrong() -> None:
        admin = client.admin(other)
        await admin.start()
        await admin.create_topics([NewTopic(names(other).emails, 3, 1)])
        await admin.close()

    asyncio.run(one_wrong())
    asyncio.run(topic_admin.create(other))
    with pytest.raises(SegstreamError, match="emails has 3 partitions, not 4"):
        refuse_wrong_topics(other)


def test_too_few_brokers_are_told(settings: Settings) -> None:
    """Three replicas cannot be made of one broker; the error names the setting."""
    with pytest.raises(SegstreamError, match="SEGSTREAM_REPLICATION"):
        asyncio.run(topic_admin.create(replace(settings, replication=3)))
