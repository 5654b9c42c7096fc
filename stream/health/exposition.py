"""Health for Prometheus: the text that its node exporter reads from a file, so that a nightly run becomes a series.

Labels are dimensions, segments and the names of the tests: as many as the definitions have, and never a customer.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.health import Health
from stream.metrics.catalogue import HEALTH, Metric

Sample = tuple[dict[str, str], float | None]


def exposition(found: Health) -> str:
    """Every figure of `HEALTH` that is known, in the text format."""
    lines: list[str] = []
    for metric in HEALTH:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [
            f"{metric.name}{{{_labels(labels)}}} {value:g}" if labels else f"{metric.name} {value:g}"
            for labels, value in _samples(found, metric)
            if value is not None
        ]
    return "\n".join([*lines, ""])


def _samples(found: Health, metric: Metric) -> Iterator[Sample]:
    field = metric.attribute.removeprefix("health_")
    if field == "top_fifth_revenue_ratio":
        yield {}, found.top_fifth_revenue_share
    for dimension in found.dimensions:
        of = {"dimension": dimension.dimension}
        if field == "stability_index":
            yield of, dimension.stability
        for one in dimension.segments:
            labels = of | {"segment": one.segment}
            if field == "test_passed":
                yield from ((labels | {"test": test.name}, float(test.passed)) for test in one.tests)
            elif field.startswith("segment_"):
                yield labels, getattr(one, SEGMENT_FIELDS[field])


SEGMENT_FIELDS = {
    "segment_customers": "customers",
    "segment_share_ratio": "share",
    "segment_revenue": "revenue",
    "segment_revenue_ratio": "revenue_share",
    "segment_average_revenue": "average_revenue",
    "segment_growth_ratio": "growth",
    "segment_entries_per_day": "entries_per_day",
    "segment_exits_per_day": "exits_per_day",
    "segment_flap_ratio": "flap_rate",
    "segment_stay_seconds": "stay_seconds",
    "segment_email_response_ratio": "email_response",
}
"""The field of a segment's health by the metric's name without its prefix."""


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
