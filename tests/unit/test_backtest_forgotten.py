"""A backtest's trainer forgets who has left, as a worker's does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.clusters.trainer import Trainer
from stream.backtest.crew import crew
from stream.backtest.directory import Directory
from stream.backtest.fitting import Fitter
from stream.backtest.order import in_order
from stream.backtest.partition_run import Customers, Options
from stream.backtest.play import learning, play
from stream.backtest.reading import FileSource
from stream.backtest.route import Route
from stream.codec.vectors import SLOT_BITS
from tests.unit.test_backtest import DAY_MS, NEWEST_MS, SCHEDULE, START_MS, TRAINER, jsonl, rows, task

__all__ = ["jsonl", "rows"]  # fixtures

PARTITIONS = 2
RETENTION_MS = 20 * DAY_MS  # many of the simulated customers are silent longer, and some come again


def test_nothing_is_kept_of_who_has_left(jsonl: Path) -> None:
    """After the last sample the trainer has vectors of customers who are there, and of nobody who has left."""
    asked = task(retention_ms=RETENTION_MS)
    fitter = Fitter(asked.shape, Directory(PARTITIONS), NEWEST_MS)
    team = crew(Options(asked.variants, asked.shape, START_MS, 1_000, RETENTION_MS), PARTITIONS, 1)
    learner = learning(SCHEDULE, TRAINER)
    blocks = in_order([FileSource(jsonl).records(fitter)])
    played = play(blocks, team, Route(fitter.directory, 1_000), learner, SCHEDULE)
    parts = [one.result() for one in team.ask("customers", played.last_ms // DAY_MS * DAY_MS)]
    left = sum(int((part.first_ms == 0).sum()) for part in parts)
    assert left > 5
    assert held(learner.trainer, parts, there=False) == 0
    assert held(learner.trainer, parts, there=True) > 5


def held(trainer: Trainer, parts: list[Customers], *, there: bool) -> int:
    """Of how many customers, of those who are there or of the others, the trainer has anything; it loses it."""
    slots = [np.flatnonzero((part.first_ms > 0) == there) for part in parts]
    return sum(trainer.forget((p << SLOT_BITS) + slot) for p in range(len(parts)) for slot in slots[p].tolist())
