"""Who a cluster is: a readable name, what sets it apart in plain units, a typical customer, and how to address it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clusters.nearest import nearest
from models.clusters.shape import Cluster, Persona, Reading, Snapshot, Trait

Floats = npt.NDArray[np.float64]

FEATURES_IN_LABEL = 3  # two adjectives and a noun are remembered; more are a description, not a name
TRAITS = 5  # features a persona is told by
DIGITS = 2  # significant, of a typical customer: enough to picture one, too few to know one by
GAP_MIN = 0.5  # deviations; nearer the average a feature is no reason to address anybody differently
OUTLIVED_MIN = 0.25  # scaled units from the mean, on the other side than the name says
NOBODY = "customers"  # the noun when no feature has one


@dataclass(frozen=True, slots=True)
class Wording:
    """How people speak of a feature.

    `high`, `low`: a word for much and for little of it, adjectives, or nouns if `noun`. `plain`, `unit`: its name and
    unit after `log1p` is undone, if `logarithm`. `address_high`, `address_low`: what to do about much or little of it.
    """

    high: str
    low: str
    plain: str = ""
    unit: str = ""
    noun: bool = False
    logarithm: bool = False
    address_high: str = ""
    address_low: str = ""


Words = Mapping[str, Wording]


def label(cluster: Cluster, snapshot: Snapshot, feature_means: Sequence[float], words: Words) -> str:
    """Return a name of the features in which the cluster is furthest from the average: "frequent e-mail readers".

    `feature_means`: mean of each feature over all sampled customers, in scaled space, in the snapshot's order.
    """
    return distinct_label(cluster, snapshot, feature_means, words, taken=())


def distinct_label(
    cluster: Cluster, snapshot: Snapshot, feature_means: Sequence[float], words: Words, taken: Collection[str]
) -> str:
    """Return the label, with further features until no other cluster has it; at last with the id."""
    gaps = [value - mean for value, mean in zip(cluster.prototype, feature_means, strict=True)]
    ranked = sorted(range(len(gaps)), key=lambda j: (-abs(gaps[j]), j))
    for count in range(min(FEATURES_IN_LABEL, len(ranked)), len(ranked) + 1):
        text = _phrase([(snapshot.features[j], gaps[j]) for j in ranked[:count]], words)
        if text not in taken:
            return text
    return f"{_phrase([(snapshot.features[j], gaps[j]) for j in ranked[:FEATURES_IN_LABEL]], words)} ({cluster.id})"


def _phrase(gaps: Sequence[tuple[str, float]], words: Words) -> str:
    adjectives: list[str] = []
    nouns: list[str] = []
    for feature, gap in gaps:
        wording = wording_of(feature, words)
        (nouns if wording.noun else adjectives).append(wording.high if gap > 0.0 else wording.low)
    return " ".join([*adjectives, " and ".join(nouns) or NOBODY])


def outlived(cluster: Cluster, snapshot: Snapshot, feature_means: Sequence[float], words: Words) -> bool:
    """Whether the cluster's label says the opposite of what its customers are now."""
    spoken = f" {cluster.label} "
    for feature, value, mean in zip(snapshot.features, cluster.prototype, feature_means, strict=True):
        wording, gap = wording_of(feature, words), value - mean
        if abs(gap) > OUTLIVED_MIN and f" {wording.low if gap > 0.0 else wording.high} " in spoken:
            return True
    return False


def wording_of(feature: str, words: Words) -> Wording:
    """The words for a feature; one without any is called by its own name."""
    name = feature.replace("_", " ")
    return words.get(feature) or Wording(f"high-{name}", f"low-{name}", name)


def personas(snapshot: Snapshot, raw: Floats, z: Floats, spend: Floats, words: Words) -> tuple[Persona, ...]:
    """Return a persona for each cluster of the snapshot, from sampled customers: raw and scaled vectors, spend [n]."""
    labels, squared = nearest(z, np.array([cluster.prototype for cluster in snapshot.clusters]))
    revenue = np.maximum(spend, 0.0)
    total = float(revenue.sum())
    average, mean = np.median(raw, axis=0), z.mean(axis=0)
    deviation = np.maximum(z.std(axis=0), 1e-9)  # a feature that is the same for all sets nobody apart
    found = []
    for place, cluster in enumerate(snapshot.clusters):
        members = labels == place
        if not members.any():
            continue
        gaps = (z[members].mean(axis=0) - mean) / deviation
        middle = np.median(raw[members], axis=0)
        order = sorted(range(len(gaps)), key=lambda j: (-abs(gaps[j]), j))
        traits = tuple(
            Trait(name, _plain(middle[j], name, words), _plain(average[j], name, words), float(gaps[j]))
            for j, name in ((j, snapshot.features[j]) for j in order[:TRAITS])
        )
        medoid = raw[np.flatnonzero(members)[int(squared[members].argmin())]]
        typical = tuple(
            Reading(name, _plain(medoid[j], name, words, DIGITS)) for j, name in enumerate(snapshot.features)
        )
        share = float(revenue[members].sum()) / total if total > 0.0 else 0.0
        found.append(Persona(cluster.id, float(members.mean()), share, traits, typical, _address(traits, words)))
    return tuple(found)


def _address(traits: Sequence[Trait], words: Words) -> str:
    """What to do, by the two features furthest from average that say something of it."""
    said = []
    for trait in traits:
        wording = wording_of(trait.feature, words)
        text = wording.address_high if trait.gap > 0.0 else wording.address_low
        if text and abs(trait.gap) >= GAP_MIN:
            said.append(text)
    return " ".join(said[:2]) or "Address them as the average customer: nothing sets them far apart."


def _plain(value: float, feature: str, words: Words, digits: int = 3) -> float:
    plain = math.expm1(value) if wording_of(feature, words).logarithm else float(value)
    return float(f"{plain:.{digits}g}")
