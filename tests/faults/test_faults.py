"""A short set of the scenarios, one seed each; `make faults SEEDS=n` plays all of them with as many as wanted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.faults.play import Brokers, play
from tests.faults.scenarios import BY_NAME

pytestmark = pytest.mark.kafka
logger = logging.getLogger(__name__)

# What nothing else in this suite does to a real worker: a sleeper that wakes with half an entry published or half a
# checkpoint written, a dead broker, control records in the inputs. Kills are in tests/kafka/test_worker_kills.py.
SHORT = (
    "zombie 4 half published",
    "zombie 5 in the transaction",
    "broker killed",
    "transactions upstream",
)


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    """One broker for those who do not hurt it."""
    found = Brokers()
    yield found
    found.close()


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_or_differs(name: str, brokers: Brokers) -> None:
    """Whatever is done: no event lost, every copy the same, and rows, memberships and changes as the oracle says."""
    figures = play(BY_NAME[name], 1, brokers)
    logger.info("%s", figures.line())
    assert not figures.failure, figures.failure
    assert figures.hits > 0
    assert figures.lost == 0
