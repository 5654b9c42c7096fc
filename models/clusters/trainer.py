"""From sampled customer vectors to snapshots: learns online, publishes with stable ids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.clusters.calibration import Calibration
from models.clusters.choice import CLUSTERS_MOST, PATIENCE, Choice
from models.clusters.drift import Drift, DriftWatch
from models.clusters.guard import consolidate, divided
from models.clusters.identity import pairing
from models.clusters.learner import Center
from models.clusters.nearest import distances_squared, nearest
from models.clusters.panel import Panel
from models.clusters.personas import personas
from models.clusters.preview import ids_of, preview
from models.clusters.pulse import Pulse
from models.clusters.quantiles import cut_points
from models.clusters.registry import NUMBERED
from models.clusters.scaling import Scaling, translate
from models.clusters.seeding import seed_centers
from models.clusters.settings import TrainerSettings
from models.clusters.shape import CLUSTERS_MAX, FEATURES_MAX, Snapshot, check
from models.clusters.succession import scaling_of, succeed, widened, with_labels
from models.clusters.training import Work, begin, candidates, open_choice, polished, rescaled, scouted
from models.clusters.window import NO_KEY, Window

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HASTY_ROTATIONS = 2  # after a drift: two rotations' samples are learned in haste
PARTS = tuple(part / 10 for part in range(10))  # of the way to the best prototypes that are tried before all of it
DRIFTS_MAX = 16  # alarms kept until they are asked for; each quiets the watch for weeks


class Trainer:
    """Learns clusters from sampled customers and gives snapshots.

    `learn` only takes vectors in, which is cheap; `learn_slice` does the work in slices the caller can spread. The same
    vectors in the same order give the same snapshots, however the slices are cut, as long as everything is learned
    before a snapshot and nothing was dropped. Not for several threads at once.
    """

    def __init__(
        self,
        features: tuple[str, ...],
        settings: TrainerSettings,
        previous: Snapshot | None = None,
        newest: Snapshot | None = None,
    ) -> None:
        """Start, or continue from the prototypes, scaling and ids of `previous`, the snapshot in force.

        `newest`: the newest published, if that is another (it is held): its version and ids are not used again. What
        the learner forgets: its weights, the reservoir, the panel, what a usual day is, and for density learners their
        micro-clusters. A previous snapshot of the first of these features goes on as it was; one of others only keeps
        its ids and version. Raises ValueError for features, settings or a snapshot out of bounds.
        """
        if not 1 <= len(features) <= FEATURES_MAX or len(set(features)) != len(features):
            msg = f"trainer: needs 1 to {FEATURES_MAX} different features, found {features}"
            raise ValueError(msg)
        previous = widened(previous, features) if previous else None
        self.features, self.settings, self.previous = features, settings, previous
        self.as_of_ms = 0  # newest time a batch was given for
        self.drifts: list[Drift] = []
        published = [snapshot for snapshot in (previous, newest) if snapshot]
        self._version = max((snapshot.version for snapshot in published), default=0)
        self._next_id = max((snapshot.next_id for snapshot in published), default=1)
        self._count_before = previous.vector_count if previous else 0
        self._window = Window(settings.window, len(features))
        self._panel, self._watch = Panel(len(features)), DriftWatch(features)
        self._calibration = Calibration()
        self._drifted = False  # since the last snapshot
        self._hidden = 0  # snapshots in a row in which a cluster hid two
        self._chosen: Choice | None = None
        self._work: Work | None = None
        candidates(len(features), settings, settings.clusters or 1)  # an unknown learner fails here
        if previous is not None and check(previous).features == features and previous.clusters:
            prior = tuple(Center(c.prototype, c.share) for c in previous.clusters)
            count = settings.clusters or (len(prior) if open_choice(settings) else CLUSTERS_MAX)
            self._work = Work(scaling_of(previous), candidates(len(features), settings, count, prior))

    @property
    def warm(self) -> bool:
        """Whether a snapshot can be had."""
        return self._work is not None and self._work.learner.warm

    @property
    def pending(self) -> int:
        """Vectors taken in and not learned yet; at most the window."""
        return self._window.pending

    @property
    def dropped(self) -> int:
        """Vectors that were overwritten before they were learned, because slices came too rarely."""
        return self._window.dropped

    @property
    def vector_count(self) -> int:
        """Vectors learned, with those of the previous snapshot."""
        return self._count_before + self._window.taken

    def learn(
        self,
        vectors: Floats,
        recency_days: Floats,
        orders: Floats,
        spend: Floats,
        as_of_ms: int,
        keys: Ints | None = None,
    ) -> None:
        """Take in sampled customers, oldest first; everything is copied.

        `vectors` [n, features] are raw features; the others [n] are days since the last order, orders, spend, and
        numbers from 0 to 2**53 that tell customers apart. Without keys there is no drift watch and nobody can be
        forgotten. Raises ValueError, with nothing taken in, for wrong shapes or numbers that are not finite
        (recency_days counts only for customers with orders).
        """
        table, columns = _checked(vectors, (recency_days, orders, spend), len(self.features))
        if keys is not None and len(keys) != len(table):
            msg = f"trainer: expected {len(table)} keys, found {len(keys)}"
            raise ValueError(msg)
        known = np.full(len(table), NO_KEY) if keys is None else np.array(keys, dtype=np.int64)
        days, counts, amounts = columns
        self._window.add(table, days, counts, amounts, known)
        self.as_of_ms = max(self.as_of_ms, as_of_ms)
        if keys is not None:
            self._look(known, table, as_of_ms)

    def pulse(self, as_of_ms: int, partition: int, pulse: Pulse) -> None:
        """Take in how everybody of a partition stands at the end of a day. Raises ValueError, with nothing taken in,
        for another number of features or numbers that are not finite.
        """
        for means in (pulse.means, pulse.older_means):
            if means.shape != (len(self.features),) or not np.isfinite(means).all():
                msg = f"trainer: expected the means of {len(self.features)} features, found {means}"
                raise ValueError(msg)
        self._heed(self._watch.pulse(as_of_ms, partition, pulse))

    def forget(self, key: int) -> bool:
        """Take a customer out of reservoir and panel; whether there was anything of them. What a learner has learned
        of one vector in thousands cannot be told apart any more.
        """
        there = key in self._panel
        self._panel.forget(key)
        return self._window.forget(key) > 0 or there

    def adopt(self, snapshot: Snapshot) -> None:
        """A held snapshot was approved: it is now the one in force, to which the next is compared."""
        self.previous = widened(snapshot, self.features)

    def learn_slice(self, max_vectors: int) -> int:
        """Learn up to `max_vectors` of those taken in, one after the other; return how many it were.

        Returns 0 with vectors pending while there are too few to fix the scaling. The slice that completes the warm-up
        costs some tenths of a second more, once.
        """
        if self._work is None:
            warmup = self.settings.warmup_vectors
            if self._window.pending < warmup:
                return 0
            first = self._window.vectors(self._window.learned + warmup, warmup)
            self._work, self._chosen = begin(first, self.settings)
        raw = self._window.take(max_vectors)
        self._work.learn(raw)
        return len(raw)

    def snapshot(self, as_of_ms: int) -> Snapshot | None:
        """Return the next snapshot, or None before warm-up or while the learner sees only noise.

        The snapshot counts as published: the next one has a version above it, and its ids are not given out again. A
        held one is not in force until `adopt`. If the features' medians or spreads have moved, the learner goes on in
        the new scaled space from its own centers.
        """
        if not self.warm or self._work is None:
            return None
        raw, amounts = self._window.fresh()
        if self.previous is None:  # who was there at the warm-up is not yet who the customers are
            self._work, self._chosen = begin(raw, self.settings)
            self._work.learn(self._window.vectors(None, self.settings.warmup_vectors))
        settled = self._settled(raw)
        if not settled:
            rescaled(self._work, raw, self._window.vectors(None, self.settings.warmup_vectors), self.settings)
        z, before = self._work.scaling.apply(raw), self._work.candidates.clusters
        choice = self._choice(z)
        hides = self._hides_two(z)
        if settled and self.previous and self._work.candidates.clusters == before and not hides:
            prototypes = _table(self.previous)
        else:
            prototypes = self._prototypes(z, keep=not self._drifted)
        if not len(prototypes):
            return None
        found = self._compose(prototypes, raw, z, amounts, choice, max(as_of_ms, self.as_of_ms))
        self._version, self._next_id, self._drifted = found.version, found.next_id, False
        if not found.held:
            self.previous = found
        return found

    def _look(self, keys: Ints, raw: Floats, as_of_ms: int) -> None:
        """Meet the panel again: has anything moved, and did they stay where we said?"""
        met = self._panel.meet(keys, raw, as_of_ms)
        if not len(met.age_ms):
            return
        places: tuple[Floats, Floats] | None = None
        ids: tuple[int, ...] = ()
        snapshot = self.previous
        if snapshot is not None and snapshot.features == self.features and snapshot.clusters:
            scaling, ids = scaling_of(snapshot), tuple(cluster.id for cluster in snapshot.clusters)
            table = _table(snapshot)
            places = (
                distances_squared(scaling.apply(met.before), table),
                distances_squared(scaling.apply(met.after), table),
            )
            self._calibration.add(*places)
        self._heed(self._watch.watch(as_of_ms, met.before, met.after, places, ids))

    def _heed(self, alarm: Drift | None) -> None:
        """Forget faster for a while, and let the next snapshot move."""
        if alarm is not None:
            self.drifts = [*self.drifts, alarm][-DRIFTS_MAX:]
            self._drifted = True
            if self._work is not None:
                self._work.candidates.hasten(HASTY_ROTATIONS * min(len(self._window.fresh()[0]), self.settings.window))

    @property
    def _scaling(self) -> Scaling:
        if self._work is None:
            raise RuntimeError("trainer: not warm")
        return self._work.scaling

    def _choice(self, z: Floats) -> Choice:
        if self._work is None:
            raise RuntimeError("trainer: not warm")
        chosen, self._chosen = self._chosen, None
        return chosen or self._work.candidates.decide(z, self.settings.seed)

    def _prototypes(self, z: Floats, *, keep: bool) -> Floats:
        """What to publish: the previous prototypes while they describe the customers as well, else the best there are:
        the learner's, merged and split, or the scout's if they are clearly better.
        """
        if self._work is None:
            raise RuntimeError("trainer: not warm")
        settings = self.settings
        found, again = self._work.candidates.centers(), False
        if not found and settings.learner in NUMBERED:  # the number has changed: its centers are still to be found
            places, again = seed_centers(z, self._work.candidates.clusters, settings.seed), True
            found = [Center(tuple(place), 1.0) for place in places.tolist()]
        best = consolidate(found, z, settings.min_share, settings.closeness_min)
        if not len(best):
            return best
        parts = self._parted(best, z)
        followed = polished(parts, z)
        best = scouted(followed, z, settings) if settings.learner in NUMBERED else followed
        if again or len(parts) > len(found) or best is not followed:
            self._restart(best, z)
        return self._nearer(best, z) if keep else best

    def _settled(self, raw: Floats) -> bool:
        """Whether the prototypes in force, scaling and all, describe the customers nearly as well as any."""
        previous = self.previous
        if previous is None or self._drifted or previous.features != self.features or not previous.clusters:
            return False
        if scaling_of(previous) != self._scaling:
            return False
        z, old = self._scaling.apply(raw), _table(previous)
        best = scouted(polished(old, z), z, self.settings)
        return _inertia(z, old) <= _inertia(z, best) * (1.0 + self.settings.settled)

    def _hides_two(self, z: Floats) -> bool:
        """Whether PATIENCE snapshots in a row, this the last, have shown a cluster that hides two."""
        if not open_choice(self.settings) or self.previous is None:
            return False
        old = _table(self.previous)
        parts = divided(old, z, self.settings.min_share, self.settings.seed) if len(old) else old
        self._hidden = self._hidden + 1 if len(parts) > len(old) else 0
        return self._hidden >= PATIENCE

    def _parted(self, prototypes: Floats, z: Floats) -> Floats:
        """With hidden pairs apart, the clearest first, if PATIENCE snapshots in a row have shown one; at once in the
        first.
        """
        if not open_choice(self.settings) or (self.previous is not None and self._hidden < PATIENCE):
            return prototypes
        self._hidden = 0
        while len(prototypes) < CLUSTERS_MOST:
            parts = divided(prototypes, z, self.settings.min_share, self.settings.seed)
            if len(parts) == len(prototypes):
                break
            prototypes = parts
        return prototypes

    def _nearer(self, best: Floats, z: Floats) -> Floats:
        """The previous prototypes, or as far on the way from them to the best as describes the customers well."""
        previous, settings = self.previous, self.settings
        if previous is None or previous.features != self.features or len(previous.clusters) != len(best):
            return best
        old = translate(_table(previous), scaling_of(previous), self._scaling)
        order = pairing(old, best)
        enough = _inertia(z, best) * (1.0 + settings.settled)
        for part in PARTS:
            between = old + part * (best[order] - old)
            if _inertia(z, between) <= enough:
                return between
        return best

    def _restart(self, prototypes: Floats, z: Floats) -> None:
        """Let the learner go on from other centers."""
        if self._work is None:
            raise RuntimeError("trainer: not warm")
        settings = self.settings
        labels = nearest(z, prototypes)[0]
        weights = np.bincount(labels, minlength=len(prototypes)) / len(z)
        prior = tuple(Center(tuple(p), w) for p, w in zip(prototypes.tolist(), weights.tolist(), strict=True))
        count = len(prior) if open_choice(settings) else settings.clusters or CLUSTERS_MAX
        before = self._work.candidates
        self._work.candidates = candidates(len(self.features), settings, count, prior)
        if count == before.clusters:
            self._work.candidates.streak = before.streak
        self._work.learn(self._window.vectors(None, settings.warmup_vectors))

    def _compose(
        self,
        prototypes: Floats,
        raw: Floats,
        z: Floats,
        amounts: tuple[Floats, Floats, Floats],
        choice: Choice,
        as_of_ms: int,
    ) -> Snapshot:
        previous, settings, scaling = self.previous, self.settings, self._scaling
        heirs = succeed(
            prototypes,
            raw,
            scaling,
            features=self.features,
            previous=previous,
            distance_limit=settings.distance_limit,
            next_id=self._next_id,
        )
        snapshot = Snapshot(
            version=self._version + 1,
            features=self.features,
            center=scaling.center,
            scale=scaling.scale,
            clip=scaling.clip,
            clusters=heirs.clusters,
            cuts=cut_points(*amounts),
            as_of_ms=as_of_ms,
            vector_count=self.vector_count,
            lineage=heirs.lineage,
            seed=settings.seed,
            learner=settings.learner,
            next_id=heirs.next_id,
            choice=choice,
            stays=self._calibration.stays(),
            reach_radii=settings.reach_radii,
        )
        named = with_labels(snapshot, z, settings.words)
        told = replace(named, personas=personas(named, raw, z, amounts[2], settings.words))
        return check(self._previewed(told, raw, amounts[2]))

    def _previewed(self, snapshot: Snapshot, raw: Floats, spend: Floats) -> Snapshot:
        """The snapshot with what it would move, held if that is too much."""
        previous = self.previous
        if previous is None or previous.features != self.features or not previous.clusters:
            return snapshot
        would = preview(_ids(previous, raw), _ids(snapshot, raw), spend)
        limit = self.settings.moved_max
        return replace(snapshot, preview=would, held=max(would.share_moved, would.revenue_moved) > limit)


def _table(snapshot: Snapshot) -> Floats:
    return np.array([cluster.prototype for cluster in snapshot.clusters]).reshape(-1, len(snapshot.features))


def _ids(snapshot: Snapshot, raw: Floats) -> Ints:
    return ids_of(scaling_of(snapshot).apply(raw), _table(snapshot), tuple(cluster.id for cluster in snapshot.clusters))


def _inertia(z: Floats, prototypes: Floats) -> float:
    return float(nearest(z, prototypes)[1].sum())


def _checked(vectors: Floats, amounts: tuple[Floats, ...], feature_count: int) -> tuple[Floats, list[Floats]]:
    table = np.array(vectors, dtype=np.float64)
    columns = [np.array(column, dtype=np.float64) for column in amounts]
    if table.ndim != 2 or table.shape[1] != feature_count:  # noqa: PLR2004 - a table has two dimensions
        msg = f"trainer: expected vectors of {feature_count} features, found shape {table.shape}"
        raise ValueError(msg)
    if any(column.shape != (len(table),) for column in columns):
        msg = f"trainer: expected {len(table)} values of recency_days, orders and spend"
        raise ValueError(msg)
    columns[0] = np.where(columns[1] > 0.0, columns[0], 0.0)
    if not all(np.isfinite(part).all() for part in (table, *columns)):
        msg = "trainer: a number is not finite"
        raise ValueError(msg)
    return table, columns
