"""Create the topics of the table, and compare real ones with it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.clock import monotonic_s
from stream.errors import SegstreamError
from stream.kafka import client
from stream.kafka.topics import (
    FOREVER_MS,
    INPUT_RETENTION_MIN_MS,
    TABLE,
    Topic,
    configuration_of,
    partitions_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from stream.settings import Settings

VISIBLE_SECONDS = 30.0  # a created topic appears in every broker's metadata within moments; then something is wrong
VISIBLE_POLL_SECONDS = 0.05  # between two looks
SHOWN_EXACTLY = ("cleanup.policy", "message.timestamp.type", "unclean.leader.election.enable")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a real topic that would break a promise: what is wrong and what to do."""

    topic: str
    problem: str
    advice: str


@dataclass(frozen=True, slots=True)
class Actual:
    """A topic as the brokers describe it."""

    partitions: int
    replicas: int  # of the partition that has fewest
    configuration: Mapping[str, str]


async def create(settings: Settings) -> list[str]:
    """Create the topics that are missing and return their names; existing ones are left exactly as they are.

    Returns when every partition has a leader.

    Raises
    ------
    SegstreamError : no broker answers, or one refuses.
    """
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TABLE if settings.prefix + topic.name not in existing]
        if missing:
            await _create(admin, missing, settings)
            await _wait_for_leaders(admin, missing, settings)
        return [settings.prefix + topic.name for topic in missing]


async def check(settings: Settings) -> list[Finding]:
    """Return what is wrong with the real topics, in the order of the table; empty means all is well.

    Raises
    ------
    SegstreamError : no broker answers.
    """
    async with _admin(settings) as admin:
        actual = await _describe(admin, [settings.prefix + topic.name for topic in TABLE])
    findings: list[Finding] = []
    for topic in TABLE:
        name = settings.prefix + topic.name
        findings += compare(topic, actual.get(name), settings)
    return findings


def compare(topic: Topic, actual: Actual | None, settings: Settings) -> list[Finding]:
    """Return what is wrong with one topic; `actual` is None if it does not exist."""
    name = settings.prefix + topic.name
    if actual is None:
        return [Finding(name, "does not exist", "run `segstream topics create`")]
    findings = []
    wanted = partitions_of(topic, settings)
    if actual.partitions != wanted:
        advice = (
            "stop the workers, delete it, and run `segstream topics create`"
            if topic.single
            else f"set SEGSTREAM_PARTITIONS={actual.partitions}, or create it anew: customers cannot move"
        )
        findings.append(Finding(name, f"has {actual.partitions} partitions, not {wanted}", advice))
    if actual.replicas < settings.replication:
        problem = f"has {actual.replicas} replicas, not {settings.replication}"
        findings.append(Finding(name, problem, "reassign its partitions to more brokers, or set SEGSTREAM_REPLICATION"))
    wrong = _wrong_configuration(topic, actual.configuration, settings)
    return findings + [
        Finding(name, problem, f"run `kafka-configs --alter --topic {name} --add-config {repair}`")
        for problem, repair in wrong
    ]


def _wrong_configuration(topic: Topic, actual: Mapping[str, str], settings: Settings) -> list[tuple[str, str]]:
    """Return (problem, configuration that repairs it) for every entry that matters."""
    wanted = configuration_of(topic, settings)
    wrong = [key for key in SHOWN_EXACTLY if _words(actual[key]) != _words(wanted[key])]
    if int(actual["min.insync.replicas"]) < int(wanted["min.insync.replicas"]):
        wrong.append("min.insync.replicas")
    if topic.kind != "in" and int(actual["max.message.bytes"]) < int(wanted["max.message.bytes"]):
        wrong.append("max.message.bytes")
    if "delete" in _words(actual["cleanup.policy"]) and _retention_is_short(topic, int(actual["retention.ms"])):
        wrong.append("retention.ms")
    return [(f"{key} is {actual[key]}, not {wanted[key]}", f"{key}={wanted[key]}") for key in wrong]


def _words(value: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in value.split(","))


def _retention_is_short(topic: Topic, retention_ms: int) -> bool:
    """Inputs must outlive a repair; ours must be kept as long as the table says; longer is always fine."""
    wanted_ms = INPUT_RETENTION_MIN_MS if topic.kind == "in" else topic.retention_ms
    if retention_ms == FOREVER_MS:
        return False
    return wanted_ms == FOREVER_MS or retention_ms < wanted_ms


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = client.admin(settings)
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise await client.unreachable(settings, error) from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic], settings: Settings) -> None:
    response = await admin.create_topics(
        [
            NewTopic(
                settings.prefix + topic.name,
                partitions_of(topic, settings),
                settings.replication,
                topic_configs=dict(configuration_of(topic, settings)),
            )
            for topic in topics
        ]
    )
    for name, code, *detail in response.topic_errors:
        # another process may have created it between our look and our request: then it is there, as wanted
        if code not in (0, TopicAlreadyExistsError.errno):
            raise SegstreamError(
                f"Kafka refused to create {name}: {for_code(code).__name__} {_text(*detail[:1])}".rstrip(),
                "check SEGSTREAM_REPLICATION against the number of brokers, and the right to create topics",
            )


async def _wait_for_leaders(admin: AIOKafkaAdminClient, topics: list[Topic], settings: Settings) -> None:
    deadline_s = monotonic_s() + VISIBLE_SECONDS
    wanted = [settings.prefix + topic.name for topic in topics]
    while True:
        described = await admin.describe_topics(wanted)
        partitions = [part for topic in described for part in topic["partitions"]]
        ready = all(topic["error_code"] == 0 and topic["partitions"] for topic in described)
        if ready and all(part["error_code"] == 0 and part["leader"] >= 0 for part in partitions):
            return
        if monotonic_s() > deadline_s:
            raise SegstreamError(
                f"topics have no leader {VISIBLE_SECONDS:g} s after they were created",
                "look at the brokers' logs, then run `segstream topics check`",
            )
        await asyncio.sleep(VISIBLE_POLL_SECONDS)


async def _describe(admin: AIOKafkaAdminClient, wanted: list[str]) -> dict[str, Actual]:
    present = set(await admin.list_topics()).intersection(wanted)
    if not present:
        return {}
    described = await admin.describe_topics(sorted(present))
    configurations = await _configurations(admin, sorted(present))
    return {
        topic["topic"]: Actual(
            partitions=len(topic["partitions"]),
            replicas=min((len(part["replicas"]) for part in topic["partitions"]), default=0),
            configuration=configurations[topic["topic"]],
        )
        for topic in described
        if topic["topic"] in configurations
    }


async def _configurations(admin: AIOKafkaAdminClient, present: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in present]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, message, _kind, name, entries in response.resources:
            if code:
                raise SegstreamError(
                    f"Kafka does not show the configuration of {name}: {message}",
                    "ask for the right to describe it",
                )
            found[name] = {entry[0]: _text(entry[1]) for entry in entries}
    return found


def _text(value: Any = None) -> str:
    return "" if value is None else str(value)
