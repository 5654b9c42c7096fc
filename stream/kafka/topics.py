"""The one table of topics: what each is for, how it is kept, how many partitions it has.

`stream/kafka/topic_admin.py` creates them and checks the real ones against this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.settings import Settings

Kind = Literal["in", "out", "own"]
Cleanup = Literal["delete", "compact"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FOREVER_MS = -1  # Kafka's word for "no retention": only an explicit deletion removes records
MESSAGE_SIZE_BYTES = 4 * 1024 * 1024  # what a producer of ours may send at most (stream/kafka/client.py)
INPUT_RETENTION_MIN_MS = DAY_MS  # recovery reads inputs again behind the last checkpoint; less leaves no time to repair
IN_SYNC_MIN = 2  # with three replicas: an acknowledged record survives the loss of one broker
REPLICATION_SAFE = 3  # from here on IN_SYNC_MIN leaves one broker to spare


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the table. `name` is without the prefix; `retention_ms` is what `topics create` sets."""

    name: str
    kind: Kind
    cleanup: Cleanup
    retention_ms: int
    single: bool  # one partition, whatever the setting
    meaning: str


TABLE: tuple[Topic, ...] = (
    Topic("clicks", "in", "delete", 7 * DAY_MS, single=False, meaning="what a customer does on the website"),
    Topic("purchases", "in", "delete", 7 * DAY_MS, single=False, meaning="orders; a negative amount is a refund"),
    Topic("emails", "in", "delete", 7 * DAY_MS, single=False, meaning="what happens to e-mails to a customer"),
    Topic("profiles", "in", "compact", 7 * DAY_MS, single=False, meaning="attributes; a tombstone forgets them"),
    Topic(
        "segment-changes",
        "out",
        "delete",
        30 * DAY_MS,
        single=False,
        meaning="one change per record, at once",
    ),
    Topic("segment-memberships", "out", "compact", FOREVER_MS, single=False, meaning="all a customer is in"),
    Topic("segment-models", "out", "compact", FOREVER_MS, single=True, meaning="snapshots of the clusters"),
    Topic(
        "segment-model-events",
        "out",
        "delete",
        90 * DAY_MS,
        single=True,
        meaning="what became of clusters; drift; models held",
    ),
    Topic(
        "segment-definitions",
        "out",
        "compact",
        FOREVER_MS,
        single=True,
        meaning="definitions that were applied",
    ),
    Topic("segment-dead-letters", "out", "delete", 14 * DAY_MS, single=False, meaning="records refused, and why"),
    Topic("segment-journal", "own", "delete", FOREVER_MS, single=False, meaning="order of everything applied"),
    Topic("segment-state", "own", "delete", FOREVER_MS, single=False, meaning="rolling checkpoints of customers"),
    Topic("segment-vectors", "own", "delete", DAY_MS, single=True, meaning="sampled customers for the trainer"),
)


@dataclass(frozen=True, slots=True)
class Names:
    """The topics' real names under one prefix."""

    clicks: str
    purchases: str
    emails: str
    profiles: str
    changes: str
    memberships: str
    models: str
    model_events: str
    definitions: str
    dead_letters: str
    journal: str
    state: str
    vectors: str

    @property
    def inputs(self) -> tuple[str, str, str, str]:
        """The inputs in their rank: what comes first at the same event time."""
        return (self.clicks, self.purchases, self.emails, self.profiles)


def names(settings: Settings) -> Names:
    """Return the real names of all topics: the prefix put before those of the table."""
    return Names(**{attribute_of(one): settings.prefix + one.name for one in TABLE})


def attribute_of(topic: Topic) -> str:
    """Return a topic's attribute of `Names`: its name without `segment-`."""
    return topic.name.removeprefix("segment-").replace("-", "_")


def partitions_of(topic: Topic, settings: Settings) -> int:
    """Return how many partitions a topic has: one, or as many as every topic keyed by customer."""
    return 1 if topic.single else settings.partitions


def cleanup_of(topic: Topic, settings: Settings) -> Cleanup:
    """Return how Kafka is to clean a topic; the profiles' depends on a setting."""
    return "delete" if topic.name == "profiles" and not settings.profiles_compacted else topic.cleanup


def configuration_of(topic: Topic, settings: Settings) -> Mapping[str, str]:
    """Return the topic's Kafka configuration as `topics create` sets it."""
    return {
        "cleanup.policy": cleanup_of(topic, settings),
        "retention.ms": str(topic.retention_ms),
        "message.timestamp.type": "CreateTime",
        "max.message.bytes": str(MESSAGE_SIZE_BYTES),
        "min.insync.replicas": str(in_sync_of(settings)),
        "unclean.leader.election.enable": "false",
    }


def in_sync_of(settings: Settings) -> int:
    """Return how many replicas must have a record before it counts as written."""
    return IN_SYNC_MIN if settings.replication >= REPLICATION_SAFE else 1
