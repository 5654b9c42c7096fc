"""The table of topics, and what is found wrong with a real one."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from stream.kafka.topic_admin import Actual, compare
from stream.kafka.topics import (
    TABLE,
    Names,
    Topic,
    attribute_of,
    cleanup_of,
    configuration_of,
    in_sync_of,
    names,
    partitions_of,
)
from stream.settings import Settings

SETTINGS = Settings()
BY_NAME = {topic.name: topic for topic in TABLE}


def as_created(topic: Topic, settings: Settings = SETTINGS) -> Actual:
    """Return a topic as `topics create` makes it."""
    return Actual(partitions_of(topic, settings), settings.replication, configuration_of(topic, settings))


def test_every_topic_has_its_attribute_and_no_other() -> None:
    """`Names` is the table in code; the two cannot part."""
    assert [attribute_of(topic) for topic in TABLE] == [one.name for one in fields(Names)]


def test_the_prefix_stands_before_every_name() -> None:
    """Several segstreams can share a cluster."""
    found = names(Settings(prefix="shop1."))
    assert found.changes == "shop1.segment-changes"
    assert found.inputs == ("shop1.clicks", "shop1.purchases", "shop1.emails", "shop1.profiles")


def test_topics_keyed_by_customer_have_equal_partitions() -> None:
    """A customer's records of all topics lie in the same partition number."""
    keyed = {partitions_of(topic, Settings(partitions=6)) for topic in TABLE if not topic.single}
    assert keyed == {6}


@pytest.mark.parametrize(("replication", "in_sync"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_two_replicas_must_have_a_record_where_there_are_three(replication: int, in_sync: int) -> None:
    """With two replicas, asking for both would stop writing when one is gone."""
    assert in_sync_of(Settings(replication=replication)) == in_sync


def test_the_profiles_topic_may_be_kept_whole() -> None:
    """Compaction of profiles is a setting; nothing else changes with it."""
    whole = Settings(profiles_compacted=False)
    changed = [topic.name for topic in TABLE if cleanup_of(topic, whole) != cleanup_of(topic, SETTINGS)]
    assert changed == ["profiles"]


def test_own_topics_are_never_emptied_by_time() -> None:
    """The owner deletes what it no longer needs; retention would delete what it still does."""
    kept = {topic.name: topic.retention_ms for topic in TABLE if topic.kind == "own"}
    assert kept == {"segment-journal": -1, "segment-state": -1, "segment-vectors": 86_400_000}


@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
@pytest.mark.parametrize("replication", [1, 3])
def test_what_create_makes_check_accepts(topic: Topic, replication: int) -> None:
    """The two read the same table."""
    settings = Settings(replication=replication)
    assert compare(topic, as_created(topic, settings), settings) == []


def test_a_missing_topic_is_found() -> None:
    """The advice is the command that makes it."""
    (finding,) = compare(BY_NAME["clicks"], None, SETTINGS)
    assert "segstream topics create" in finding.advice


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("clicks", "cleanup.policy", "compact"),
        ("clicks", "retention.ms", "3600000"),
        ("segment-memberships", "cleanup.policy", "compact,delete"),
        ("segment-journal", "retention.ms", "604800000"),
        ("segment-changes", "retention.ms", "86400000"),
        ("segment-state", "max.message.bytes", "1048588"),
        ("purchases", "message.timestamp.type", "LogAppendTime"),
        ("segment-journal", "unclean.leader.election.enable", "true"),
        ("segment-journal", "min.insync.replicas", "1"),
    ],
)
def test_a_dangerous_configuration_is_found_with_its_repair(name: str, key: str, value: str) -> None:
    """One wrong entry is one finding that names entry, value and the command that repairs it."""
    settings = Settings(replication=3)
    right = as_created(BY_NAME[name], settings)
    wrong = replace(right, configuration={**right.configuration, key: value})
    found = [finding for finding in compare(BY_NAME[name], wrong, settings) if key in finding.problem]
    assert len(found) == 1
    assert value in found[0].problem
    assert f"--add-config {key}={right.configuration[key]}" in found[0].advice


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("clicks", "retention.ms", "-1"),
        ("clicks", "retention.ms", "86400000"),
        ("clicks", "max.message.bytes", "1048588"),
        ("segment-changes", "retention.ms", "-1"),
        ("segment-models", "retention.ms", "1000"),
        ("segment-journal", "min.insync.replicas", "2"),
    ],
)
def test_what_is_safer_or_not_ours_is_no_finding(name: str, key: str, value: str) -> None:
    """Longer retention, other people's message size, and retention of compacted topics are left alone."""
    right = as_created(BY_NAME[name])
    other = replace(right, configuration={**right.configuration, key: value})
    assert compare(BY_NAME[name], other, SETTINGS) == []


def test_partitions_and_replicas_are_compared() -> None:
    """The two that cannot be repaired by configuration say what can be done instead."""
    wrong = replace(as_created(BY_NAME["clicks"]), partitions=3, replicas=0)
    problems = [finding.problem for finding in compare(BY_NAME["clicks"], wrong, SETTINGS)]
    assert problems == ["has 3 partitions, not 4", "has 0 replicas, not 1"]
