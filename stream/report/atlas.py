"""The clusters on a plane: the two directions in which sampled customers differ most; and personas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.clusters.shape import Snapshot
from models.definitions.document import CLUSTER
from stream.backtest.result import Outcome, Result
from stream.personas import values

DIGITS = 2  # of a place on the plane: a thousandth of its width
AXIS_FEATURES = 2  # that an axis is named by


def clusters(result: Result) -> dict[str, Any] | None:
    """Points [x, y, place in `names`], prototypes and personas; None without a model or a dimension of clusters."""
    outcome = result.variants[0]
    places = [d for d, one in enumerate(outcome.definitions.dimensions) if one.kind == CLUSTER]
    if not places or not outcome.models or not outcome.models[-1].clusters or result.calendar is None:
        return None
    model = outcome.models[-1]
    sampled = result.calendar.vectors
    if not len(sampled.vectors):
        return None
    scaled = np.clip((sampled.vectors - model.center) / np.array(model.scale), -model.clip, model.clip)
    middle, axes = _axes(scaled)
    told = values(model)
    wordings = {item["feature"]: item["name"] for one in told["personas"] for item in one["typical"]}
    codes = sampled.codes[:, places[0]] - outcome.codes.first[places[0]]
    return {
        "dimension": outcome.dimensions[places[0]],
        "customers": len(scaled),
        "points": _points((scaled - middle) @ axes, codes, outcome, places[0]),
        "prototypes": _prototypes(model, middle, axes),
        "axes": [_axis(axes[:, i], model, wordings) for i in range(2)],
        "personas": told["personas"],
        "choice": told["choice"],
        "model": told["model"],
        "as_of": told["as_of"],
    }


def _axes(scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, and the first two principal axes [features, 2]; the largest part of each points to the positive."""
    middle = scaled.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(scaled - middle, rowvar=False))
    axes = vectors[:, ::-1][:, :2]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return middle, axes * np.where(signs == 0, 1.0, signs)


def _points(plane: NDArray[np.float64], codes: NDArray[np.int64], outcome: Outcome, d: int) -> dict[str, Any]:
    names = outcome.names(d)
    rounded = np.round(plane, DIGITS) + 0.0  # no minus zero
    return {
        names[code]: rounded[codes == code].tolist() for code in np.unique(np.clip(codes, 0, len(names) - 1)).tolist()
    }


def _prototypes(model: Snapshot, middle: NDArray[np.float64], axes: NDArray[np.float64]) -> list[dict[str, Any]]:
    plane = np.round((np.array([one.prototype for one in model.clusters]) - middle) @ axes, DIGITS) + 0.0
    return [
        {"name": f"cluster-{one.id}", "label": one.label, "at": at}
        for one, at in zip(model.clusters, plane.tolist(), strict=True)
    ]


def _axis(axis: NDArray[np.float64], model: Snapshot, wordings: dict[str, str]) -> str:
    """Which features make an axis, most of all first."""
    order = np.argsort(-np.abs(axis), kind="stable")[:AXIS_FEATURES]
    parts = [f"{'↑' if axis[j] > 0 else '↓'} {wordings.get(model.features[j], model.features[j])}" for j in order]
    return ", ".join(parts)
