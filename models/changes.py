"""CHANGE: one customer, one dimension, from one segment to another, and why, as the kernel writes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

EVENT_TRIGGER, SILENCE, LATE, MERGE, MODEL, DEFINITION = range(6)
TRIGGERS = ("event", "silence", "late", "merge", "model", "definition")

REASONS_MAX = 3  # more are not read, and a change stays under 1 KB

CHANGE = np.dtype(
    [
        ("seq", "i8"),  # the partition's running number of changes
        ("previous_seq", "i8"),  # this customer's change before; 0: none
        ("slot", "i8"),
        ("dimension", "i8"),  # its place; of one that was removed: among those before
        ("previous", "i8"),  # segment codes; for clusters the cluster ids; OF_BEFORE more: among those before
        ("segment", "i8"),  # LEFT, REMOVED: none, and none follows
        ("trigger", "i8"),
        ("event", "i8"),  # index of the event in its entry, -1 for none
        ("occurred_ms", "i8"),
        ("decided_ms", "i8"),
        ("confidence", "f8"),
        ("margin", "f8"),  # relative distance to the nearest border; for clusters the same as confidence
        ("runner_up", "i8"),
        ("reason", "i8", (REASONS_MAX,)),  # term numbers (clusters: feature numbers), -1 for none
        ("reason_before", "f8", (REASONS_MAX,)),
        ("reason_after", "f8", (REASONS_MAX,)),
        ("contribution", "f8", (REASONS_MAX,)),  # clusters: how much each feature moved the distance
        ("counter_term", "i8"),  # the comparison nearest to flipping into another segment, -1 for none
        ("counter_value", "f8"),
        ("valid_until_ms", "i8"),
        ("next_segment", "i8"),  # code; -1: unknown or none
        ("generation", "i8"),  # the adoption whose names apply
    ],
    align=True,
)


class Change(NamedTuple):
    """A CHANGE record taken out of the array: the same fields in the same order, as Python numbers."""

    seq: int
    previous_seq: int
    slot: int
    dimension: int
    previous: int
    segment: int
    trigger: int
    event: int
    occurred_ms: int
    decided_ms: int
    confidence: float
    margin: float
    runner_up: int
    reason: list[int]
    reason_before: list[float]
    reason_after: list[float]
    contribution: list[float]
    counter_term: int
    counter_value: float
    valid_until_ms: int
    next_segment: int
    generation: int
