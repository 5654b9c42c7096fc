"""The trainer: sampled vectors in, snapshots with stable ids out."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.clusters.nearest import nearest
from models.clusters.settings import TrainerSettings
from models.clusters.snapshot import Snapshot, digest, from_document, to_document
from models.clusters.succession import scaling_of
from models.clusters.trainer import Trainer

Floats = npt.NDArray[np.float64]
Batch = tuple[Floats, Floats, Floats, Floats]

REPOSITORY = Path(__file__).parents[2]
FEATURES = ("log_recency", "log_orders", "open_rate")
PLACES = ((4.0, 1.0, 0.1), (1.0, 3.0, 0.9), (2.0, 2.0, 0.4))
SETTINGS = TrainerSettings(clusters=3, warmup_vectors=150, window=1_000, moved_max=1.0)  # nothing is held
DAY_MS = 86_400_000


def sample(count: int, seed: int, places: tuple[tuple[float, ...], ...] = PLACES) -> Batch:
    """Return raw vectors around the given places, in turn, with recency_days, orders and spend to go with
    them.
    """
    rng = np.random.default_rng(seed)
    x = np.array(places)[np.arange(count) % len(places)]
    x = x + rng.normal(0.0, 0.08, x.shape)
    orders = np.ceil(np.expm1(x[:, 1]))
    return x, np.expm1(x[:, 0]), orders, orders * rng.lognormal(3.0, 0.5, count)


def fed(trainer: Trainer, batch: Batch, slice_vectors: int = 10_000) -> Trainer:
    """Let the trainer learn a whole batch in slices."""
    trainer.learn(*batch, as_of_ms=DAY_MS)
    while trainer.learn_slice(slice_vectors):
        pass
    return trainer


def taken(trainer: Trainer) -> Snapshot:
    """Return the next snapshot; the test fails if there is none."""
    snapshot = trainer.snapshot(DAY_MS)
    assert snapshot is not None
    return snapshot


@pytest.mark.parametrize("learner", ["kmeans", "dbstream"])
def test_the_three_groups_are_published_with_their_shares(learner: str) -> None:
    """Each group of customers is one cluster, with a third of the customers, where the group is."""
    snapshot = taken(fed(Trainer(FEATURES, replace(SETTINGS, learner=learner)), sample(900, seed=1)))
    assert [cluster.id for cluster in snapshot.clusters] == [1, 2, 3]
    assert [cluster.share for cluster in snapshot.clusters] == pytest.approx([1 / 3] * 3, abs=0.01)
    raw = np.array([cluster.prototype for cluster in snapshot.clusters]) * snapshot.scale + snapshot.center
    assert np.abs(sorted(raw.tolist()) - np.array(sorted(PLACES))).max() < 0.1
    assert {t.kind for t in snapshot.lineage} == {"emerged"}
    assert (snapshot.version, snapshot.vector_count, snapshot.next_id, snapshot.learner) == (
        1,
        900,
        4,
        learner,
    )


def test_there_is_no_snapshot_before_warm_up() -> None:
    """One vector short nothing is learned and nothing published; with it there is a snapshot."""
    trainer = fed(Trainer(FEATURES, SETTINGS), sample(149, seed=2))
    assert not trainer.warm
    assert trainer.pending == 149
    assert trainer.snapshot(DAY_MS) is None
    assert taken(fed(trainer, sample(1, seed=3))).version == 1


@pytest.mark.parametrize("learner", ["kmeans", "dbstream"])
def test_slices_and_batches_do_not_change_the_snapshot(learner: str) -> None:
    """However the work is cut, the same vectors in the same order give the same digest."""
    settings = replace(SETTINGS, learner=learner)
    batch = sample(800, seed=4)
    whole = taken(fed(Trainer(FEATURES, settings), batch))
    cut = Trainer(FEATURES, settings)
    x, recency, orders, spend = batch
    for start in range(0, 800, 37):
        stop = start + 37
        fed(
            cut,
            (x[start:stop], recency[start:stop], orders[start:stop], spend[start:stop]),
            slice_vectors=11,
        )
    assert digest(taken(cut)) == digest(whole)


def test_two_processes_with_different_hash_seeds_publish_the_same_digest() -> None:
    """No set or dict order may decide a snapshot."""
    program = (
        "from tests.unit.test_clusters_trainer import *\n"
        "for learner in ('kmeans', 'dbstream'):\n"
        "    trainer = Trainer(FEATURES, replace(SETTINGS, learner=learner))\n"
        "    print(digest(taken(fed(trainer, sample(900, seed=1)))))"
    )
    outputs = set()
    for hash_seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True, timeout=120
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop().split()) == 2


@pytest.mark.parametrize("learner", ["kmeans", "dbstream"])
def test_ids_and_labels_outlive_snapshots_and_restarts(learner: str) -> None:
    """Through 20 snapshots and 4 restarts from the published document, each group keeps id and name."""
    trainer = fed(Trainer(FEATURES, replace(SETTINGS, learner=learner)), sample(900, seed=5))
    first = taken(trainer)
    for turn in range(1, 20):
        if turn % 4 == 0:
            published = from_document(to_document(taken(trainer)))
            trainer = Trainer(FEATURES, trainer.settings, published)
            assert trainer.snapshot(DAY_MS) is None  # the learner is there, the window is not
        last = taken(fed(trainer, sample(300, seed=100 + turn)))
        assert [(c.id, c.label) for c in last.clusters] == [(c.id, c.label) for c in first.clusters]
        assert {t.kind for t in last.lineage} == {"survived"}
    assert last.next_id == first.next_id
    assert last.version > 20
    assert last.vector_count == 900 + 19 * 300


def test_ids_follow_their_customers_through_a_rescaling() -> None:
    """When a feature stretches by half, the snapshot rescales and each group keeps its id."""
    trainer = fed(Trainer(FEATURES, replace(SETTINGS, window=600)), sample(600, seed=6))
    first = taken(trainer)
    wider = tuple((x * 1.5, y, z) for x, y, z in PLACES)
    second = taken(fed(trainer, sample(600, seed=7, places=wider)))
    assert second.scale[0] > 1.25 * first.scale[0]
    assert [c.id for c in second.clusters] == [c.id for c in first.clusters]
    order = np.argsort([c.prototype[0] for c in first.clusters])
    assert order.tolist() == np.argsort([c.prototype[0] for c in second.clusters]).tolist()


def test_a_group_below_the_minimum_share_is_not_published() -> None:
    """Over-segmentation guard: ten customers in a thousand are not a segment."""
    places = (*((PLACES[0],) * 50), *((PLACES[1],) * 49), (9.0, 9.0, 9.0))
    snapshot = taken(fed(Trainer(FEATURES, SETTINGS), sample(1_000, seed=8, places=places)))
    assert len(snapshot.clusters) == 2
    assert sum(cluster.share for cluster in snapshot.clusters) == pytest.approx(1.0)


@pytest.mark.parametrize("learner", ["kmeans", "dbstream"])
def test_a_vanished_id_never_returns(learner: str) -> None:
    """Groups come, go and come back: an id that left is never seen again, also after restarts."""
    trainer = Trainer(FEATURES, replace(SETTINGS, learner=learner, clusters=6, window=300))
    seen: set[int] = set()
    alive: set[int] = set()
    for turn in range(30):
        corner = (0.5 * (turn % 7), 4.0 - 0.5 * (turn % 5), 0.2 * (turn % 4))
        snapshot = taken(fed(trainer, sample(300, seed=turn, places=(*PLACES[: 1 + turn % 3], corner))))
        ids = {cluster.id for cluster in snapshot.clusters}
        assert not ids & (seen - alive)
        assert {i for t in snapshot.lineage for i in t.from_ids} == alive
        assert {i for t in snapshot.lineage for i in t.to_ids} == ids
        seen, alive = seen | ids, ids
        if turn % 10 == 9:
            trainer = fed(Trainer(FEATURES, trainer.settings, snapshot), sample(300, seed=turn))
    assert len(seen) > len(alive)
    assert max(seen) == len(seen) == snapshot.next_id - 1


def test_a_previous_snapshot_of_other_features_only_keeps_its_ids() -> None:
    """After a change of the feature list the old clusters disappear and the new ids go on from the old."""
    before = taken(fed(Trainer(FEATURES, SETTINGS), sample(600, seed=11)))
    after = Trainer(("a", "b", "c"), SETTINGS, before)
    assert after.snapshot(DAY_MS) is None
    snapshot = taken(fed(after, sample(600, seed=12)))
    assert [c.id for c in snapshot.clusters] == [4, 5, 6]
    assert snapshot.version == 2
    assert [t.from_ids for t in snapshot.lineage if t.kind == "disappeared"] == [(1,), (2,), (3,)]


def test_a_model_of_fewer_features_goes_on_when_one_is_added_at_the_end() -> None:
    """Old clusters keep ids and customers where a new version measures one thing more of everybody."""
    before = taken(fed(Trainer(FEATURES, SETTINGS), sample(600, seed=11)))
    raw, recency_days, orders, spend = sample(600, seed=12)
    more = np.column_stack([raw, np.zeros(600)])
    trainer = fed(Trainer((*FEATURES, "return_rate"), SETTINGS, before), (more, recency_days, orders, spend))
    assert trainer.previous is not None
    old, wide = (np.array([c.prototype for c in one.clusters]) for one in (before, trainer.previous))
    z, wide_z = scaling_of(before).apply(raw), scaling_of(trainer.previous).apply(more)
    assert nearest(z, old)[0].tolist() == nearest(wide_z, wide)[0].tolist()
    after = taken(trainer)
    assert [c.id for c in after.clusters] == [c.id for c in before.clusters]
    assert after.features == (*FEATURES, "return_rate")


def test_memory_is_bounded_and_what_is_lost_is_counted() -> None:
    """Vectors that come faster than slices overwrite the oldest, and the count says so."""
    trainer = Trainer(FEATURES, SETTINGS)
    for turn in range(5):
        trainer.learn(*sample(700, seed=turn), as_of_ms=DAY_MS)
    trainer.learn(*sample(2_500, seed=9), as_of_ms=DAY_MS)
    assert (trainer.pending, trainer.dropped) == (1_000, 5_000)
    assert trainer.learn_slice(10_000) == 1_000
    assert (trainer.pending, trainer.vector_count) == (0, 1_000)
    assert taken(trainer).vector_count == 1_000


@pytest.mark.parametrize("column", range(4))
def test_a_batch_with_a_number_that_is_not_finite_is_refused_whole(column: int) -> None:
    """One NaN in a vector, recency, orders or spend: ValueError, and nothing is taken in."""
    batch = sample(10, seed=13)
    batch[column][3] = np.nan
    trainer = Trainer(FEATURES, SETTINGS)
    with pytest.raises(ValueError, match="not finite"):
        trainer.learn(*batch, as_of_ms=DAY_MS)
    assert trainer.pending == 0


def test_a_customer_without_orders_needs_no_recency() -> None:
    """Prospects have no last order; they count for clusters and not for cut points."""
    x, recency, orders, spend = sample(600, seed=14)
    prospects = np.arange(600) % 2 == 0
    without = (
        x,
        np.where(prospects, np.inf, recency),
        np.where(prospects, 0.0, orders),
        np.where(prospects, 0.0, spend),
    )
    snapshot = taken(fed(Trainer(FEATURES, SETTINGS), without))
    assert min(snapshot.cuts["orders"]) >= 1.0
    assert max(snapshot.cuts["recency_days"]) < 200.0


@pytest.mark.parametrize(("features", "shape"), [(("a", "a"), 2), ((), 0), (tuple(map(str, range(17))), 17)])
def test_features_must_be_one_to_sixteen_different_names(features: tuple[str, ...], shape: int) -> None:
    """The record has room for sixteen, and a name means one thing."""
    assert len(features) == shape
    with pytest.raises(ValueError, match="different features"):
        Trainer(features, SETTINGS)


def test_wrong_shapes_are_refused() -> None:
    """A table of another width or columns of another length are ValueErrors naming what was expected."""
    x, recency, orders, spend = sample(5, seed=15)
    with pytest.raises(ValueError, match="vectors of 3 features"):
        Trainer(FEATURES, SETTINGS).learn(x[:, :2], recency, orders, spend, as_of_ms=0)
    with pytest.raises(ValueError, match="expected 5 values"):
        Trainer(FEATURES, SETTINGS).learn(x, recency[:4], orders, spend, as_of_ms=0)


@pytest.mark.parametrize(
    "bad",
    [
        {"clusters": -1},
        {"clusters": 33},
        {"warmup_vectors": 2},
        {"window": 149},
        {"min_share": 1.0},
        {"distance_limit": 0.0},
    ],
)
def test_settings_outside_the_limits_are_refused_by_name(bad: dict[str, float]) -> None:
    """The error starts with the setting to change."""
    with pytest.raises(ValueError, match=f"trainer settings: {next(iter(bad))}"):
        replace(SETTINGS, **bad)  # type: ignore[arg-type] # wrong on purpose


def test_an_unknown_learner_fails_at_once() -> None:
    """Not after the warm-up, hours later."""
    with pytest.raises(ValueError, match="known are"):
        Trainer(FEATURES, replace(SETTINGS, learner="kmeens"))
