"""The promises hold under every seed, and the simulation finds it out when a step is broken."""

from __future__ import annotations

import logging

import pytest

from stream.codec import journal
from stream.worker.partition import Partition
from stream.worker.recovery import JournalReader
from tests.simulation.check import check
from tests.simulation.mutations import MUTATIONS
from tests.simulation.scenario import simulate

SEEDS = 120  # half a minute; `make simulation SEEDS=10000` goes further
MUTATION_SEEDS = 60  # the rarest mutation needs about ten


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # tasks of killed processes are never awaited: that is it


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_no_seed_breaks_a_promise(first: int) -> None:
    """Whatever crashes and takes over: same changes, same rows, nothing lost or double, no stale membership."""
    for seed in range(first, first + 20):
        try:
            check(simulate(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_a_seed_repeats_exactly() -> None:
    """The same seed gives the same run: a failing one can be looked at."""
    runs = [simulate(11) for _ in range(2)]
    logs = [{place: shelf.records for place, shelf in run.world.shelves.items()} for run in runs]
    texts = [repr({k: [(r.offset, r.key, r.value) for r in v] for k, v in sorted(log.items())}) for log in logs]
    assert texts[0] == texts[1]


def test_runs_are_eventful() -> None:
    """The seeds do crash, take over and fence: a quiet simulation proves nothing."""
    runs = [simulate(seed) for seed in range(20)]
    assert sum(run.lives for run in runs) > 40
    assert sum(run.fenced for run in runs) > 5


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_broken_step_is_caught(mutation: type[Partition]) -> None:
    """Each step of the numbered order, broken on purpose, is found by one of a few seeds."""
    assert _caught(mutation)


def test_believing_every_epoch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the journal that ignores epochs executes what a fenced worker left behind."""

    def accept(self: JournalReader, offset: int, value: bytes) -> journal.Entry:
        entry = journal.decode(value)
        if isinstance(entry, journal.Claim):
            self.epoch, self.fingerprint = offset, entry.fingerprint
        return entry

    monkeypatch.setattr(JournalReader, "accept", accept)
    assert _caught(Partition)


def _caught(partition: type[Partition]) -> bool:
    for seed in range(MUTATION_SEEDS):
        try:
            check(simulate(seed, partition))
        except Exception:  # noqa: BLE001 - whatever it dies of, it was found
            return True
    return False
