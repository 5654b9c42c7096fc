"""Commands on a broker that lacks their topics, or has fewer partitions: told at once, with the remedy."""

from __future__ import annotations

import asyncio

import pytest

from stream.cli import main
from stream.clock import monotonic_s
from stream.kafka import topic_admin
from stream.settings import Settings
from tests.unit.test_cli_kafka import COMMANDS

pytestmark = pytest.mark.kafka

SECONDS = 10.0  # the driver alone would wait 40 for a topic that is not there; a loaded machine takes 2


@pytest.mark.parametrize("command", [one for one in COMMANDS if "--list" not in one])
def test_missing_topics_are_told_at_once(command: str, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The name with its prefix, and the command that creates it."""
    started = monotonic_s()
    assert main([*command.split(), "--brokers", settings.brokers, "--prefix", settings.prefix]) == 2
    told = capsys.readouterr().err
    assert f"there is no topic {settings.prefix}" in told
    assert "segstream topics create" in told
    assert monotonic_s() - started < SECONDS


def test_a_partition_that_is_not_there_is_told_with_the_setting(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command with another number of partitions than the topics have does not wait for the missing ones."""
    asyncio.run(topic_admin.create(settings))
    flags = ["--brokers", settings.brokers, "--prefix", settings.prefix, "--partitions", "9", "--partition", "7"]
    assert main(["verify", *flags]) == 2
    assert f"SEGSTREAM_PARTITIONS={settings.partitions}" in capsys.readouterr().err
