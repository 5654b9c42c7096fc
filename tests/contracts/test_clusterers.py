"""The contract of every learner behind `models.clusters.learner.Clusterer`, run over all of them."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from river import cluster

from models.clusters.kmeans import STEP
from models.clusters.learner import Center, Clusterer, LearnerSettings
from models.clusters.nearest import nearest
from models.clusters.registry import LEARNERS, make_learner

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

REPOSITORY = Path(__file__).parents[2]
WARMUP = 300  # vectors; a hundred a blob is plenty to find three
ARI_MIN = 0.9  # three separated blobs are easy; less means a blob was missed or cut
BYTES_MAX = 90_000  # pickled; without trimming DBSTREAM holds 100,000 here, and more with every vector
NEAR = 0.5  # deviations a center may move in a restart on the same stream
MIXTURE = ((6.0, 0.0, 0.0, 0.0), (0.0, 6.0, 0.0, 0.0), (0.0, 0.0, 6.0, 0.0))

DETERMINISM = """
import json, random, sys
from models.clusters.learner import LearnerSettings
from models.clusters.registry import make_learner

learner = make_learner(sys.argv[1], LearnerSettings(4, 6, 7, 300))
rng = random.Random(5)
for _ in range(2000):
    learner.learn([rng.gauss(6.0 * (rng.random() < 0.5), 0.7) for _ in range(4)])
print(json.dumps([[center.prototype, center.weight] for center in learner.centers()]))
"""


@pytest.fixture(params=sorted(LEARNERS))
def name(request: pytest.FixtureRequest) -> str:
    """Every learner there is."""
    return str(request.param)


def settings(prior: tuple[Center, ...] = (), clusters_max: int = 3) -> LearnerSettings:
    """Return the settings the contract runs with."""
    return LearnerSettings(4, clusters_max, seed=7, warmup_vectors=WARMUP, prior=prior)


def blobs(count: int, seed: int) -> tuple[Floats, Labels]:
    """Return scaled vectors of three separated groups in four features, and their true group."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(MIXTURE), count)
    return np.array(MIXTURE)[labels] + rng.normal(0.0, 0.7, (count, 4)), labels


def taught(name: str, z: Floats, given: LearnerSettings) -> Clusterer:
    """Return a learner that has learned z."""
    learner = make_learner(name, given)
    for vector in z.tolist():
        learner.learn(vector)
    return learner


def prototypes(learner: Clusterer) -> Floats:
    """Return the learner's centers as a table."""
    return np.array([center.prototype for center in learner.centers()])


def adjusted_rand_index(left: Labels, right: Labels) -> float:
    """Return Hubert and Arabie's index: 1 for the same grouping, about 0 for chance."""
    table = np.zeros((int(left.max()) + 1, int(right.max()) + 1))
    np.add.at(table, (left, right), 1.0)

    def pairs(n: Floats) -> float:
        return float((n * (n - 1.0) / 2.0).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = rows * columns / pairs(np.array([float(len(left))]))
    return (both - chance) / ((rows + columns) / 2.0 - chance)


def test_two_processes_with_different_hash_seeds_agree_to_the_bit(name: str) -> None:
    """No set or dict order may decide a center."""
    outputs = []
    for hash_seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", DETERMINISM, name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
        outputs.append(done.stdout)
    assert json.loads(outputs[0])
    assert outputs[0] == outputs[1]


def test_it_is_unusable_before_warm_up(name: str) -> None:
    """One vector short of the warm-up there is no center; with it there is."""
    z, _ = blobs(WARMUP, seed=1)
    learner = taught(name, z[:-1], settings())
    assert not learner.warm
    assert learner.centers() == []
    learner.learn(z[-1].tolist())
    assert learner.warm
    assert learner.centers()


def test_the_callers_vector_is_never_kept(name: str) -> None:
    """Overwriting one reused buffer after each call gives the same centers as fresh vectors."""
    z, _ = blobs(WARMUP + 500, seed=2)
    fresh = taught(name, z, settings())
    reused, buffer = make_learner(name, settings()), np.zeros(4)
    for vector in z:
        buffer[:] = vector
        reused.learn(buffer)
        buffer[:] = np.nan
    assert reused.centers() == fresh.centers()


def test_many_at_once_are_one_after_the_other(name: str) -> None:
    """However a stream is cut, in haste or not, the centers and their weights are the same to the bit."""
    z, _ = blobs(WARMUP + 500, seed=6)
    single, cut = (make_learner(name, settings()) for _ in range(2))
    for learner in (single, cut):
        learner.hasten(70)
    for vector in z.tolist():
        single.learn(vector)
    for piece in np.split(z, [10, WARMUP - 1, WARMUP + 50, WARMUP + 51]):
        cut.learn_many(piece)
    assert cut.centers() == single.centers()


def test_kmeans_steps_are_those_of_river() -> None:
    """The compiled step moves every center as River's own learn_predict_one does, to the bit."""
    z, _ = blobs(WARMUP + 2_000, seed=8)
    learner = make_learner("kmeans", settings())
    learner.learn_many(z[:WARMUP])
    river = cluster.KMeans(n_clusters=3, halflife=STEP, seed=1)
    for label, center in enumerate(learner.centers()):
        river.centers[label].update(enumerate(center.prototype))
    learner.learn_many(z[WARMUP:])
    for vector in z[WARMUP:].tolist():
        river.learn_predict_one(dict(enumerate(vector)))  # type: ignore[no-untyped-call] # River
    assert [center.prototype for center in learner.centers()] == [
        tuple(river.centers[label][j] for j in range(4)) for label in range(3)
    ]


def test_centers_are_a_copy_and_asking_changes_nothing(name: str) -> None:
    """A learner asked for its centers after every vector ends like one never asked."""
    z, _ = blobs(WARMUP + 300, seed=3)
    asked = make_learner(name, settings())
    for vector in z.tolist():
        asked.learn(vector)
        asked.centers().clear()
    assert asked.centers() == taught(name, z, settings()).centers()


def test_clusters_and_memory_are_bounded_after_20_000_vectors(name: str) -> None:
    """Noise in ten features, wandering away, leaves finite centers, at most as many as allowed, and little
    memory.
    """
    rng = np.random.default_rng(4)
    learner = make_learner(name, LearnerSettings(10, 6, seed=7, warmup_vectors=WARMUP))
    for step, vector in enumerate(rng.normal(0.0, 1.0, (20_000, 10))):
        learner.learn((vector + step / 2_000.0).tolist())
    centers = learner.centers()
    assert 1 <= len(centers) <= learner.clusters_max == 6
    assert np.isfinite(prototypes(learner)).all()
    assert all(np.isfinite(center.weight) and center.weight >= 0.0 for center in centers)
    assert len(pickle.dumps(learner)) < BYTES_MAX


def test_three_separated_blobs_are_found(name: str) -> None:
    """Nearest prototype recovers the true groups of vectors never learned."""
    z, _ = blobs(3_000, seed=5)
    unseen, truth = blobs(1_000, seed=6)
    labels, _ = nearest(unseen, prototypes(taught(name, z, settings())))
    assert adjusted_rand_index(truth, labels) > ARI_MIN


def test_a_restart_from_prototypes_keeps_centers_near(name: str) -> None:
    """A successor that starts from published prototypes has each of them again, nearly in place."""
    z, _ = blobs(4_000, seed=8)
    before = taught(name, z[:2_000], settings())
    after = taught(name, z[2_000:], settings(prior=tuple(before.centers())))
    _, squared = nearest(prototypes(before), prototypes(after))
    assert np.sqrt(squared).max() < NEAR


def test_a_prior_group_that_fell_silent_is_not_forgotten_at_once(name: str) -> None:
    """After a restart, a group none of the warm-up vectors belongs to is still there."""
    z, truth = blobs(2 * WARMUP + 600, seed=9)
    prior = tuple(Center(place, 1.0 / 3.0) for place in MIXTURE)
    without_last = z[truth != 2][: WARMUP + 50]
    learner = taught(name, without_last, settings(prior=prior))
    _, squared = nearest(np.array(MIXTURE), prototypes(learner))
    assert np.sqrt(squared).max() < NEAR


@pytest.mark.parametrize("bad", [[0.0, np.nan, 0.0, 0.0], [0.0, np.inf, 0.0, 0.0], [0.0, 0.0, 0.0], []])
@pytest.mark.parametrize("learned", [10, WARMUP + 10])
def test_a_bad_vector_is_refused_and_changes_nothing(name: str, bad: list[float], learned: int) -> None:
    """NaN, infinity and a wrong length raise ValueError, during and after warm-up, without a trace."""
    z, _ = blobs(WARMUP + 200, seed=10)
    learner = taught(name, z[:learned], settings())
    with pytest.raises(ValueError, match="learner: "):
        learner.learn(bad)
    for vector in z[learned:].tolist():
        learner.learn(vector)
    assert learner.centers() == taught(name, z, settings()).centers()


def test_identical_vectors_give_a_center_on_the_spot(name: str) -> None:
    """A stream of one single vector is legal: one place, no division by zero."""
    learner = taught(name, np.full((WARMUP + 100, 4), 1.5), settings())
    centers = prototypes(learner).tolist()
    assert len(centers) == 1
    assert centers[0] == pytest.approx([1.5] * 4, abs=1e-12)  # DenStream's are faded sums, which round


def test_it_tells_its_name_and_seed(name: str) -> None:
    """Snapshots record both."""
    learner = make_learner(name, settings())
    assert (learner.name, learner.seed, learner.clusters_max) == (name, 7, 3)


def test_an_unknown_learner_is_refused_with_the_known_ones() -> None:
    """The error names what could have been meant."""
    with pytest.raises(ValueError, match="known are dbstream, denstream, kmeans, streamkmeans"):
        make_learner("kmeens", settings())
