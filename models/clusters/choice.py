"""How many clusters: candidates learn side by side, and the number changes rarely, after repeated better figures.

A marketer can use more segments than the silhouette alone would choose, so the number is the most whose silhouette is
nearly the best and that resampling finds again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clusters.learner import Center, Clusterer
from models.clusters.quality import davies_bouldin, silhouette, stability
from models.clusters.seeding import seed_centers

Floats = npt.NDArray[np.float64]

CLUSTERS_LEAST, CLUSTERS_MOST = 3, 12  # found without being told: fewer are no segmentation, more nobody can keep apart
SILHOUETTE_NEAR = 0.04  # of the best: as good; one of three heaps cut in two costs more
STABILITY_MIN = 0.7  # adjusted Rand index; a grouping that half the customers would not show is chance
JUMP_GAIN = 0.08  # silhouette behind the best: not near it any more, and not by chance
CLEAR = 0.5  # silhouette; from here on there is structure (Kaufman and Rousseeuw 1990), below more cuts are arbitrary
GAIN_MIN = 0.02  # a challenger must be so much better, in silhouette
FEWER_GAIN = 0.1  # likewise, to give a cluster up: somebody has learned to address it
NEIGHBOUR_VECTORS = 4  # neighbours learn every fourth vector: a race costs half as much again and not three times
PATIENCE = 2  # snapshots in a row: two months of agreement, by default
JUMP_MIN = 2  # clusters; so far off, the neighbours cannot tell, and a look at all numbers decides
SAMPLE = 2_000  # vectors judged: a silhouette to within a hundredth

Make = Callable[[int, tuple[Center, ...]], Clusterer]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a number of clusters is worth on the reservoir."""

    clusters: int
    silhouette: float
    davies_bouldin: float
    stability: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The number in force, why, and the figures of all candidates."""

    clusters: int
    reason: str
    verdicts: tuple[Verdict, ...] = ()


def judge(z: Floats, prototypes: Floats, seed: int) -> Verdict:
    """Return the figures of prototypes on scaled vectors."""
    sample = z[-SAMPLE:]
    return Verdict(
        len(prototypes),
        silhouette(sample, prototypes),
        davies_bouldin(sample, prototypes),
        stability(sample, prototypes, seed),
    )


def first_choice(z: Floats, seed: int) -> Choice:
    """Return the number to begin with: the most clusters that are nearly as clear as the clearest, and stable."""
    most, sample = min(CLUSTERS_MOST, len(z)), z[-SAMPLE:]
    starts = [seed_centers(sample, count, seed) for count in range(min(CLUSTERS_LEAST, most), most + 1)]
    clear = [silhouette(sample, centers) for centers in starts]
    best = max(clear)
    verdicts = tuple(
        judge(z, centers, seed)
        for centers, figure in zip(starts, clear, strict=True)
        if figure >= best - SILHOUETTE_NEAR
    )
    near = [one for one in verdicts if one.stability >= STABILITY_MIN]
    if not near:
        near = [max(verdicts, key=lambda v: (v.stability, -v.clusters))]
    chosen = max(near, key=lambda v: v.clusters)
    why = f"the most whose silhouette ({chosen.silhouette:.2f}) is within {SILHOUETTE_NEAR} of the best ({best:.2f})"
    return Choice(
        chosen.clusters, f"{why} and that halves of the customers agree on ({chosen.stability:.2f})", verdicts
    )


class Candidates:
    """The learner in force and its neighbours, one cluster fewer and one more, on the same stream."""

    def __init__(
        self, make: Make, clusters: int, prior: tuple[Center, ...], *, warmup_vectors: int, open_choice: bool
    ) -> None:
        """Start with `clusters`; with `open_choice` neighbours compete and the number may change. All learn the first
        `warmup_vectors`.
        """
        self._make = make
        self._open = open_choice
        self._warmup, self._learned = warmup_vectors, 0
        self.streak = 0  # above 0: snapshots in a row that spoke for one more; below: for one fewer
        self.clusters = clusters
        self._learners: dict[int, Clusterer] = {clusters: make(clusters, prior)}
        for count in self._neighbours() if open_choice else ():
            self._learners[count] = make(count, prior)

    @property
    def incumbent(self) -> Clusterer:
        """The learner in force."""
        return self._learners[self.clusters]

    def learn(self, z: Floats) -> None:
        """The incumbent learns scaled vectors [n, F], its neighbours some of them."""
        number = self._learned + 1 + np.arange(len(z))
        self._learned += len(z)
        some = z[(number <= self._warmup) | (number % NEIGHBOUR_VECTORS == 0)]
        for count, learner in self._learners.items():
            learner.learn_many(z if count == self.clusters else some)

    def hasten(self, vectors: int) -> None:
        """Forget faster for so many vectors."""
        for learner in self._learners.values():
            learner.hasten(vectors)

    def decide(self, z: Floats, seed: int) -> Choice:
        """Compare on the reservoir z and change the number after PATIENCE snapshots that agree; say why or why not.

        After a change the caller starts new candidates.
        """
        if not self._open:
            return Choice(self.clusters, "set, not looked for")
        verdicts = {
            count: judge(z, np.array([center.prototype for center in learner.centers()]), seed)
            for count, learner in sorted(self._learners.items())
            if len(learner.centers()) == count  # fewer distinct vectors than clusters
        }
        afar = first_choice(z, seed)
        jump = afar.clusters - self.clusters
        wish = jump if self._is_far(afar, verdicts) else self._wish(verdicts)
        sign = (wish > 0) - (wish < 0)
        self.streak = 0 if wish == 0 else (self.streak if self.streak * sign > 0 else 0) + sign
        before, shown = self.clusters, tuple(verdicts.values())
        if abs(self.streak) < PATIENCE and wish < max(JUMP_MIN, before // 3):
            return Choice(before, self._why_not(wish), shown)
        self.streak = 0
        self.clusters = before + wish
        if abs(wish) >= JUMP_MIN:
            return Choice(self.clusters, f"{self.clusters} instead of {before}: {afar.reason}", afar.verdicts)
        was, now = verdicts[before], verdicts[self.clusters]
        return Choice(
            self.clusters,
            f"{self.clusters} instead of {before}: silhouette {now.silhouette:.2f} against {was.silhouette:.2f} and "
            f"stability {now.stability:.2f} against {was.stability:.2f} in {PATIENCE} snapshots in a row",
            shown,
        )

    def centers(self) -> list[Center]:
        """Return the centers of the number in force; [] when it is one that nobody has learned yet."""
        learner = self._learners.get(self.clusters)
        return learner.centers() if learner else []

    def _is_far(self, afar: Choice, verdicts: dict[int, Verdict]) -> bool:
        """Whether a number that no neighbour is near to is so much clearer that customers should move for it."""
        now = verdicts.get(self.clusters)
        if abs(afar.clusters - self.clusters) < JUMP_MIN or not afar.verdicts:
            return False
        if now is None:
            return True
        if afar.clusters > self.clusters:
            return max(one.silhouette for one in afar.verdicts if one.clusters == afar.clusters) >= CLEAR
        best = max(one.silhouette for one in afar.verdicts)
        return now.silhouette < CLEAR and best >= now.silhouette + JUMP_GAIN

    def _wish(self, verdicts: dict[int, Verdict]) -> int:
        """1 or -1 when a neighbour is clearly better, else 0."""
        now = verdicts.get(self.clusters)
        if now is None:
            return 0
        more, fewer = verdicts.get(self.clusters + 1), verdicts.get(self.clusters - 1)
        if more and _better(more, now, GAIN_MIN):
            return 1
        return -1 if fewer and _better(fewer, now, FEWER_GAIN) else 0

    def _why_not(self, wish: int) -> str:
        if wish == 0:
            return f"kept: neither {self.clusters - 1} nor {self.clusters + 1} is clearly better"
        return f"kept: {self.clusters + wish} was better in {abs(self.streak)} of {PATIENCE} snapshots"

    def _neighbours(self) -> list[int]:
        return [n for n in (self.clusters - 1, self.clusters + 1) if CLUSTERS_LEAST <= n <= CLUSTERS_MOST]


def _better(challenger: Verdict, incumbent: Verdict, gain: float) -> bool:
    return (
        challenger.silhouette >= incumbent.silhouette + gain
        and challenger.davies_bouldin <= incumbent.davies_bouldin
        and challenger.stability >= STABILITY_MIN
    )
