"""What we touch of Faust and aiokafka without their promise: each hook is there and means what we take it for.

The versions are pinned (tests/house/test_pins.py); this says what to look at when a pin moves.
"""

from __future__ import annotations

import inspect

import aiokafka
import pytest
from aiokafka.consumer import group_coordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.app.base import App
from faust.transport.consumer import ConsumerThread
from faust.transport.drivers import aiokafka as driver

from stream.worker.transport import MembershipConsumer, MembershipTransport


def test_the_fetch_loop_is_the_hook_that_we_replace() -> None:
    """Faust's Fetcher runs `_drain_messages(fetcher)` and nothing else to get records."""
    assert list(inspect.signature(driver.Consumer._drain_messages).parameters) == ["self", "fetcher"]
    assert MembershipConsumer._drain_messages is not driver.Consumer._drain_messages
    assert MembershipTransport.Consumer is MembershipConsumer


def test_a_poll_of_nothing_counts_as_life() -> None:
    """`getmany` on the consumer thread enters aiokafka's fetch context, which is what max.poll.interval looks at."""
    parameters = inspect.signature(driver.AIOKafkaConsumerThread.getmany).parameters
    assert list(parameters) == ["self", "active_partitions", "timeout"]
    assert "fetch_context()" in inspect.getsource(driver.AIOKafkaConsumerThread._fetch_records)
    assert "_last_fetch_ended" in inspect.getsource(SubscriptionState)


def test_the_client_behind_the_thread_can_be_paused() -> None:
    """`_ensure_consumer` gives the aiokafka consumer, whose `pause` stops fetching and not membership."""
    assert issubclass(driver.AIOKafkaConsumerThread, ConsumerThread)
    returned = inspect.signature(driver.AIOKafkaConsumerThread._ensure_consumer).return_annotation
    assert returned in (aiokafka.AIOKafkaConsumer, "aiokafka.AIOKafkaConsumer")
    assert {"pause", "paused", "assignment"} <= set(dir(aiokafka.AIOKafkaConsumer))


def test_a_member_keeps_its_id_until_it_is_evicted() -> None:
    """The coordinator forgets its id in `reset_generation` alone, which is for answers that disown a member."""
    assert "self._coordinator = " in inspect.getsource(aiokafka.AIOKafkaConsumer)
    source = inspect.getsource(group_coordinator.GroupCoordinator)
    assert source.count("self.member_id = ") == 2  # at first, and in reset_generation
    assert "self.member_id = JoinGroupRequest.UNKNOWN_MEMBER_ID" in inspect.getsource(
        group_coordinator.GroupCoordinator.reset_generation
    )


def test_standby_replicas_select_the_co_partitioned_assignor() -> None:
    """Without tables Faust takes a round robin unless standbys are asked for: partition n of every topic together."""
    source = inspect.getsource(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert "table_standby_replicas > 0" in source
    assert source.index("self.app.assignor") < source.index("RoundRobinPartitionAssignor")


def test_folders_are_made_in_one_place() -> None:
    """`_create_directories` makes Faust's folders, for tables that we do not have, and nothing else."""
    assert "mkdir" in inspect.getsource(App._create_directories)
    assert list(inspect.signature(App._create_directories).parameters) == ["self"]


@pytest.mark.parametrize("name", ["on_partitions_assigned", "on_partitions_revoked"])
def test_signals_tell_of_assignments(name: str) -> None:
    """The app sends both signals during a rebalance."""
    assert f"self.{name}.send" in inspect.getsource(App)


def test_batches_are_sent_whole() -> None:
    """`create_batch` and `send_batch` are public: a future for each batch, not for each record."""
    assert list(inspect.signature(aiokafka.AIOKafkaProducer.send_batch).parameters)[1:] == [
        "batch",
        "topic",
        "partition",
    ]
