"""A backtest's trainer watches for drift as a worker's does: its samples say who is who."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np

from models.clusters.settings import TrainerSettings
from models.customers.row import DAY_MS
from models.engine import NOBODY
from models.features.catalogue import CLUSTER_FEATURES
from stream.backtest.partition_run import Sample
from stream.backtest.play import Schedule, learning

ROTATION, DAYS, SHIFT_DAY = 7, 45, 40


def test_a_change_in_the_same_customers_is_told_by_the_day() -> None:
    """Two partitions with the same slots: everybody orders twice as often from a day on, and it is named."""
    rng = np.random.default_rng(5)
    usual = rng.normal(2.0, 0.5, (2, 700, len(CLUSTER_FEATURES)))
    learner = learning(Schedule(DAY_MS, ROTATION, 30 * DAY_MS, 10_000), TrainerSettings(warmup_vectors=150))
    place = CLUSTER_FEATURES.index("log_order_intensity_90d")
    for day in range(DAYS):
        slots = np.arange(day % ROTATION, 700, ROTATION)
        answers: list[Future[Sample]] = []
        for partition in usual:
            vectors = partition[slots] + rng.normal(0.0, 0.05, (len(slots), len(CLUSTER_FEATURES)))
            vectors[:, place] += np.log(2.0) * (day >= SHIFT_DAY)
            answers.append(Future())
            answers[-1].set_result(Sample(vectors, np.ones((len(slots), 3)), slots, NOBODY))
        learner.add(day * DAY_MS, answers)
    assert learner.snapshot(DAYS * DAY_MS) is not None
    (alarm,) = learner.trainer.drifts
    assert SHIFT_DAY <= alarm.as_of_ms // DAY_MS < SHIFT_DAY + 3
    assert alarm.moved[0].series == "log_order_intensity_90d"
