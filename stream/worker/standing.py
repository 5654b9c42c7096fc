"""A partition as it stands now: its checkpoint and the journal after it, executed in memory beside live workers.

It reads and never writes, with readers of its own and without a group, as verification does. What it says is what the
worker has, by the same functions, as of the journal's end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream.errors import SegstreamError
from stream.kafka.partitioner import partition_of
from stream.worker.checkpoint import restore
from stream.worker.markers import newest_marker
from stream.worker.recovery import JournalReader, read_inputs, refuse_foreign
from stream.worker.replica import Replica, rule_of
from stream.worker.verification import JOURNAL, documents_of

if TYPE_CHECKING:
    from models.engine import Judge
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


async def standing_of(log: Log, settings: Settings, customer_id: str) -> tuple[int, Any, Judge, dict[str, int]] | None:
    """(time, row, judge, warming categories) of one customer, None for nobody.

    The row is a record array of length 1, settled up to that time.
    """
    partition = partition_of(customer_id, settings.partitions)
    replica = await standing(log, settings, partition, await documents_of(log, settings))
    engine = replica.engine
    slot = engine.table.find(customer_id) if engine is not None else -1
    if engine is None or slot < 0:
        return None
    engine.sweep(np.array([slot]), replica.stream_ms)  # as the next tick would
    row = engine.table.rows[slot : slot + 1].copy()
    if not row["first_ms"][0]:
        return None
    return max(replica.stream_ms, int(row["decided_ms"][0])), row.view(np.recarray), engine.judge, engine.warming
