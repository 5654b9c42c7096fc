"""What happens to the model, as events for people and programs: records of segment-model-events."""

from __future__ import annotations

from typing import Any

import orjson

from models.clusters.snapshot import Snapshot, digest
from stream.codec.times import iso
from stream.codec.training import Alarm

SCHEMA_VERSION = 1


def of_snapshot(snapshot: Snapshot) -> list[bytes]:
    """A snapshot's events: it is there (or held), why so many clusters, and what became of each cluster."""
    labels = {cluster.id: cluster.label for cluster in snapshot.clusters}
    found: list[dict[str, Any]] = [
        {
            "kind": "held" if snapshot.held else "published",
            "clusters": len(snapshot.clusters),
            "why_so_many": snapshot.choice.reason if snapshot.choice else None,
            "share_moved": snapshot.preview.share_moved if snapshot.preview else None,
            "revenue_moved": snapshot.preview.revenue_moved if snapshot.preview else None,
        }
    ]
    found += [
        {
            "kind": one.kind,
            "from": [f"cluster-{i}" for i in one.from_ids],
            "to": [f"cluster-{i}" for i in one.to_ids],
            "overlap": one.overlap,
            "labels": [labels[i] for i in one.to_ids if i in labels],
        }
        for one in snapshot.lineage
    ]
    head = {
        "schema_version": SCHEMA_VERSION,
        "model": digest(snapshot),
        "version": snapshot.version,
        "at": iso(snapshot.as_of_ms),
    }
    return [orjson.dumps(head | one) for one in found]


def of_drift(alarm: Alarm, model: str | None) -> bytes:
    """A drift: what moved, furthest first."""
    moved = [
        {"series": series, "change": change, "usual": usual, "deviations": deviations}
        for series, change, usual, deviations in alarm.moved
    ]
    head = {"schema_version": SCHEMA_VERSION, "model": model, "at": iso(alarm.as_of_ms)}
    return orjson.dumps(head | {"kind": "drift", "moved": moved})
