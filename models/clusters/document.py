"""A snapshot as plain JSON values and back: types first, then the limits of `shape.check`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from models.clusters.choice import Choice
from models.clusters.parts import build, plain
from models.clusters.preview import Preview
from models.clusters.shape import (
    CUT_COUNTS,
    TRANSITION_KINDS,
    Cluster,
    Persona,
    Snapshot,
    Stay,
    Transition,
    check,
)

DOCUMENT_VERSION = 1  # of the JSON shape; raise it when a field changes meaning
ACCOUNT: Mapping[str, Any] = {  # optional, absent at its default, so that older documents keep their digests
    "personas": tuple[Persona, ...],
    "choice": Choice,
    "preview": Preview,
    "held": bool,
    "stays": tuple[Stay, ...],
    "reach_radii": float,
}


def to_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return the snapshot as plain JSON values (dicts, lists, strings, numbers)."""
    account = {name: plain(getattr(snapshot, name)) for name in ACCOUNT if getattr(snapshot, name)}
    return account | {
        "document_version": DOCUMENT_VERSION,
        "version": snapshot.version,
        "features": list(snapshot.features),
        "center": _floats(snapshot.center),
        "scale": _floats(snapshot.scale),
        "clip": float(snapshot.clip),
        "clusters": [_cluster_document(cluster) for cluster in snapshot.clusters],
        "cuts": {name: _floats(snapshot.cuts[name]) for name in CUT_COUNTS if name in snapshot.cuts},
        "as_of_ms": snapshot.as_of_ms,
        "vector_count": snapshot.vector_count,
        "lineage": [
            {
                "kind": t.kind,
                "from_ids": list(t.from_ids),
                "to_ids": list(t.to_ids),
                "overlap": float(t.overlap),
            }
            for t in snapshot.lineage
        ],
        "seed": snapshot.seed,
        "learner": snapshot.learner,
        "next_id": snapshot.next_id,
    }


def _cluster_document(cluster: Cluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "prototype": _floats(cluster.prototype),
        "share": float(cluster.share),
        "radius": float(cluster.radius),
        "label": cluster.label,
    }


def _floats(values: tuple[float, ...]) -> list[float]:
    return [float(value) for value in values]  # 1 and 1.0 are one number but two texts, hence two digests


def digest(snapshot: Snapshot) -> str:
    """Return the snapshot's name: the first 16 hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(to_document(snapshot), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def from_document(document: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot a document describes; unknown fields are ignored.

    Raises ValueError naming the field and the cause when anything is missing, of the wrong type or out of
    bounds.
    """
    if _integer(document, "document_version") != DOCUMENT_VERSION:
        found = document["document_version"]
        raise _error(f"document_version {found} is not {DOCUMENT_VERSION}: written by another version of the program")
    return check(
        Snapshot(
            version=_integer(document, "version"),
            features=tuple(_strings(document, "features")),
            center=_numbers(document, "center"),
            scale=_numbers(document, "scale"),
            clip=_number(document, "clip"),
            clusters=tuple(_cluster(item) for item in _list(document, "clusters")),
            cuts={str(name): _numbers(_mapping(document, "cuts"), name) for name in _mapping(document, "cuts")},
            as_of_ms=_integer(document, "as_of_ms"),
            vector_count=_integer(document, "vector_count"),
            lineage=tuple(_transition(item) for item in _list(document, "lineage")),
            seed=_integer(document, "seed"),
            learner=_string(document, "learner"),
            next_id=_integer(document, "next_id"),
            **{name: build(kind, document[name], name) for name, kind in ACCOUNT.items() if name in document},
        )
    )


def _cluster(item: object) -> Cluster:
    fields = _object(item, "clusters")
    return Cluster(
        id=_integer(fields, "id"),
        prototype=_numbers(fields, "prototype"),
        share=_number(fields, "share"),
        radius=_number(fields, "radius"),
        label=_string(fields, "label"),
    )


def _transition(item: object) -> Transition:
    fields = _object(item, "lineage")
    kind = _string(fields, "kind")
    if kind not in TRANSITION_KINDS:
        raise _error(f"lineage: unknown kind {kind!r}")
    return Transition(
        kind=kind,
        from_ids=tuple(_whole(value, "from_ids") for value in _list(fields, "from_ids")),
        to_ids=tuple(_whole(value, "to_ids") for value in _list(fields, "to_ids")),
        overlap=_number(fields, "overlap"),
    )


def _field(document: Mapping[str, Any], name: str) -> object:
    if name not in document:
        raise _error(f"{name} is missing")
    return document[name]


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _error(f"{name}: expected an object, found {type(value).__name__}")
    return value


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _object(_field(document, name), name)


def _list(document: Mapping[str, Any], name: str) -> list[object]:
    value = _field(document, name)
    if not isinstance(value, (list, tuple)):
        raise _error(f"{name}: expected a list, found {type(value).__name__}")
    return list(value)


def _string(document: Mapping[str, Any], name: str) -> str:
    value = _field(document, name)
    if not isinstance(value, str):
        raise _error(f"{name}: expected text, found {type(value).__name__}")
    return value


def _strings(document: Mapping[str, Any], name: str) -> list[str]:
    values = _list(document, name)
    return [_string({name: value}, name) for value in values]


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _error(f"{name}: expected a whole number, found {type(value).__name__}")
    if not -(2**63) <= value < 2**63:
        raise _error(f"{name}: {value} does not fit in 64 bits")
    return value


def _integer(document: Mapping[str, Any], name: str) -> int:
    return _whole(_field(document, name), name)


def _real(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _error(f"{name}: expected a number, found {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise _error(f"{name}: a number is not finite") from None


def _number(document: Mapping[str, Any], name: str) -> float:
    return _real(_field(document, name), name)


def _numbers(document: Mapping[str, Any], name: str) -> tuple[float, ...]:
    return tuple(_real(value, name) for value in _list(document, name))


def _error(cause: str) -> ValueError:
    return ValueError(f"model snapshot: {cause}")
