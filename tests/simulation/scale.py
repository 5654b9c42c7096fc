"""The same program with smaller numbers: what takes a million customers or a day is reached by a handful in a second.

And what runs of one process share: compiled judges and decoded documents, which nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from models import engine
from models.clusters.snapshot import Snapshot
from models.definitions.document import Definitions
from models.engine import Judge, judge_of
from stream.codec.definitions import decode_model
from stream.codec.enactments import decode_record
from stream.worker import checkpoint, documents, host, inputs, markers, partition, replica
from tests.simulation.documents import load

_judges: dict[tuple[str, int, int], Judge] = {}


def _judge_of(definitions: Definitions, snapshot: Snapshot | None, retention_ms: int = 0) -> Judge:
    key = (definitions.digest, snapshot.version if snapshot else 0, retention_ms)
    if key not in _judges:
        _judges[key] = judge_of(definitions, snapshot, retention_ms)
    return _judges[key]


SCALED: tuple[tuple[Any, str, Any], ...] = (
    (checkpoint.Draft, "rows_at_once", 2),  # entries come between the slices of a copy
    (checkpoint, "ROWS_PER_RECORD", 3),  # a checkpoint has several records of rows
    (markers, "TAIL_RECORDS", 2),  # the last marker is looked for in several steps
    (checkpoint, "SLICES", 2),  # whole cycles pass, and state is deleted
    (markers, "KEPT_MS", 600),  # journal and state are deleted in a run
    (markers, "KEPT_MAX", 7),  # markers thin out
    (partition, "UNACKED_MAX", 3),  # reached when acks are slow
    (partition, "TICK_LIMIT", 3),  # a tick leaves customers who are due
    (partition, "REJUDGE_ROWS", 3),  # events come in the middle of an adoption
    (partition, "PASS_SECONDS", 0.2),  # inputs that end in what holds no records are passed by before a run ends
    (inputs, "BUFFER_RECORDS_MAX", 5),  # fetching pauses
    (host, "GATHER_SECONDS", 0.004),  # more polls between two faults
    (engine, "CHANGES_MAX", 64),  # the kernel is left and entered again
    (host, "load", load),
    (replica, "judge_of", _judge_of),
    (checkpoint, "judge_of", _judge_of),
    (documents, "judge_of", _judge_of),
    (documents, "decode_record", cache(decode_record)),
    (documents, "decode_model", cache(decode_model)),
)


@contextmanager
def scaled_down() -> Iterator[None]:
    """The numbers above while it lasts."""
    before = [(place, name, getattr(place, name)) for place, name, _ in SCALED]
    for place, name, value in SCALED:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)
