"""The collectors of the catalogue, for a registry that is passed in: nothing global, tests can have many."""

from __future__ import annotations

import contextlib
import platform
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream import __version__
from stream.metrics.catalogue import CATALOGUE, PARTITION, Metric


class Metrics:
    """Every metric of the catalogue as an attribute: `metrics.changes.labels("value", "event").inc()`.

    Counters are updated once per batch, never once per event.

    Parameters
    ----------
    registry : where the collectors are registered, one `Metrics` each; None for a new one.
    """

    events_applied: Counter
    dead_letters: Counter
    duplicate_events: Counter
    late_events: Counter
    changes: Counter
    suppressed_flips: Counter
    batches: Counter
    batch_records: Histogram
    decode_seconds: Histogram
    journal_ack_seconds: Histogram
    kernel_seconds: Histogram
    publish_seconds: Histogram
    change_latency_seconds: Histogram
    lag_records: Gauge
    lag_seconds: Gauge
    stalled_seconds: Gauge
    stream_time_timestamp_seconds: Gauge
    due_customers: Gauge
    customers: Gauge
    table_used_ratio: Gauge
    departed_customers: Counter
    dirty_rows: Gauge
    checkpoints: Counter
    checkpoint_rows: Counter
    checkpoint_seconds: Histogram
    checkpoint_timestamp_seconds: Gauge
    deletion_failures: Counter
    recovery_seconds: Histogram
    recovered_events: Counter
    fenced: Counter
    claims: Counter
    rebalances: Counter
    evictions: Counter
    partitions_owned: Gauge
    vectors_learned: Counter
    snapshots: Counter
    snapshots_held: Counter
    drifts: Counter
    trainer_cpu_seconds: Counter
    trainer_lag_records: Gauge
    model_version: Gauge
    adoptions: Counter
    documents_refused: Counter
    adoption_pending_rows: Gauge
    warming_categories: Gauge
    segment_customers: Gauge
    segment_spend: Gauge
    segment_emails_sent: Gauge
    segment_emails_engaged: Gauge
    segment_entries: Counter
    segment_exits: Counter
    event_loop_delay_seconds: Histogram
    build: Gauge

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry: Final = CollectorRegistry() if registry is None else registry
        for metric in CATALOGUE:
            setattr(self, metric.attribute, _collector(metric, self.registry))
        self._by_partition: list[Gauge] = [
            getattr(self, metric.attribute)
            for metric in CATALOGUE
            if metric.kind == "gauge" and metric.labels == (PARTITION,)
        ]
        self.build.labels(__version__, platform.python_version()).set(1)

    def forget_partition(self, number: int) -> None:
        """Take back the gauges of a partition that is no longer ours: what another owner says is true."""
        for gauge in self._by_partition:
            with contextlib.suppress(KeyError):  # never set
                gauge.remove(str(number))


def _collector(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    labels = tuple(label.name for label in metric.labels)
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, labels, registry=registry)
    return Histogram(metric.name, metric.help, labels, registry=registry, buckets=metric.buckets)
