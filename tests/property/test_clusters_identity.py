"""Laws of matching new prototypes to old clusters."""

from __future__ import annotations

from random import Random

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from models.clusters.identity import contingency, jaccard, match
from models.clusters.lineage import transitions

# Few distinct values on purpose: equal distances and equal prototypes are where order could sneak in.
places = st.tuples(*[st.integers(-3, 3).map(float)] * 2)
Generation = tuple[list[int], list[tuple[float, float]], list[tuple[float, float]], int]
Labelling = tuple[int, int, list[tuple[int, int]]]
prototype_lists = st.lists(places, min_size=1, max_size=8)


def table(prototypes: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Return prototypes as a table."""
    return np.array(prototypes).reshape(-1, 2)


@st.composite
def generations(
    draw: st.DrawFn,
) -> Generation:
    """Return old ids and places, new places, and the next id."""
    old = draw(st.lists(places, max_size=8))
    ids = draw(st.lists(st.integers(1, 40), min_size=len(old), max_size=len(old), unique=True))
    return ids, old, draw(prototype_lists), max(ids, default=0) + draw(st.integers(1, 3))


@given(generations(), st.randoms(use_true_random=False), st.sampled_from([0.5, 1.0, 2.5]))
def test_the_order_of_new_prototypes_never_changes_which_place_gets_which_id(
    generation: Generation, random: Random, limit: float
) -> None:
    """Shuffling what River returned gives the same set of (place, id)."""
    ids, old, new, next_id = generation
    shuffled = random.sample(new, len(new))
    given_ids, given_next = match(ids, table(old), table(new), distance_limit=limit, next_id=next_id)
    other_ids, other_next = match(ids, table(old), table(shuffled), distance_limit=limit, next_id=next_id)
    assert sorted(zip(new, given_ids, strict=True)) == sorted(zip(shuffled, other_ids, strict=True))
    assert given_next == other_next


@given(generations(), st.randoms(use_true_random=False), st.sampled_from([0.5, 1.0, 2.5]))
def test_the_order_of_old_clusters_never_changes_the_ids(generation: Generation, random: Random, limit: float) -> None:
    """A snapshot that lists its clusters differently is the same snapshot."""
    ids, old, new, next_id = generation
    pairs = random.sample(list(zip(ids, old, strict=True)), len(ids))
    other = match(
        [i for i, _ in pairs], table([p for _, p in pairs]), table(new), distance_limit=limit, next_id=next_id
    )
    assert match(ids, table(old), table(new), distance_limit=limit, next_id=next_id) == other


@given(generations(), st.sampled_from([0.5, 1.0, 2.5]))
def test_ids_are_unique_and_a_fresh_one_was_never_given_out(generation: Generation, limit: float) -> None:
    """Every new cluster has its own id: an old one within the limit, or one from next_id on, without gaps."""
    ids, old, new, next_id = generation
    found, after = match(ids, table(old), table(new), distance_limit=limit, next_id=next_id)
    assert len(set(found)) == len(new)
    fresh = sorted(i for i in found if i not in ids)
    assert fresh == list(range(next_id, after))
    for new_place, new_id in zip(new, found, strict=True):
        if new_id in ids:
            assert np.hypot(*np.subtract(new_place, old[ids.index(new_id)])) <= limit


@given(generations())
def test_unchanged_prototypes_keep_their_ids(generation: Generation) -> None:
    """Matching a snapshot with itself is the identity, and no id is used up."""
    ids, old, _, next_id = generation
    distinct = dict(zip(old, ids, strict=True))
    found, after = match(
        list(distinct.values()),
        table(list(distinct)),
        table(list(distinct)),
        distance_limit=0.5,
        next_id=next_id,
    )
    assert (list(found), after) == (list(distinct.values()), next_id)


@st.composite
def labellings(draw: st.DrawFn) -> Labelling:
    """Return old and new cluster counts and the (old, new) cluster of every sampled customer."""
    old, new = draw(st.integers(0, 5)), draw(st.integers(1, 5))
    if not old:
        return old, new, []
    pair = st.tuples(st.integers(0, old - 1), st.integers(0, new - 1))
    return old, new, draw(st.lists(pair, min_size=1, max_size=60))


@given(labellings(), st.randoms(use_true_random=False))
def test_every_cluster_is_accounted_for_and_overlaps_are_shares(labelling: Labelling, random: Random) -> None:
    """Each old id is where a transition starts, each new id where one ends, each survivor once; overlaps in
    0..1.
    """
    old_count, new_count, pairs = labelling
    pool = random.sample(range(1, 12), 11)
    old_ids, new_ids = pool[:old_count], [*pool[: old_count // 2], *range(12, 20)][:new_count]
    old_labels = np.array([i for i, _ in pairs], dtype=np.int64)
    new_labels = np.array([j for _, j in pairs], dtype=np.int64)
    both = contingency(old_labels, old_count, new_labels, new_count)
    found = transitions(old_ids, new_ids, both)
    assert {i for t in found for i in t.from_ids} == set(old_ids)
    assert {i for t in found for i in t.to_ids} == set(new_ids)
    assert [t.to_ids[0] for t in found if t.kind == "survived"] == sorted(set(old_ids) & set(new_ids))
    assert all(0.0 <= t.overlap <= 1.0 for t in found)
    overlap = jaccard(both)
    assert ((overlap[~np.isnan(overlap)] >= 0.0) & (overlap[~np.isnan(overlap)] <= 1.0)).all()
