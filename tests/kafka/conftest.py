"""One real broker for the whole run, and a prefix of its own for every test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from stream.kafka.broker import DevBroker
from stream.settings import Settings

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker() -> Iterator[DevBroker]:
    """A running dev broker on a free port, shared by all tests; leave it running and unpaused."""
    with DevBroker(Settings.load().cache_folder()) as running:
        yield running


@pytest.fixture
def settings(broker: DevBroker) -> Settings:
    """Settings for the shared broker with a prefix and a group that no other test has."""
    name = f"t{next(_numbers)}"
    return Settings(brokers=broker.address, prefix=f"{name}.", group=name, metrics_port=-1)
