"""What may not grow: every collection of a worker, with its bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream.kafka.log import READERS_MAX
from stream.worker import inputs, markers, partition
from tests.simulation.memory_feed import FETCH_RECORDS_MAX

if TYPE_CHECKING:
    from stream.worker.partition import Partition
    from tests.simulation.process import Process

ENTRIES_A_TURN = 3  # a batch, a tick, a rejudge: what a turn adds to what _drain left
CUSTOMERS_MAX = 64  # of a simulated table
PARTITIONS_AT_ONCE = 4  # recovering, for which READERS_MAX makes room


@dataclass(frozen=True, slots=True)
class Bound:
    """A collection, its size, and what it may be."""

    name: str
    size: Callable[[Process, Any], int]
    limit: Callable[[], int]


def _unacked_max() -> int:
    return partition.UNACKED_MAX + ENTRIES_A_TURN


def _largest(owner: Any, size: Callable[[Any], int]) -> int:
    return max((size(entry) for entry in owner.inputs.by_kind.values()), default=0)


def _waited_for(_: Process, owner: Any) -> int:
    return max(len(owner._before_draft), len(owner._dead_before_draft))


def _decoded(entry: Any) -> int:
    return sum(int((chunk.columns.rows["record"] >= chunk.done).sum()) for chunk in entry.chunks)


def _buffer_max() -> int:
    return inputs.BUFFER_RECORDS_MAX - 1 + FETCH_RECORDS_MAX


BOUNDS = (
    Bound("records of an input, read and not applied", lambda _, o: _largest(o, lambda e: e.waiting), _buffer_max),
    Bound("fetches of an input, not applied whole", lambda _, o: _largest(o, lambda e: len(e.chunks)), _buffer_max),
    Bound("events decoded of an input", lambda _, o: _largest(o, _decoded), _buffer_max),
    Bound("publications without an ack", lambda _, o: len(o._unacked), _unacked_max),
    Bound("acks that a checkpoint waits for", _waited_for, _unacked_max),
    Bound(
        "positions kept to be forgotten",
        lambda _, o: len(o._cycle.kept),
        lambda: markers.KEPT_MAX,
    ),
    Bound("customers of a replica", lambda _, o: o.replica.customers, lambda: CUSTOMERS_MAX),
    Bound("ranges read at once", lambda p, _: p.reading, lambda: READERS_MAX // PARTITIONS_AT_ONCE),
)


class Peaks:
    """The largest size of each that was seen, with its limit."""

    def __init__(self) -> None:
        self.sizes = [0] * len(BOUNDS)
        self.limits = [bound.limit() for bound in BOUNDS]

    def look(self, process: Process, owners: list[Partition]) -> None:
        """Measure a worker's partitions."""
        for owner in owners:
            for i, bound in enumerate(BOUNDS):
                size = bound.size(process, owner)
                self.sizes[i] = max(self.sizes[i], size)

    def exceeded(self) -> list[str]:
        """What grew beyond its bound."""
        return [
            f"{bound.name}: {size} of {limit}"
            for bound, size, limit in zip(BOUNDS, self.sizes, self.limits, strict=True)
            if size > limit
        ]
