"""A partition as it stands now: its checkpoint and the journal after it, executed in memory beside live workers.

It reads and never writes, with readers of its own and without a group, as verification does. What it says is what the
worker has, by the same functions, as of the journal's end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream.errors import SegstreamError
from stream.kafka.partitioner import partition_of
from stream.worker.checkpoint import restore
from stream.worker.markers import newest_marker
from stream.worker.recovery import JournalReader, read_inputs, refuse_foreign
from stream.worker.replica import Replica, rule_of
from stream.worker.verification import JOURNAL

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.worker.documents import Documents
    from stream.worker.log import Log


async def standing(log: Log, settings: Settings, partition: int, documents: Documents) -> Replica:
    """A replica of the partition at the end of its journal; no adoption is pending in it.

    Raises
    ------
    SegstreamError : nothing was ever judged there, or records that are needed are gone.
    """
    _, end = await log.bounds(JOURNAL, partition, committed=False)
    replica = Replica(partition, rule_of(settings), documents.get, partition_of)
    marked = await newest_marker(log, partition)
    start, fingerprint = 0, replica.rule.fingerprint()
    if marked is not None:
        await restore(log, replica, marked, documents.get)
        start, fingerprint = marked.marker.journal_next, marked.marker.fingerprint
    reader = JournalReader(partition, replica.epoch, fingerprint)
    async for offset, entry in reader.entries(log, start, end):
        if entry is not None:
            refuse_foreign(replica, reader, entry)
            replica.execute(offset, entry, await read_inputs(log, replica, entry))
    await log.forget_readers()
    engine = replica.engine
    if engine is None:
        raise SegstreamError(f"partition {partition} has never been judged", "start a worker, and ask again")
    if replica.adopting:
        slots = np.arange(replica.cursor, len(engine.table))
        engine.sweep(slots[engine.table.names.occupied(slots)], engine.adoption.adopted_ms)
    return replica
