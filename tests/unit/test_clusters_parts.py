"""The parts of the cluster core on cases made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.clusters.guard import consolidate
from models.clusters.identity import contingency, jaccard, match
from models.clusters.learner import Center
from models.clusters.lineage import transitions
from models.clusters.personas import Wording, distinct_label, label, outlived
from models.clusters.quantiles import cut_points, high_score, low_score
from models.clusters.scaling import SCALE_MIN, Scaling, fit, translate
from models.clusters.seeding import seed_centers
from models.clusters.shape import Cluster, Snapshot, Transition, check
from models.clusters.snapshot import MODEL, empty_arrays, from_document, to_document
from models.clusters.succession import succeed

CUTS = {
    "recency_days": (14.0, 33.0, 72.0, 180.0),
    "orders": (1.0, 2.0, 3.0, 5.0),
    "spend": (1.0, 2.0, 3.0, 4.0),
    "value": (1.0, 2.0, 3.0),
}
CLUSTER = Cluster(4, (2.0, -3.0, 0.5), 0.25, 1.0, "")
SNAPSHOT = Snapshot(
    version=3,
    features=("orders", "recency", "open_rate"),
    center=(0.0, 0.0, 0.0),
    scale=(1.0, 1.0, 1.0),
    clip=4.0,
    clusters=(CLUSTER,),
    cuts=CUTS,
    as_of_ms=0,
    vector_count=0,
    lineage=(),
    seed=7,
    learner="kmeans",
    next_id=5,
)
# How many of Online Retail's 4,339 customers placed 1, 2, ... orders (the rest more; 20 stands for them).
RETAIL_ORDERS = {1: 1494, 2: 835, 3: 508, 4: 387, 5: 243, 6: 172, 7: 143, 8: 98, 20: 459}


def test_online_retail_orders_are_cut_at_1_2_3_5() -> None:
    """The cut points that reproduce the published table of ten segments; 79.9 % count as four quintiles."""
    orders = np.repeat(list(RETAIL_ORDERS), list(RETAIL_ORDERS.values())).astype(float)
    assert len(orders) == 4339
    cuts = cut_points(np.ones(4339), orders, orders)["orders"]
    assert cuts == (1.0, 2.0, 3.0, 5.0)
    assert [high_score(n, cuts) for n in (1, 2, 3, 4, 5, 6, 50)] == [1, 2, 3, 4, 4, 5, 5]


def test_recency_scores_high_for_recent() -> None:
    """Bought today is 5, on a cut still the better score, long ago 1."""
    cuts = CUTS["recency_days"]
    assert [low_score(days, cuts) for days in (0, 14, 14.1, 33, 100, 180, 181)] == [5, 5, 4, 4, 2, 2, 1]


def test_value_tiers_are_cut_at_half_four_fifths_and_nineteen_twentieths_of_buyers() -> None:
    """A thousand prospects do not move the tiers."""
    spend = np.concatenate([np.arange(1.0, 1002.0), np.zeros(1000)])
    cuts = cut_points(np.ones(2001), np.sign(spend), spend)
    assert cuts["value"] == pytest.approx((501.0, 801.0, 951.0))


def test_too_few_buyers_give_no_cuts() -> None:
    """The definitions' defaults are better than 99 customers."""
    ones = np.ones(99)
    assert cut_points(ones, ones, ones) == {}


def test_one_order_each_gives_equal_cuts_and_equal_scores() -> None:
    """With nothing to tell customers apart, nobody scores above the rest."""
    ones = np.ones(200)
    cuts = cut_points(ones, ones, ones)["orders"]
    assert cuts == (1.0, 1.0, 1.0, 1.0)
    assert [high_score(1, cuts), high_score(2, cuts)] == [1, 5]


def test_outliers_do_not_move_the_scale_and_a_constant_feature_has_the_floor() -> None:
    """Median and quartiles hold against 1 % of absurd values; no division by zero."""
    x = np.column_stack([np.linspace(-1.0, 1.0, 1001), np.full(1001, 3.0)])
    wild = x.copy()
    wild[:5, 0] = -1e9
    wild[-5:, 0] = 1e9
    assert fit(wild).scale[0] == pytest.approx(fit(x).scale[0], rel=0.02)
    assert fit(x).center == pytest.approx((0.0, 3.0))
    assert fit(x).scale[1] == SCALE_MIN
    assert np.abs(fit(wild).apply(wild)).max() == fit(wild).clip


def test_a_feature_that_is_mostly_zero_is_not_clipped_away() -> None:
    """One customer in ten who clicks at all still differs from one who clicks twice as much."""
    x = np.concatenate([np.zeros(900), np.linspace(1.0, 2.0, 100)])[:, None]
    z = fit(x).apply(x)
    assert len(np.unique(z)) > 50


def test_scaling_refuses_nothing_and_nan() -> None:
    """Without vectors there is no median; with NaN there is a wrong one."""
    with pytest.raises(ValueError, match="table of vectors"):
        fit(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="not finite"):
        fit(np.array([[1.0], [np.nan]]))


def test_translated_prototypes_are_at_the_same_raw_place() -> None:
    """Out of one scaled space and into another."""
    old, new = fit(np.arange(20.0)[:, None]), fit(np.arange(0.0, 40.0, 2.0)[:, None])
    z = np.array([[-1.0], [0.5]])
    assert new.invert(translate(z, old, new)) == pytest.approx(old.invert(z))


def test_seeding_finds_each_far_group_for_any_seed() -> None:
    """Nine groups, seeds 0 to 49: no group is missed."""
    places = np.array([(10.0 * i, 10.0 * j) for i in range(3) for j in range(3)])
    z = places.repeat(20, axis=0) + np.tile(np.linspace(-1.0, 1.0, 20), 9)[:, None]
    for seed in range(50):
        centers = seed_centers(z, 9, seed)
        assert sorted(np.round(centers).tolist()) == sorted(places.tolist())


def test_seeding_gives_no_more_centers_than_distinct_vectors() -> None:
    """Two places have two centers, whatever was asked."""
    assert len(seed_centers(np.array([[0.0], [1.0]] * 10), 5, 1)) == 2


def test_close_prototypes_with_the_same_members_match_and_far_ones_do_not() -> None:
    """The id stays with the people: distance within the limit, or half of the members."""
    old, new = np.array([[0.0], [10.0]]), np.array([[10.5], [3.0]])
    assert match([1, 2], old, new, distance_limit=1.0, next_id=3) == ((2, 3), 4)
    moved_together = np.array([[np.nan, 0.9], [0.9, 0.0]])
    assert match([1, 2], old, new, distance_limit=1.0, next_id=3, overlap=moved_together) == ((2, 1), 3)
    other_people = np.array([[0.0, 0.05], [0.02, 0.0]])
    assert match([1, 2], old, np.array([[0.1], [10.1]]), distance_limit=1.0, next_id=3, overlap=other_people) == (
        (3, 4),
        5,
    )


def test_between_two_equally_near_clusters_the_older_id_wins_in_any_order() -> None:
    """A tie falls by id, not by how a snapshot happens to list its clusters."""
    for ids in ([1, 2], [2, 1]):
        assert match(ids, np.array([[-1.0], [1.0]]), np.array([[0.0]]), distance_limit=2.0, next_id=3) == (
            (1,),
            3,
        )


def test_old_members_are_counted_as_the_old_snapshot_scored_them() -> None:
    """A new scaling far away changes neither who was where nor who survived."""
    old = replace(
        SNAPSHOT,
        features=("a",),
        center=(0.0,),
        scale=(1.0,),
        clusters=(Cluster(1, (-1.0,), 0.5, 0.0, "low"), Cluster(4, (1.0,), 0.5, 0.0, "high")),
    )
    raw, scaling = np.array([[-1.0], [1.0]] * 10), Scaling(center=(10.0,), scale=(5.0,), clip=4.0)
    prototypes = scaling.apply(np.array([[1.0], [-1.0]]))
    heirs = succeed(prototypes, raw, scaling, features=("a",), previous=old, distance_limit=0.1)
    assert [(c.id, c.label, c.share, c.radius) for c in heirs.clusters] == [
        (1, "low", 0.5, 0.0),
        (4, "high", 0.5, 0.0),
    ]
    assert heirs.lineage == (Transition("survived", (1,), (1,), 1.0), Transition("survived", (4,), (4,), 1.0))


def test_overlap_counts_common_members() -> None:
    """Jaccard: common members over members of either; unknown where there are none."""
    both = contingency(np.array([0, 0, 0, 1]), 3, np.array([0, 0, 1, 1]), 2)
    assert both.tolist() == [[2.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    overlap = jaccard(both)
    assert overlap[:2].tolist() == [[2 / 3, 1 / 4], [0.0, 1 / 2]]
    assert np.isnan(overlap[2]).all()


@pytest.mark.parametrize(
    ("old_ids", "new_ids", "both", "expected"),
    [
        ([1], [1], [[9]], [Transition("survived", (1,), (1,), 1.0)]),
        (
            [1],
            [1, 2],
            [[6, 4]],
            [Transition("survived", (1,), (1,), 0.6), Transition("split", (1,), (1, 2), 1.0)],
        ),
        ([1], [2, 3], [[5, 5]], [Transition("split", (1,), (2, 3), 1.0)]),
        (
            [1, 2],
            [1],
            [[8], [2]],
            [Transition("survived", (1,), (1,), 1.0), Transition("merged", (1, 2), (1,), 1.0)],
        ),
        (
            [1, 2],
            [3],
            [[8], [2]],
            [Transition("split", (1,), (3,), 1.0), Transition("merged", (2,), (3,), 1.0)],
        ),
        (
            [1],
            [1, 2],
            [[9, 1], [0, 0]][:1],
            [Transition("survived", (1,), (1,), 0.9), Transition("split", (1,), (1, 2), 1.0)],
        ),
        ([], [1], [], [Transition("emerged", (), (1,), 0.0)]),
        (
            [1, 2, 3],
            [2, 3],
            [[0, 0], [9, 0], [0, 9]],
            [
                Transition("survived", (2,), (2,), 1.0),
                Transition("survived", (3,), (3,), 1.0),
                Transition("disappeared", (1,), (), 0.0),
            ],
        ),
    ],
)
def test_each_transition(
    old_ids: list[int], new_ids: list[int], both: list[list[int]], expected: list[Transition]
) -> None:
    """MONIC's transitions from counted members."""
    table = np.array(both, dtype=np.float64).reshape(len(old_ids), len(new_ids))
    assert list(transitions(old_ids, new_ids, table)) == expected


def test_the_guard_joins_twins_and_drops_dwarfs() -> None:
    """Two prototypes in one cloud become one between them; a third with one customer leaves."""
    rng = np.random.default_rng(1)
    z = np.concatenate([rng.normal(0.0, 1.0, (500, 4)), rng.normal(8.0, 1.0, (500, 4)), [[30.0] * 4]])
    centers = [Center(place, 1.0) for place in ((0.2,) * 4, (-0.2,) * 4, (8.0,) * 4, (30.0,) * 4)]
    kept = consolidate(centers, z, share_min=0.02, closeness_min=0.5)
    assert np.round(kept).tolist() == [[0.0] * 4, [8.0] * 4]


def test_the_guard_keeps_at_least_one_and_none_of_none() -> None:
    """A share nobody can reach still leaves the largest; no centers stay none."""
    z = np.array([[0.0], [10.0], [10.0]])
    centers = [Center((0.0,), 1.0), Center((10.0,), 1.0)]
    assert consolidate(centers, z, share_min=0.9, closeness_min=0.5).tolist() == [[10.0]]
    assert consolidate([], z, share_min=0.1, closeness_min=0.5).shape == (0, 1)


def test_a_label_names_what_is_furthest_from_average() -> None:
    """Adjectives, then the noun there is, or customers; a feature without words is called by its own name."""
    words = {"orders": Wording("frequent", "rare"), "open_rate": Wording("readers", "deaf ears", noun=True)}
    assert label(CLUSTER, SNAPSHOT, (0.0, 0.0, 0.0), words) == "low-recency frequent readers"
    assert label(CLUSTER, SNAPSHOT, (3.0, -3.0, 0.0), {}) == "low-orders high-open rate low-recency customers"
    taken = {"low-recency frequent readers"}
    assert distinct_label(CLUSTER, SNAPSHOT, (0.0, 0.0, 0.0), words, taken) == "low-recency frequent readers (4)"


def test_a_label_is_outlived_when_its_customers_are_the_opposite() -> None:
    """Near the average a name may stay; on the other side of it, it would be a lie."""
    words = {"orders": Wording("frequent", "rare")}
    named = replace(CLUSTER, label="frequent customers")
    assert not outlived(named, SNAPSHOT, (0.0, 0.0, 0.0), words)
    assert not outlived(named, SNAPSHOT, (2.2, 0.0, 0.0), words)
    assert outlived(named, SNAPSHOT, (3.0, 0.0, 0.0), words)


def test_without_a_model_nobody_has_a_cluster() -> None:
    """Version 0, no clusters, neutral scaling, the given cuts."""
    record = empty_arrays(CUTS, 3)
    row = record[0]
    assert record.dtype == MODEL
    assert (row["version"], row["cluster_count"], row["feature_count"]) == (0, 0, 3)
    assert row["cut_orders"].tolist() == [1.0, 2.0, 3.0, 5.0]
    assert row["scale"].tolist() == [1.0] * 16
    with pytest.raises(ValueError, match=r"cuts\.value"):
        empty_arrays({**CUTS, "value": (3.0, 2.0, 1.0)}, 3)
    with pytest.raises(ValueError, match="feature_count"):
        empty_arrays(CUTS, 17)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"scale": [1.0, 0.0, 1.0]}, "scale"),
        ({"center": [0.0, 0.0]}, "center: expected 3 numbers"),
        ({"clip": 0}, "clip"),
        ({"features": ["a", "a", "b"]}, "twice"),
        ({"features": []}, "features: 1 to 16"),
        ({"version": 0}, "version"),
        ({"next_id": 4}, "next_id must be above"),
        ({"cuts": {"orders": [2, 1, 3, 4]}}, "must not decrease"),
        ({"cuts": {"orders": [1, 2, 3]}}, "expected 4"),
        ({"cuts": {"order": [1, 2, 3, 4]}}, "unknown name 'order'"),
        ({"cuts": {"orders": [1, 2, 3, float("nan")]}}, "not finite"),
        ({"document_version": 2}, "document_version 2 is not 1"),
        ({"lineage": [{"kind": "born", "from_ids": [], "to_ids": [], "overlap": 0}]}, "unknown kind"),
        ({"seed": 1.5}, "whole number"),
    ],
)
def test_a_document_outside_the_limits_is_refused_with_its_cause(change: dict[str, object], cause: str) -> None:
    """Each limit has its own sentence."""
    with pytest.raises(ValueError, match=cause):
        from_document({**to_document(SNAPSHOT), **change})


@pytest.mark.parametrize(
    ("cluster", "cause"),
    [
        (replace(CLUSTER, id=0), "id is below 1"),
        (replace(CLUSTER, share=1.5), "share"),
        (replace(CLUSTER, radius=-1.0), "radius"),
        (replace(CLUSTER, prototype=(1.0, 2.0)), "expected 3 numbers"),
    ],
)
def test_a_bad_cluster_is_refused_with_its_cause(cluster: Cluster, cause: str) -> None:
    """Also when the snapshot was made in the program."""
    with pytest.raises(ValueError, match=cause):
        check(replace(SNAPSHOT, clusters=(cluster,)))
    with pytest.raises(ValueError, match="twice"):
        check(replace(SNAPSHOT, clusters=(CLUSTER, CLUSTER)))
    with pytest.raises(ValueError, match="at most 32"):
        check(replace(SNAPSHOT, next_id=100, clusters=tuple(replace(CLUSTER, id=i) for i in range(1, 34))))
