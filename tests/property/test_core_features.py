"""Features: finite and in range for every legal history and every time from its newest event on."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clusters.assign import nearest
from models.customers.row import DAY_MS
from models.engine import judge_of
from models.features import catalogue as c
from models.features.compute import value, vector
from tests.core import Core, shipped, snapshot
from tests.property.strategies import attribute_rows, sequences

SCORES = {c.RECENCY_SCORE: 5, c.FREQUENCY_SCORE: 5, c.MONETARY_SCORE: 5, c.VALUE_SCORE: 4}
WAITS_MS = st.one_of(st.integers(0, 400 * DAY_MS), st.sampled_from([0, 1, 5_000 * DAY_MS, 200_000 * DAY_MS]))


@settings(max_examples=150)
@given(st.data())
def test_features_are_finite_and_in_range(data: st.DataObject) -> None:
    """Every feature is finite; ages and counts are not negative; scores keep their range."""
    core = Core()
    events = data.draw(sequences(customers=1, size=20))
    core.apply(events[list(data.draw(st.permutations(range(len(events)))))], attributes=data.draw(attribute_rows()))
    row, model = core.rows[0], core.judge.rules.model[0]
    now = int(row.newest_ms) + data.draw(WAITS_MS)
    for feature in c.FEATURES:
        x = value(row, now, feature.kind, feature.source, 30 * DAY_MS if feature.windowed else 0, model)
        assert math.isfinite(x), feature.name
        if feature.kind == c.SCORE:
            assert x in range(SCORES[feature.source] + 1)
        elif feature.name != "spend":
            assert x >= 0.0, feature.name
        if feature.kind == c.WINDOW_COUNT:
            assert x <= c.KEPT[feature.source]


@settings(max_examples=100)
@given(st.data())
def test_vectors_are_finite_and_clusters_are_found(data: st.DataObject) -> None:
    """What clusters are made of is finite; the nearest prototype is found, with a confidence from 0 to 1."""
    core = Core()
    core.apply(data.draw(sequences(customers=1, size=20)), attributes=data.draw(attribute_rows()))
    row, out, z = core.rows[0], np.zeros(16), np.zeros(16)
    now = int(row.newest_ms) + data.draw(WAITS_MS)
    vector(row, now, out)
    assert np.isfinite(out).all()
    assert (out >= 0.0).all()
    count = data.draw(st.integers(1, 4))
    model = judge_of(shipped(), snapshot(*((i + 1, i * 0.3) for i in range(count)))).rules.model[0]
    found, second, confidence = nearest(row, now, model, 0.1, data.draw(st.integers(0, count)), out, z)
    assert 1 <= found <= count
    assert second != found
    assert 0.0 <= confidence <= 1.0
    assert (np.abs(z) <= 5.0).all()


@settings(max_examples=60)
@given(st.data())
def test_decayed_sums_only_fall_by_waiting(data: st.DataObject) -> None:
    """A decayed sum never rises in silence, and halves in its half-life."""
    core = Core()
    core.apply(data.draw(sequences(customers=1, profiles=0)))
    row, model = core.rows[0], core.judge.rules.model[0]
    for feature in (one for one in c.FEATURES if one.kind == c.DECAYED):
        half_life_ms = {"1d": 1, "7d": 7, "30d": 30, "90d": 90}[feature.name.rsplit("_", 1)[1]] * DAY_MS
        now = int(row.newest_ms) + data.draw(st.integers(0, 100 * DAY_MS))
        x = value(row, now, feature.kind, feature.source, 0, model)
        assert value(row, now + data.draw(st.integers(1, DAY_MS)), feature.kind, feature.source, 0, model) <= x
        assert math.isclose(
            value(row, now + half_life_ms, feature.kind, feature.source, 0, model), x / 2, rel_tol=1e-12
        )
