"""What the trainer works with between two snapshots: the scaling and the candidates that learn in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clusters.choice import CLUSTERS_MOST, Candidates, Choice, first_choice, judge
from models.clusters.learner import Center, Clusterer, LearnerSettings
from models.clusters.nearest import nearest
from models.clusters.registry import NUMBERED, make_learner
from models.clusters.scaling import Scaling, fit, sharpen, translate
from models.clusters.seeding import seed_centers, settle
from models.clusters.settings import TrainerSettings

Floats = npt.NDArray[np.float64]

SHARPEN_CLUSTERS = 12  # clusters that tell which features are narrow within: as many as are ever looked for
SHARPEN_LEAST = 6  # however few are wanted: two would part people along whatever is noisiest
SHARPEN_ROUNDS = 6  # weights have settled by then
SHARPEN_VECTORS = 2_500  # tell a deviation to within some percent
SCOUT_VECTORS = 5_000  # half a second of k-means
SCOUT_GAIN = 0.03  # of the inertia; less is not worth that customers move
POLISH_ROUNDS = 5  # Lloyd rounds on the reservoir before publication: River's step leaves a jitter of some percent


@dataclass(slots=True)
class Work:
    """A scaling and the candidates that learn in its space."""

    scaling: Scaling
    candidates: Candidates

    @property
    def learner(self) -> Clusterer:
        """The learner in force."""
        return self.candidates.incumbent

    def learn(self, raw: Floats) -> None:
        """Learn raw vectors, one after the other."""
        self.candidates.learn(self.scaling.apply(raw))


def begin(raw: Floats, settings: TrainerSettings) -> tuple[Work, Choice]:
    """Return what to train with after warm-up, from its raw vectors; they are still to be learned."""
    scaling = weighted(raw, settings)
    chosen = Choice(settings.clusters or CLUSTERS_MOST, "set, not looked for")
    if open_choice(settings):
        chosen = first_choice(scaling.apply(raw), settings.seed)
    return Work(scaling, candidates(raw.shape[1], settings, chosen.clusters)), chosen


def weighted(raw: Floats, settings: TrainerSettings) -> Scaling:
    """Return the scaling of raw vectors with features weighted by the clusters they form, and those by the weights."""
    recent = raw[-SHARPEN_VECTORS:]
    plain = scaling = fit(raw, settings.clip)
    for _ in range(SHARPEN_ROUNDS):
        z = scaling.apply(recent)
        centers = seed_centers(z, max(settings.clusters or SHARPEN_CLUSTERS, SHARPEN_LEAST), settings.seed)
        scaling = sharpen(plain, recent, nearest(z, centers)[0], len(centers))
    return scaling


def rescaled(work: Work, raw: Floats, recent: Floats, settings: TrainerSettings) -> bool:
    """Follow the medians and spreads of `raw` if they moved: same centers in the new space; True if so.

    The new learners are warm at once, from `recent` vectors, which are learned twice.
    """
    centers = work.learner.centers()
    table = np.array([center.prototype for center in centers]).reshape(-1, raw.shape[1])
    if not len(table):
        return False
    current = weighted(raw, settings)
    if not work.scaling.moved(current):
        return False
    places = translate(table, work.scaling, current)
    prior = tuple(Center(tuple(place), c.weight) for place, c in zip(places.tolist(), centers, strict=True))
    streak = work.candidates.streak
    work.candidates = candidates(raw.shape[1], settings, work.candidates.clusters, prior)
    work.candidates.streak = streak
    work.scaling = current
    work.learn(recent)
    return True


def polished(prototypes: Floats, z: Floats) -> Floats:
    """Return prototypes moved to the means of their members, a few rounds."""
    return settle(z, prototypes, POLISH_ROUNDS)


def scouted(prototypes: Floats, z: Floats, settings: TrainerSettings) -> Floats:
    """Return what a batch k-means on the reservoir finds with as many clusters, if it is clearly better, else these.

    A learner that follows its centers stays in the valley where it began, also when the customers have moved on.
    """
    fresh = polished(seed_centers(z[-SCOUT_VECTORS:], len(prototypes), settings.seed), z)
    ours, theirs = nearest(z, prototypes)[1].sum(), nearest(z, fresh)[1].sum()
    return fresh if len(fresh) == len(prototypes) and theirs < ours * (1.0 - SCOUT_GAIN) else prototypes


def candidates(
    feature_count: int, settings: TrainerSettings, clusters: int, prior: tuple[Center, ...] = ()
) -> Candidates:
    """Return learners for a number of clusters, and for its neighbours if the number is open."""

    def make(count: int, centers: tuple[Center, ...]) -> Clusterer:
        born = LearnerSettings(feature_count, count, settings.seed, settings.warmup_vectors, centers)
        return make_learner(settings.learner, born)

    return Candidates(make, clusters, prior, warmup_vectors=settings.warmup_vectors, open_choice=open_choice(settings))


def open_choice(settings: TrainerSettings) -> bool:
    """Whether the number of clusters is looked for among candidates; density finds its own."""
    return settings.clusters == 0 and settings.learner in NUMBERED


def warm(settings: TrainerSettings) -> None:
    """Compile now what training computes with (seconds the first time)."""
    z = np.array([[0.0], [1.0], [2.0]])
    make_learner(settings.learner, LearnerSettings(1, 1, settings.seed, len(z) - 1)).learn_many(z)
    judge(z, z, settings.seed)
