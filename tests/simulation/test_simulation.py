"""The promises hold under every seed, and the simulation finds it out when a step is broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.codec import journal
from stream.worker.partition import Partition
from stream.worker.recovery import JournalReader
from tests.simulation.campaign import Campaign, quiet, run_chunk, run_seed, run_seeds
from tests.simulation.faults import STEP_KINDS, scenario_of
from tests.simulation.mutations import CAUGHT_BY, PARTITIONS
from tests.simulation.scenario import simulate
from tests.simulation.steps import STEPS

SEEDS = 240  # a quarter of a minute; `make simulation SEEDS=10000` goes further
CHUNK_SEEDS = 60  # of a test: so that one can be run again


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK_SEEDS))
def test_no_seed_breaks_a_promise(first: int) -> None:
    """Whatever crashes and takes over: same changes, same rows, nothing lost or double, no stale membership."""
    assert run_chunk(range(first, first + CHUNK_SEEDS)).failures == []


@pytest.mark.parametrize("seed", [99, 177, 440, 326, 538, 840, 1406, 1369])
def test_what_was_once_broken_stays_whole(seed: int) -> None:
    """Seeds that showed a fault of the program, or of the simulation, when they were new."""
    assert run_seed(seed, Campaign()) is None


def test_a_seed_repeats_exactly() -> None:
    """The same seed gives the same run: a failing one can be looked at."""
    runs = [simulate(11) for _ in range(2)]
    logs = [{place: shelf.records for place, shelf in run.world.shelves.items()} for run in runs]
    texts = [repr({k: [(r.offset, r.key, r.value) for r in v] for k, v in sorted(log.items())}) for log in logs]
    assert texts[0] == texts[1]


def test_every_gap_has_its_turn_with_every_fault() -> None:
    """Crashes between any two steps are planned, not hoped for."""
    planned = {(scenario_of(seed).at_steps[0].kind, scenario_of(seed).at_steps[0].step) for seed in range(200)}
    assert planned >= {(kind, step) for kind in STEP_KINDS for step in STEPS}


def test_runs_are_eventful() -> None:
    """The seeds do crash, freeze, take over and give up: a quiet simulation proves nothing."""
    campaign = run_seeds(range(len(STEPS)), processes=1)
    kinds = {kind: sum(n for (one, _), n in campaign.struck.items() if one == kind) for kind in STEP_KINDS}
    assert kinds["kill"] > len(STEPS)
    assert min(kinds.values()) > 5
    assert campaign.ended > 5
    assert campaign.lives > 2 * campaign.seeds
    assert campaign.copies > 0
    assert "0 failed" in campaign.table()


def test_a_failing_seed_says_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is part of what is printed."""
    monkeypatch.setattr(Partition, "_publish_missing", Partition.release)
    failures = run_chunk(range(3)).failures
    assert failures
    assert "make simulation FIRST=0 SEEDS=1" in failures[0]


@pytest.mark.parametrize("mutation", PARTITIONS, ids=lambda mutation: mutation.__name__)
def test_a_broken_step_is_caught(mutation: type[Partition]) -> None:
    """Each step of the numbered order, broken on purpose, is found by the seed named for it."""
    seed = CAUGHT_BY[mutation]
    assert run_seed(seed, Campaign()) is None, "the seed must pass when nothing is broken"
    assert run_seed(seed, Campaign(), mutation) is not None


def test_believing_every_epoch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the journal that ignores epochs executes what a fenced worker left behind."""

    def accept(self: JournalReader, offset: int, value: bytes) -> journal.Entry:
        entry = journal.decode(value)
        if isinstance(entry, journal.Claim):
            self.epoch, self.fingerprint = offset, entry.fingerprint
        return entry

    monkeypatch.setattr(JournalReader, "accept", accept)
    assert run_chunk(range(40)).failures
