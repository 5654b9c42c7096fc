"""Scratch memory of the kernel, allocated once, and the rules it applies, as one argument."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import records
from models.customers.row import ANSWERS_MAX, CATEGORIES_MAX, ROW
from models.definitions.compile import STACK_MAX, Plan
from models.definitions.language import SEGMENTS_MAX, TERMS_MAX
from models.events import ATTRIBUTES_MAX
from models.features.catalogue import CLUSTER_FEATURES

# Positions in `counters`.
SEQ, DUPLICATES, LATE_EVENTS, SUPPRESSED, DECISIONS, DEPARTURES, HELD = range(7)
COUNTERS = 8  # the seven above, and room
DEPARTED_MAX = 4096  # customers who leave in one call of the kernel: as many as a tick looks at


class Rules(NamedTuple):
    """What rows are judged by: compiled definitions and a model record array of length 1."""

    plan: Plan
    model: NDArray[np.void]
    retention_ms: int  # of silence, after which a customer leaves; 0: never


class Adoption(NamedTuple):
    """The latest change of rules: rows of an older generation are judged anew when touched."""

    generation: int
    adopted_ms: int  # the stream time of the adoption: rows are settled under the old rules until then
    trigger: int  # MODEL or DEFINITION
    dimension_from: NDArray[np.int64]  # for each dimension its place before, -1: new
    replaced: NDArray[np.bool_]  # for each dimension whether only its name is as before: rules now, or clusters
    removed: NDArray[np.int64]  # places before of the dimensions that are no more
    segment_from: NDArray[np.int64]  # [dimension, old code] -> code
    attribute_from: NDArray[np.int64]  # for each attribute place its place before, -1: new
    category_from: NDArray[np.int64]  # for each category place its place before, -1: new


class Workspace(NamedTuple):
    """Arrays the kernel writes while it thinks; nothing in them but `departed` outlives a decision."""

    values: NDArray[np.float64]
    truth: NDArray[np.bool_]
    values_before: NDArray[np.float64]
    truth_before: NDArray[np.bool_]
    values_ahead: NDArray[np.float64]
    truth_ahead: NDArray[np.bool_]
    stack: NDArray[np.bool_]
    raw: NDArray[np.float64]
    raw_before: NDArray[np.float64]
    z: NDArray[np.float64]
    previous: Any  # ROW record array of length 1: the row before the event
    empty: Any  # ROW record array of length 1: nobody
    departed: NDArray[np.int64]  # how many customers left, then their slots: for the engine to take out


def workspace() -> Workspace:
    """Fresh scratch memory."""
    flags = [np.zeros(TERMS_MAX, np.bool_) for _ in range(3)]
    numbers = [np.zeros(TERMS_MAX, np.float64) for _ in range(3)]
    width = len(CLUSTER_FEATURES)
    return Workspace(
        values=numbers[0],
        truth=flags[0],
        values_before=numbers[1],
        truth_before=flags[1],
        values_ahead=numbers[2],
        truth_ahead=flags[2],
        stack=np.zeros(STACK_MAX, np.bool_),
        raw=np.zeros(width),
        raw_before=np.zeros(width),
        z=np.zeros(width),
        previous=records(np.zeros(1, ROW)),
        empty=records(np.zeros(1, ROW)),
        departed=np.zeros(1 + DEPARTED_MAX, np.int64),
    )


def first_adoption() -> Adoption:
    """The adoption before any: generation 0, nothing to map."""
    return Adoption(
        0,
        0,
        0,
        np.arange(ANSWERS_MAX, dtype=np.int64),
        np.zeros(ANSWERS_MAX, np.bool_),
        np.zeros(0, np.int64),
        np.tile(np.arange(SEGMENTS_MAX + 1, dtype=np.int64), (ANSWERS_MAX, 1)),
        np.arange(ATTRIBUTES_MAX, dtype=np.int64),
        np.arange(CATEGORIES_MAX, dtype=np.int64),
    )
