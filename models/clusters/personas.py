"""A readable name for a cluster: what its customers do more or less than the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from models.clusters.shape import Cluster, Snapshot

FEATURES_IN_LABEL = 2  # two words are remembered; more are a description, not a name

Words = Mapping[str, tuple[str, str]]  # feature -> (word for much of it, word for little of it)


def label(cluster: Cluster, snapshot: Snapshot, feature_means: Sequence[float], words: Words) -> str:
    """Return words for the two features in which the cluster is furthest from the average, furthest first.

    `feature_means`: mean of each feature over all sampled customers, in scaled space, in the snapshot's
    order. A feature without words is called by its own name. Example: "frequent buyers, e-mail readers".
    """
    return distinct_label(cluster, snapshot, feature_means, words, taken=())


def distinct_label(
    cluster: Cluster, snapshot: Snapshot, feature_means: Sequence[float], words: Words, taken: Collection[str]
) -> str:
    """Return the label, with further features added until no other cluster has it; at last with the id."""
    ranked = _ranked(cluster.prototype, snapshot.features, feature_means, words)
    for count in range(min(FEATURES_IN_LABEL, len(ranked)), len(ranked) + 1):
        text = ", ".join(ranked[:count])
        if text not in taken:
            return text
    return f"{', '.join(ranked[:FEATURES_IN_LABEL])} ({cluster.id})"


def _ranked(prototype: Sequence[float], features: Sequence[str], means: Sequence[float], words: Words) -> list[str]:
    gaps = [value - mean for value, mean in zip(prototype, means, strict=True)]
    order = sorted(range(len(features)), key=lambda j: (-abs(gaps[j]), j))
    return [_word(features[j], gaps[j], words) for j in order]


def _word(feature: str, gap: float, words: Words) -> str:
    name = feature.replace("_", " ")
    high, low = words.get(feature, (f"high {name}", f"low {name}"))
    return high if gap > 0.0 else low
