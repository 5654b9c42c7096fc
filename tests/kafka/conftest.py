"""One real broker for the whole run, and a prefix of its own for every test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from stream.kafka.broker import HOST, DevBroker
from stream.settings import Settings
from tests.kafka.certificates import KEY_PASSWORD, Authority, Files
from tests.kafka.secured import SecuredBroker

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


@pytest.fixture(scope="module")
def client_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """An authority's certificate, and a client's with its key; the broker of `doors` has its own beside them."""
    authority = Authority(tmp_path_factory.mktemp("certificates"), "authority")
    authority.sign("server", address=HOST)
    return authority.sign("client", password=KEY_PASSWORD)


@pytest.fixture(scope="module")
def doors(client_files: Files) -> Iterator[SecuredBroker]:
    """A broker with the doors of `secured`, whose certificate that authority signed."""
    folder = client_files.authority.parent
    server = Files(client_files.authority, folder / "server.pem", folder / "server.key")
    with SecuredBroker(Settings.load().cache_folder(), server) as running:
        yield running
