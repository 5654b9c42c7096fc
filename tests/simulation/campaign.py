"""Many seeds on all processors: what they hit, what grew how far, and which of them failed."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from stream.clock import monotonic_s
from stream.worker.partition import Partition
from tests.simulation.bounds import BOUNDS
from tests.simulation.check import check
from tests.simulation.faults import STEP_KINDS
from tests.simulation.scenario import simulate
from tests.simulation.steps import STEPS

CHUNK_SEEDS = 50  # for a process at a time: two seconds or so
COVERED_SEEDS = 1_000  # from so many on, a gap without a crash is a fault of the simulation
FAILURES_SHOWN = 20  # the first ones tell enough
KINDS = tuple(dict.fromkeys(STEP_KINDS))


@dataclass(slots=True)
class Campaign:
    """What came of some seeds."""

    seeds: int = 0
    events: int = 0
    lives: int = 0
    ended: int = 0
    entries: int = 0
    changes: int = 0
    copies: int = 0
    seconds: float = 0.0
    passed: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    timed: Counter[str] = field(default_factory=Counter)
    peaks: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    limits: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Campaign) -> None:
        """Take in what another process found."""
        for name in ("seeds", "events", "lives", "ended", "entries", "changes", "copies"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.passed += other.passed
        self.struck += other.struck
        self.timed += other.timed
        self.peaks = list(map(max, self.peaks, other.peaks))
        self.limits = other.limits or self.limits
        self.failures += other.failures

    def uncrashed(self) -> list[str]:
        """Gaps in which no worker was killed."""
        return [step for step in STEPS if not self.struck["kill", step]]

    def table(self) -> str:
        """All of it, to be read."""
        lines = [f"{'gap':40}{'passed':>10}" + "".join(f"{kind:>10}" for kind in KINDS)]
        for step in STEPS:
            hits = "".join(f"{self.struck[kind, step]:>10,}" for kind in KINDS)
            lines.append(f"{step:40}{self.passed[step]:>10,}{hits}")
        lines += ["", f"{'collection':50}{'largest':>10}{'bound':>10}"]
        for bound, peak, limit in zip(BOUNDS, self.peaks, self.limits, strict=False):
            lines.append(f"{bound.name:50}{peak:>10,}{limit:>10,}")
        others = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.timed.items()))
        lines += ["", f"at any time: {others}"]
        lines += self.failures[:FAILURES_SHOWN]
        lines.append(
            f"{self.seeds:,} seeds in {self.seconds:.0f} s, {self.seeds / max(self.seconds, 1e-9) * 60:,.0f} a minute: "
            f"{self.events:,} events, {self.lives:,} workers, {self.ended:,} that gave up, {self.entries:,} entries, "
            f"{self.changes:,} changes and {self.copies:,} more copies, {len(self.failures)} failed"
        )
        return "\n".join(lines)


def run_seeds(seeds: range, processes: int | None = None) -> Campaign:
    """Run the seeds on so many processes, all processors by default."""
    started_s, campaign = monotonic_s(), Campaign()
    chunks = [seeds[start : start + CHUNK_SEEDS] for start in range(0, len(seeds), CHUNK_SEEDS)]
    count = min(processes or os.cpu_count() or 1, len(chunks))
    if count == 1:
        for chunk in chunks:
            campaign.add(run_chunk(chunk))
    else:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            for found in pool.map(run_chunk, chunks):
                campaign.add(found)
    campaign.seconds = monotonic_s() - started_s
    return campaign


def run_chunk(seeds: Sequence[int]) -> Campaign:
    """Run some seeds here."""
    campaign = Campaign()
    with quiet():
        for seed in seeds:
            failure = run_seed(seed, campaign)
            if failure is not None:
                campaign.failures.append(f"seed {seed}: {failure}; again: make simulation FIRST={seed} SEEDS=1")
    return campaign


def run_seed(seed: int, campaign: Campaign, make: type[Partition] = Partition) -> str | None:
    """Run one seed and check it; returns what is wrong, if anything."""
    campaign.seeds += 1
    try:
        run = simulate(seed, make)
        check(run)
    except Exception as error:  # noqa: BLE001 - every failure is a finding
        return f"{type(error).__name__}: {error}"
    world, partitions = run.world, range(run.scenario.partitions)
    changes = sum(partition.replica.seq for partition in run.final.values())
    campaign.events += len(run.sent.events)
    campaign.lives += run.group.lives
    campaign.ended += run.ended
    campaign.entries += sum(len(world.shelves["segment-journal", n].records) for n in partitions)
    campaign.changes += changes
    campaign.copies += sum(len(world.shelves["segment-changes", n].records) for n in partitions) - changes
    campaign.passed += world.passed
    campaign.struck += world.struck
    campaign.timed.update(fault.kind for fault in run.scenario.timed)
    campaign.peaks = list(map(max, campaign.peaks, run.peaks.sizes))
    campaign.limits = run.peaks.limits
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is said of tasks of killed processes, which are never awaited, and of what workers log at their end."""
    loggers = [logging.getLogger(name) for name in ("asyncio", "stream")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
