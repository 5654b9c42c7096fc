"""Over-segmentation: what past events show of a document that is valid. Segments too small, too many, or the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.definitions.analysis.remarks import WARNING, Remark
from models.definitions.document import CLUSTER, Definitions
from models.health import OVERLAP_TOLD, SUBSTANTIAL_MIN, DimensionHealth, Health

SHARE_MIN = SUBSTANTIAL_MIN
SEGMENTS_MAX = 11  # the usual RFM with those without an order: more are in no common use
OVERLAP_MAX = 0.9  # of ten customers in either, nine in both: one name would do
OVERLAP_LEAST = OVERLAP_TOLD  # pairs below are not counted


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on segments are too many.

    Attributes
    ----------
    share_min : the share of the customers that is in a segment: below, no campaign pays for itself.
    segments_max : with somebody in them, in one dimension.
    overlap_max : of the customers in either of two segments, those in both (Jaccard); of two dimensions Cramer's V.
    """

    share_min: float = SHARE_MIN
    segments_max: int = SEGMENTS_MAX
    overlap_max: float = OVERLAP_MAX


def over_segmented(definitions: Definitions, health: Health, limits: Limits) -> list[Remark]:
    """What of the definitions is beyond the limits; clusters are the trainer's own business."""
    paths = {
        (dimension.name, segment.name): dimension.segment_path(i)
        for dimension in definitions.dimensions
        for i, segment in enumerate(dimension.segments)
    }
    ruled = {dimension.name: dimension.path for dimension in definitions.dimensions if dimension.kind != CLUSTER}
    found = [
        remark
        for one in health.dimensions
        if one.dimension in ruled
        for remark in _of_dimension(one, ruled[one.dimension], health.customers, limits, paths)
    ]
    for pair in health.overlaps:
        if pair.jaccard > limits.overlap_max and pair.second in paths and pair.first in paths:
            first, second = (": ".join(place) for place in (pair.first, pair.second))
            problem = f"{second} is much the same as {first}: {pair.jaccard:.0%} of the customers in either are in both"
            found.append(Remark(paths[pair.second], WARNING, "overlap", problem))
    for two in health.likeness:
        if two.cramers_v > limits.overlap_max and {two.first, two.second} <= ruled.keys():
            problem = f"says much the same as {two.first}: Cramer's V is {two.cramers_v:.2f}"
            found.append(Remark(ruled[two.second], WARNING, "alike", problem))
    return found


def _of_dimension(
    health: DimensionHealth, path: str, customers: int, limits: Limits, paths: dict[tuple[str, str], str]
) -> Iterator[Remark]:
    for one in health.segments:
        place = paths.get((health.dimension, one.segment))
        if place is not None and one.share < limits.share_min:
            held = f"{one.customers:,} of {customers:,} customers"
            problem = f"{one.segment!r} holds {held}: {one.share:.2%}, below {limits.share_min:.2%}"
            yield Remark(place, WARNING, "small", problem)
    populated = sum(1 for one in health.segments if one.customers and (health.dimension, one.segment) in paths)
    if populated > limits.segments_max:
        problem = f"{populated} segments have somebody in them, more than {limits.segments_max}"
        yield Remark(path, WARNING, "many", problem)
