"""Laws of the snapshot's document, digest and record, of scaling, and of cut points."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.clusters.quantiles import BUYERS_MIN, cut_points, high_score, low_score
from models.clusters.scaling import SCALE_MIN, fit, translate
from models.clusters.shape import CLUSTER_ID_MAX
from models.clusters.snapshot import (
    CUT_COUNTS,
    MODEL,
    Cluster,
    Snapshot,
    Transition,
    digest,
    from_document,
    to_arrays,
    to_document,
)

finite = st.floats(-1e12, 1e12)
share = st.floats(0.0, 1.0)
ids = st.integers(1, CLUSTER_ID_MAX)
DEFAULTS = {name: tuple(map(float, range(count))) for name, count in CUT_COUNTS.items()}


def numbers(count: int, of: st.SearchStrategy[float] = finite) -> st.SearchStrategy[tuple[float, ...]]:
    """Return tuples of exactly so many numbers."""
    return st.tuples(*[of] * count)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Return any legal snapshot."""
    features = draw(st.lists(st.text(max_size=8), min_size=1, max_size=16, unique=True))
    cluster_ids = draw(st.lists(ids, max_size=32, unique=True))
    clusters = [
        Cluster(i, draw(numbers(len(features))), draw(share), draw(st.floats(0.0, 1e9)), draw(st.text(max_size=8)))
        for i in cluster_ids
    ]
    kind = st.sampled_from(["survived", "split", "merged", "emerged", "disappeared"])
    some = st.lists(ids, max_size=3).map(tuple)
    return Snapshot(
        version=draw(ids),
        features=tuple(features),
        center=draw(numbers(len(features))),
        scale=draw(numbers(len(features), st.floats(1e-6, 1e9))),
        clip=draw(st.floats(0.1, 100.0)),
        clusters=tuple(clusters),
        cuts={name: tuple(sorted(draw(numbers(n)))) for name, n in CUT_COUNTS.items() if draw(st.booleans())},
        as_of_ms=draw(st.integers(0, 2**50)),
        vector_count=draw(st.integers(0, 2**50)),
        lineage=tuple(draw(st.lists(st.builds(Transition, kind, some, some, share), max_size=4))),
        seed=draw(st.integers(-(2**63), 2**63 - 1)),
        learner=draw(st.text(max_size=8)),
        next_id=max(cluster_ids, default=0) + draw(ids),
    )


@given(snapshots())
def test_a_document_through_json_is_the_same_snapshot_with_the_same_digest(snapshot: Snapshot) -> None:
    """Nothing is lost or rounded on the wire."""
    back = from_document(json.loads(json.dumps(to_document(snapshot), allow_nan=False)))
    assert back == snapshot
    assert digest(back) == digest(snapshot)


@given(snapshots())
def test_another_version_has_another_digest(snapshot: Snapshot) -> None:
    """The digest names the content; it is 16 hex digits."""
    other = digest(replace(snapshot, version=snapshot.version + 1))
    assert other != digest(snapshot)
    assert len(other) == len(f"{int(other, 16):016x}")


@given(snapshots())
def test_the_record_holds_what_scoring_needs(snapshot: Snapshot) -> None:
    """Every number arrives at its place; the rest of the record is neutral."""
    record = to_arrays(snapshot, DEFAULTS)
    assert record.dtype == MODEL
    assert len(record) == 1
    row, count = record[0], len(snapshot.features)
    assert (row["version"], row["feature_count"], row["clip"]) == (snapshot.version, count, snapshot.clip)
    assert row["center"][:count].tolist() == list(snapshot.center)
    assert row["scale"].tolist() == [*snapshot.scale, *[1.0] * (16 - count)]
    size = int(row["cluster_count"])
    assert row["cluster_id"][:size].tolist() == [c.id for c in snapshot.clusters]
    assert row["prototype"][:size, :count].tolist() == [list(c.prototype) for c in snapshot.clusters]
    assert not row["prototype"][size:].any()
    for name in CUT_COUNTS:
        assert row[f"cut_{name}"].tolist() == list(snapshot.cuts.get(name, DEFAULTS[name]))


@given(snapshots(), st.data())
def test_a_document_with_any_field_missing_or_of_another_type_is_refused(
    snapshot: Snapshot, data: st.DataObject
) -> None:
    """A poisoned record on the models topic is a ValueError with its cause, never a wrong model."""
    document = to_document(snapshot)
    name = data.draw(st.sampled_from(sorted(document)))
    wrong: object = data.draw(st.sampled_from([None, True, [[]], {"x": 1}, math.nan, 10**400]))
    without = {key: value for key, value in document.items() if key != name}
    with pytest.raises(ValueError, match="model snapshot: "):
        from_document(without)
    with pytest.raises(ValueError, match="model snapshot: "):
        from_document({**document, name: wrong})


vectors = arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.floats(-1e6, 1e6))


@given(vectors)
def test_scaling_is_finite_bounded_and_never_finer_than_its_floor(x: npt.NDArray[np.float64]) -> None:
    """Whatever the vectors, each scaled number is within the clip and the median is at 0."""
    scaling = fit(x)
    z = scaling.apply(x)
    assert np.isfinite(z).all()
    assert np.abs(z).max() <= scaling.clip
    assert min(scaling.scale) >= SCALE_MIN
    assert np.abs(scaling.apply(np.median(x, axis=0)[None])).max() < 1e-6


@given(vectors)
def test_translating_prototypes_to_the_same_scaling_changes_nothing(x: npt.NDArray[np.float64]) -> None:
    """Without a rescaling, identity sees the published numbers themselves, to the bit."""
    scaling = fit(x)
    z = scaling.apply(x)
    assert translate(z, scaling, fit(x)) is z


spends = st.lists(st.tuples(st.integers(0, 6), st.floats(0.0, 1e6)), min_size=BUYERS_MIN, max_size=200)


@given(spends)
def test_cuts_do_not_decrease_and_scores_follow_the_value(customers: list[tuple[int, float]]) -> None:
    """More never scores less, equal customers score the same, and scores are 1..5 (or 1..4 for value)."""
    orders = np.array([float(n) for n, _ in customers])
    spend = np.array([amount for _, amount in customers])
    cuts = cut_points(spend / 1e3, orders, spend)
    assert set(cuts) == (set(CUT_COUNTS) if (orders > 0).sum() >= BUYERS_MIN else set())
    for name, values in cuts.items():
        assert len(values) == CUT_COUNTS[name]
        assert list(values) == sorted(values)
        ranked = sorted(spend.tolist())
        high = [high_score(value, values) for value in ranked]
        low = [low_score(value, values) for value in ranked]
        assert high == sorted(high)
        assert [h + one for h, one in zip(high, low, strict=True)] == [len(values) + 2] * len(ranked)
