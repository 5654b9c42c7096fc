"""Customers by the million, put into a broker as a checkpoint: written by the worker's own draft, read by its recovery.

Some thousand customers really lived; the others repeat their rows under other ids. Nothing else is made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.engine import Engine
from stream.bench.rehearsal import Rehearsal, fetches_of, snapshot_of
from stream.bench.stream_of_events import Load
from stream.clock import wall_ms
from stream.kafka.log import KafkaLog
from stream.kafka.partitioner import partition_of
from stream.worker.checkpoint import Cycle, Draft
from stream.worker.replica import Replica, rule_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.clusters.snapshot import Snapshot
    from stream.settings import Settings

LIVED_CUSTOMERS = 20_000  # as many as have a past of their own: drawing it takes seconds


class Population:
    """Customers with a past, and the model that judges them."""

    def __init__(self, customers: int, seed: int = 7) -> None:
        self.customers = customers
        self._load = Load(LIVED_CUSTOMERS, min(LIVED_CUSTOMERS, customers), seed)
        self.snapshot: Snapshot = snapshot_of(self._load)
        self._lived = Rehearsal(self.snapshot)
        for warm_up in (True, False):
            self._lived.run(fetches_of(self._load, warm_up=warm_up))

    @property
    def now_ms(self) -> int:
        """The event time up to which they have lived."""
        return self._lived.replica.stream_ms

    async def checkpoint(self, settings: Settings) -> None:
        """Write the first checkpoint of every partition; the journal is empty, so that it stands for everything."""
        ids = [f"c{number:07d}" for number in range(self.customers)]
        partitions = np.array([partition_of(customer_id, settings.partitions) for customer_id in ids])
        log = KafkaLog(settings)
        try:
            for partition in range(settings.partitions):
                mine = np.flatnonzero(partitions == partition)
                replica = self.replica(partition, settings, mine, [ids[number] for number in mine.tolist()])
                await _write(log, replica)
        finally:
            await log.stop()

    def replica(self, partition: int, settings: Settings, numbers: NDArray[np.int64], ids: list[str]) -> Replica:
        """A partition that holds these customers, by number, under these ids."""
        lived = self._lived.engine
        engine = Engine(lived.judge, max(len(ids), 1))
        engine.older, engine.adoption = lived.older, lived.adoption
        engine.counters[:] = lived.counters
        places = numbers % len(lived.table)
        engine.table.load(np.arange(len(ids)), lived.table.rows[places], lived.table.due_ms[places], ids)
        engine.table.loaded()
        replica = Replica(partition, rule_of(settings), lambda _: None, partition_of)
        replica.engine, replica.cursor, replica.stream_ms = engine, len(ids), self.now_ms
        return replica


async def _write(log: KafkaLog, replica: Replica) -> None:
    if replica.engine is None:
        raise AssertionError("it was made with customers")
    replica.engine.table.dirty[: replica.customers] = True  # a first checkpoint has them all
    draft = Draft(replica, Cycle(), 0, wall_ms())
    while not draft.advance():
        pass
    transactions = await log.transactions(f"state-{replica.partition}", replica.partition)
    try:
        await transactions.write([("segment-state", list(draft.state_records(0)))])
    finally:
        await transactions.close()
