"""Metrics: the catalogue's rules, the collectors, and the server."""

from __future__ import annotations

import http.client
import socket
import typing

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from stream.errors import SegstreamError
from stream.metrics.catalogue import CATALOGUE, HEALTH, PREFIX, Metric
from stream.metrics.registry import Metrics
from stream.metrics.server import MetricsServer
from stream.settings import Settings

BASE_UNITS = {"", "seconds", "records"}
KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}


def get(server: MetricsServer, path: str, **headers: str) -> tuple[int, str]:
    """Return status and body of one request."""
    connection = http.client.HTTPConnection(server.address, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("metric", [*CATALOGUE, *HEALTH], ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    """Prefix, base unit last, `_total` on counters and only there, a sentence of help, buckets that rise."""
    assert metric.name.startswith(PREFIX)
    assert metric.unit in BASE_UNITS
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.unit in metric.name
    assert metric.help.endswith(".")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_name_is_used_twice() -> None:
    """One name, one meaning."""
    assert len({metric.name for metric in (*CATALOGUE, *HEALTH)}) == len(CATALOGUE) + len(HEALTH)


def test_every_label_says_what_bounds_it_and_none_is_a_person() -> None:
    """Unbounded labels kill Prometheus, and a customer in a label is a leak."""
    labels = {label for metric in (*CATALOGUE, *HEALTH) for label in metric.labels}
    assert all(label.bound for label in labels)
    assert not {label.name for label in labels} & {"customer", "customer_id", "key", "event_id", "error"}


def test_attributes_are_the_catalogue() -> None:
    """What code can name is what the table holds, in the right kind, so a wrong use is a type error."""
    declared = typing.get_type_hints(Metrics)
    assert declared == {metric.attribute: KINDS[metric.kind] for metric in CATALOGUE}


def test_counting_shows_in_the_registry_that_was_passed() -> None:
    """No global registry: two sets of metrics do not meet."""
    registry = CollectorRegistry()
    metrics, other = Metrics(registry), Metrics()
    metrics.changes.labels("value", "event").inc(3)
    assert b'segstream_changes_total{dimension="value",trigger="event"} 3.0' in generate_latest(registry)
    assert b"} 3.0" not in generate_latest(other.registry)


def test_metrics_health_and_readiness_are_served() -> None:
    """A scrape brings the registry; a check that gives a reason is 503 with the reason."""
    metrics = Metrics()
    reasons: list[str | None] = ["recovering partition 2"]
    settings = Settings(metrics_port=0)
    with MetricsServer(settings, metrics.registry, healthy=lambda: None, ready=lambda: reasons[0]) as server:
        status, body = get(server, "/metrics")
        assert (status, "segstream_build{" in body) == (200, True)
        assert get(server, "/healthz") == (200, "ok\n")
        assert get(server, "/readyz?verbose") == (503, "recovering partition 2\n")
        reasons[0] = None
        assert get(server, "/readyz") == (200, "ok\n")
        assert get(server, "/")[0] == 404


def test_a_token_is_asked_for_metrics_only() -> None:
    """Probes carry no secrets; figures do not go to whoever asks."""
    settings = Settings(metrics_port=0, metrics_token="right")  # noqa: S106 - the token under test
    with MetricsServer(settings, CollectorRegistry(), healthy=lambda: None, ready=lambda: None) as server:
        assert get(server, "/metrics")[0] == 401
        assert get(server, "/metrics", Authorization="Bearer wrong")[0] == 401
        assert get(server, "/metrics", Authorization="Bearer right")[0] == 200
        assert get(server, "/healthz")[0] == 200


def test_who_is_one_too_many_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens connections and says nothing cannot make threads without end; afterwards there is room again."""
    monkeypatch.setattr("stream.metrics.server.REQUESTS_MAX", 2)
    with MetricsServer(
        Settings(metrics_port=0), CollectorRegistry(), healthy=lambda: None, ready=lambda: None
    ) as server:
        host, _, port = server.address.rpartition(":")
        silent = [socket.create_connection((host, int(port)), timeout=5) for _ in range(3)]
        assert silent[2].recv(1) == b""  # the third: hung up on, while the first two are waited for
        for one in silent:
            one.close()
        answers = (answered(server) for _ in range(1_000))  # until the server has seen them go
        assert any(answers)


def answered(server: MetricsServer) -> bool:
    """Whether the server has room for us."""
    try:
        return get(server, "/healthz")[0] == 200
    except OSError:
        return False


def test_a_taken_port_is_told_with_a_way_out() -> None:
    """The second worker on one machine hears which setting helps."""
    with MetricsServer(
        Settings(metrics_port=0), CollectorRegistry(), healthy=lambda: None, ready=lambda: None
    ) as server:
        taken = Settings(metrics_port=int(server.address.rpartition(":")[2]))
        with pytest.raises(SegstreamError, match="SEGSTREAM_METRICS_PORT"):
            MetricsServer(taken, CollectorRegistry(), healthy=lambda: None, ready=lambda: None)
