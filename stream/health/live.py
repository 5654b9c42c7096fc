"""A live system as the arrays of a run: the rows of its partitions now, and the changes of it that are still kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.changes import CHANGE, TRIGGERS
from models.definitions.document import CLUSTER
from models.engine import UNASSIGNED, Engine
from stream.backtest.partition_run import Customers, customers_of
from stream.backtest.play import joined
from stream.backtest.result import Outcome
from stream.backtest.tally import Tally, Totals, codes_of
from stream.codec import plain_json
from stream.errors import SegstreamError
from stream.kafka.log import KafkaLog
from stream.worker.standing import standing
from stream.worker.verification import CHANGES, documents_of

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.worker.log import Log

NO_ARRAY = np.zeros((0, 0), np.int32)


async def standing_of(settings: Settings) -> tuple[Customers, Outcome, int, int]:
    """(customers, outcome, time of the oldest change that is kept, stream time) over all partitions.

    Raises
    ------
    SegstreamError : a partition was never judged, or workers are adopting new definitions just now.
    """
    log = KafkaLog(settings)
    try:
        return await standing_in(log, settings)
    finally:
        await log.stop()


async def standing_in(log: Log, settings: Settings) -> tuple[Customers, Outcome, int, int]:
    """As `standing_of`, in any log."""
    documents = await documents_of(log, settings)
    starts = [await _first_ms(log, partition) for partition in range(settings.partitions)]
    replicas, totals = [], []
    for partition in range(settings.partitions):
        replica = await standing(log, settings, partition, documents)
        replicas.append(replica)
        assert replica.engine is not None  # noqa: S101 - standing has checked it; for the type checker
        first_ms = min([start for start in starts if start] or [replica.stream_ms])
        totals.append(await _tallied(log, partition, replica.engine, first_ms))
    engines = [replica.engine for replica in replicas if replica.engine is not None]
    if len({engine.judge.definitions.digest for engine in engines}) > 1:
        raise SegstreamError("partitions are judged by different definitions", "an adoption is under way: ask again")
    customers = joined([customers_of([engine], partition) for partition, engine in enumerate(engines)])
    last_ms = max(replica.stream_ms for replica in replicas)
    first_ms = min([start for start in starts if start] or [last_ms])
    return customers, _outcome(engines, customers, totals), first_ms, last_ms


def _outcome(engines: Sequence[Engine], customers: Customers, totals: list[Totals]) -> Outcome:
    judge, whole = engines[0].judge, totals[0]
    for other in totals[1:]:
        whole = whole.add(other)
    return Outcome(
        definitions=judge.definitions,
        models=[judge.snapshot] if judge.snapshot else [],
        codes=codes_of(judge.definitions),
        totals=whole,
        digest="",
        counters=np.sum([engine.counters for engine in engines], axis=0),
        segments=customers.segments[0],
        since_ms=customers.since_ms[0],
        entered=NO_ARRAY,
        latest=NO_ARRAY,
    )


async def _first_ms(log: Log, partition: int) -> int:
    """When the oldest change that is kept was decided; 0 where none is."""
    async for change in _changes(log, partition):
        return _ms(change["decided_at"])
    return 0


async def _changes(log: Log, partition: int) -> AsyncIterator[dict[str, Any]]:
    """Each published change once, in order: copies have a `seq` that was there."""
    first, end = await log.bounds(CHANGES, partition, committed=False)
    newest = 0
    async for records in log.read(CHANGES, partition, first, end, committed=False):
        for record in records:
            change: dict[str, Any] = plain_json.decode(record.value)
            if change["seq"] > newest:
                newest = change["seq"]
                yield change


async def _tallied(log: Log, partition: int, engine: Engine, first_ms: int) -> Totals:
    """What the kept changes add up to, in the numbers of the definitions in force."""
    reading = _Reading(engine)
    tally = Tally(engine.judge.definitions, first_ms, keep_entries=False)
    held: list[tuple[int, ...]] = []
    async for change in _changes(log, partition):
        coded = reading.coded(change, first_ms)
        if coded is not None:
            held.append(coded)
        if len(held) >= ROWS_HELD_MAX:
            tally.add(_records(held), reading.slots)
            held.clear()
    tally.add(_records(held), reading.slots)
    return tally.totals


ROWS_HELD_MAX = 50_000  # changes counted at a time: some megabytes
_FIELDS = ("slot", "dimension", "previous", "segment", "trigger", "decided_ms")


def _records(coded: list[tuple[int, ...]]) -> NDArray[np.void]:
    found = np.zeros(len(coded), CHANGE)
    for name, column in zip(_FIELDS, zip(*coded, strict=True), strict=False):
        found[name] = column
    return found


@dataclass(slots=True)
class _Reading:
    """Published names back into numbers; who has left since has a number beyond the table's."""

    engine: Engine
    slots: int = 0
    _codes: dict[str, tuple[int, dict[str, int]]] = field(default_factory=dict)
    _left: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.slots = len(self.engine.table)
        for d, dimension in enumerate(self.engine.judge.definitions.dimensions):
            names = {segment.name: code for code, segment in enumerate(dimension.segments, 1)}
            self._codes[dimension.name] = d, ({} if dimension.kind == CLUSTER else names)

    def coded(self, change: dict[str, Any], first_ms: int) -> tuple[int, ...] | None:
        """The change by `_FIELDS`; None for a dimension that is no more."""
        place = self._codes.get(change["dimension"])
        if place is None:
            return None
        d, names = place
        slot = self.engine.table.find(change["customer_id"])
        if slot < 0:
            slot = self._left.setdefault(change["customer_id"], len(self.engine.table) + len(self._left))
            self.slots = max(self.slots, slot + 1)
        trigger = change["trigger"]["kind"]
        return (
            slot,
            d,
            _code(change["previous_segment"], names),
            _code(change["segment"], names),
            TRIGGERS.index(trigger) if trigger in TRIGGERS else 0,
            max(_ms(change["decided_at"]), first_ms),
        )


def _code(name: str | None, names: dict[str, int]) -> int:
    """0 for none, for a segment that is no more, and for the unassigned of clusters."""
    if name is None or name == UNASSIGNED:
        return 0
    return int(name.removeprefix("cluster-")) if name.startswith("cluster-") else names.get(name, 0)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
