"""Laws of reading a worker's metrics from outside."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from stream.metrics.registry import Metrics
from stream.metrics.scrape import Figures, figures, quantile
from stream.metrics.server import MetricsServer
from stream.settings import Settings

LATENCY = "segstream_change_latency_seconds"


def read(metrics: Metrics) -> Figures:
    """The figures of a registry."""
    return Figures(generate_latest(metrics.registry).decode())


def test_sums_are_over_what_has_the_labels() -> None:
    """A name alone is everything; a name that is not there is nothing."""
    metrics = Metrics()
    metrics.changes.labels("value", "event").inc(3)
    metrics.changes.labels("intent", "event").inc(4)
    metrics.changes.labels("intent", "silence").inc(5)
    found = read(metrics)
    assert found.total("segstream_changes_total") == 12
    assert found.total("segstream_changes_total", dimension="intent") == 9
    assert found.by("segstream_changes_total", "trigger") == {"event": 7, "silence": 5}
    assert found.total("segstream_nothing_total") == found.most("segstream_nothing_total") == 0


def test_a_quantile_since_counts_only_what_came_after() -> None:
    """Recent latency is not that of the start."""
    metrics = Metrics()
    metrics.change_latency_seconds.observe(9.0)
    before = read(metrics)
    metrics.change_latency_seconds.observe(0.009)
    after = read(metrics)
    recent = after.quantile(LATENCY, 0.99, before)
    assert recent is not None
    assert 0.008 < recent <= 0.01
    assert after.quantile(LATENCY, 0.99, after) is None


@given(st.lists(st.floats(0, 20), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_quantile_is_within_its_bucket(values: list[float], share: float) -> None:
    """It is as exact as the buckets are: at most one bound away from the true one."""
    bounds = [1.0, 2.0, 5.0, 10.0, math.inf]
    buckets = {bound: float(sum(value <= bound for value in values)) for bound in bounds}
    true = sorted(values)[max(math.ceil(share * len(values) - 1e-9), 1) - 1]
    found = quantile(buckets, share)
    assert found is not None
    upper = next(bound for bound in bounds if true <= bound)
    lower = max([bound for bound in bounds if bound < upper], default=0.0)
    assert lower - 1e-9 <= found <= upper


def test_a_refused_scrape_is_an_error() -> None:
    """Figures of nothing would look like a worker that does nothing."""
    settings = Settings(metrics_port=0, metrics_token="secret")  # noqa: S106 - made up for this test
    with (
        MetricsServer(settings, Metrics().registry, healthy=lambda: None, ready=lambda: None) as server,
        pytest.raises(ConnectionError, match="401"),
    ):
        figures(server.address)
