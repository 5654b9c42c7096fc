"""Rolling checkpoints: changed rows and the next slice of all rows, with a marker, in one transaction.

A recovery needs the records from the oldest slice of the last whole cycle on; the marker says where that is, so the
log behind it can be deleted and nothing is ever compacted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.clusters.snapshot import Snapshot
from models.customers.names import Packed, pack
from models.customers.row import ROW, ROW_VERSION
from models.customers.table import Copy, whole
from models.customers.upgrade import LAYOUTS, Homes, upgraded
from models.definitions.document import Definitions
from models.engine import Engine, adoption_between, judge_of
from stream.codec import state
from stream.codec.documents import encode_checkpoint_mark
from stream.codec.membership_bytes import MembershipBytes
from stream.codec.state import CHECKPOINT_KEY, MARKER_KEY, ROWS_KEY, Kept, Marker, Rows
from stream.errors import SegstreamError
from stream.worker.log import Keyed, Log
from stream.worker.markers import Marked, thinned
from stream.worker.replica import Replica

SLICES = 16  # checkpoints to write every row once: more makes each cheaper and a recovery longer
ROWS_PER_RECORD = 1200  # about 850 KB: under the 900 KB that a record may have
MEMBERSHIPS_AT_ONCE = 256  # written between two looks at the clock: a millisecond
COPY_ROWS = 4096  # copied at a time between batches: about half a millisecond


@dataclass(slots=True)
class Cycle:
    """How far the rolling has come, and what is kept of its past."""

    needed_from: int = -1
    started_at: int = -1
    customers: int = 0
    part: int = 0  # slices of this cycle that have been written
    kept: list[Kept] = field(default_factory=list)  # markers that can be gone back to, at most KEPT_MAX

    def next_slice(self, customers: int) -> slice:
        """The slots that the next checkpoint carries besides the changed ones."""
        if self.part == 0:
            self.customers = customers
        step = -(-self.customers // SLICES)
        return slice(self.part * step, min((self.part + 1) * step, self.customers))

    def written(self, first_offset: int, marked: Marked) -> None:
        """A checkpoint whose first record has this offset was committed."""
        self.kept = thinned(marked.kept())
        if self.part == 0:
            self.started_at = first_offset
        self.part += 1
        if self.part >= SLICES:
            self.needed_from, self.part = self.started_at, 0


class Draft:
    """A checkpoint being prepared: marker and copy as of one batch boundary."""

    rows_at_once = COPY_ROWS

    def __init__(self, replica: Replica, cycle: Cycle, journal_next: int, wall_ms: int) -> None:
        engine = replica.engine
        if engine is None:
            raise ValueError("there is nothing to checkpoint before the first definitions")
        self.engine = engine
        self.partition = replica.partition
        self.judges = (engine.judge, engine.older)
        self.generation = engine.adoption.generation
        self.copy = Copy(engine.table, cycle.next_slice(len(engine.table)))
        engine.copy = self.copy
        self.seq = replica.seq
        self.departed, engine.departed = engine.departed, {}
        self.marker = Marker(
            row_version=ROW_VERSION,
            fingerprint=replica.rule.fingerprint(),
            journal_next=journal_next,
            epoch=replica.epoch,
            positions=dict(replica.positions),
            stream_ms=replica.stream_ms,
            counters=engine.counters.tolist(),
            customers=len(engine.table),
            definitions=engine.judge.definitions.digest,
            model=engine.judge.model,
            older_definitions=engine.older.definitions.digest,
            older_model=engine.older.model,
            generation=self.generation,
            adopted_ms=engine.adoption.adopted_ms,
            trigger=engine.adoption.trigger,
            cursor=replica.cursor,
            changes_next=0,
            needed_from=cycle.needed_from,
            wall_ms=wall_ms,
            kept=tuple(cycle.kept),
            part=cycle.part,
            part_customers=cycle.customers,
            part_from=cycle.started_at,
            warming=dict(engine.warming),
        )
        self.marker.row_records = -(-len(self.copy.slots) // ROWS_PER_RECORD)

    def advance(self) -> bool:
        """Copy some more rows; True when the copy is whole."""
        done = self.copy.advance(self.rows_at_once)
        if done:
            self.engine.copy = None
        return done

    def state_records(self, changes_next: int) -> Iterator[Keyed]:
        """What goes to segment-state: rows, then the marker."""
        self.marker.changes_next = changes_next
        copy = self.copy
        for start in range(0, len(copy.slots), ROWS_PER_RECORD):
            part = slice(start, start + ROWS_PER_RECORD)
            slots = copy.slots[part]
            names = copy.names(slots)
            packed = Rows(
                slots.astype("<i8").tobytes(),
                copy.due_ms[part].astype("<i8").tobytes(),
                copy.rows[part].tobytes(),
                names.text.tobytes(),
                names.sizes.astype("<u2").tobytes(),
                ROW_VERSION,
            )
            yield ROWS_KEY, state.encode(packed)
        yield MARKER_KEY, state.encode(self.marker)

    def membership_records(self, above_seq: int) -> Iterator[Keyed]:
        """Tombstones of those who left, memberships of the customers whose last change is above `above_seq`, then the
        checkpoint mark.
        """
        for customer_id in self.departed:  # first: those who came again have a membership after it
            yield customer_id.encode(), None
        rows: Any = self.copy.rows.view(np.recarray)
        changed = np.flatnonzero(rows.seq > above_seq)
        writer: MembershipBytes | None = None
        for judge, of_judge in self._by_judge(rows, changed):
            chosen: Any = whole(self.copy.rows)[of_judge].view(ROW)
            until, following = self.engine.outlook_of(chosen, judge)
            ids = self.copy.names(self.copy.slots[of_judge])
            if writer is None or writer.judge is not judge:
                writer = MembershipBytes(judge)
            yield from zip(ids.parts(), writer.write(chosen, ids, until, following), strict=True)
        yield CHECKPOINT_KEY, encode_checkpoint_mark(self.seq, self.marker.changes_next)

    def _by_judge(self, rows: Any, changed: Any) -> list[tuple[Any, Any]]:
        current = rows.generation[changed] == self.generation
        groups = [(self.judges[0], changed[current]), (self.judges[1], changed[~current])]
        return [
            (judge, places[start : start + MEMBERSHIPS_AT_ONCE])
            for judge, places in groups
            for start in range(0, len(places), MEMBERSHIPS_AT_ONCE)
        ]


async def restore(log: Log, replica: Replica, marked: Marked, document: Callable[[str], Any]) -> Cycle:
    """Put a checkpoint's rows and rules into an empty replica; returns how far the rolling had come."""
    marker = marked.marker
    if marker.row_version not in LAYOUTS:
        raise SegstreamError(
            f"the checkpoint of partition {replica.partition} has rows of layout {marker.row_version}, "
            f"this version reads {min(LAYOUTS)} to {max(LAYOUTS)}",
            "start the version that wrote it, or a newer one: see docs/operations.md, 'another row layout'",
        )

    def judge(definitions: str, model: str) -> Any:
        parsed: Definitions = document(definitions)
        snapshot: Snapshot | None = document(model) if model else None
        return judge_of(parsed, snapshot, replica.rule.retention_ms)

    engine = Engine(judge(marker.older_definitions, marker.older_model), replica.rule.customers_max)
    newer = judge(marker.definitions, marker.model)
    engine.older, engine.judge = engine.judge, newer
    if marker.generation:
        engine.adoption = adoption_between(
            engine.older.definitions, newer.definitions, marker.generation, marker.adopted_ms, marker.trigger
        )
    engine.warming = dict(marker.warming)
    homes = Homes(marker.generation, *(one.rules.plan.dimensions["place"] for one in (engine.judge, engine.older)))
    there = np.zeros(marker.customers, np.bool_)
    async for packed in _row_records(log, replica.partition, marked):
        slots = np.frombuffer(packed.slots, "<i8").copy()  # writable as all others: one compiled form reads them
        due_ms = np.frombuffer(packed.due_ms, "<i8")
        engine.table.load(slots, upgraded(packed.rows, packed.version, homes), due_ms, _names(packed))
        there[slots[slots < len(there)]] = True
    engine.table.loaded()
    if not there.all() or len(engine.table) != len(there):
        raise SegstreamError(
            f"the checkpoint of partition {replica.partition} has {there.sum()} of {len(there)} slots",
            "segment-state lost records: see docs/operations.md, 'a checkpoint cannot be read'",
        )
    if marker.fingerprint != replica.rule.fingerprint():
        engine.table.hasten(replica.rule.retention_ms)
    engine.counters[:] = marker.counters
    engine.table.dirty[:] = False
    replica.engine = engine
    replica.positions = dict(marker.positions)
    replica.stream_ms, replica.epoch, replica.cursor = marker.stream_ms, marker.epoch, marker.cursor
    return _cycle_after(marked)


def _cycle_after(marked: Marked) -> Cycle:
    """The rolling as it stands after a checkpoint: the next owner goes on where this one was."""
    marker = marked.marker
    cycle = Cycle(marker.needed_from, marker.part_from, marker.part_customers, marker.part, list(marker.kept))
    if marker.row_records < 0:  # of layout 1: a new cycle begins; what is needed stays needed until it ends
        cycle.kept = marked.kept()
    else:
        cycle.written(marked.offset - marker.row_records, marked)
    return cycle


def _names(packed: Rows) -> Packed:
    if isinstance(packed.ids, list):
        return pack(packed.ids)
    return Packed(np.frombuffer(packed.ids, np.uint8), np.frombuffer(packed.id_sizes, "<u2").astype(np.uint16))


async def _row_records(log: Log, partition: int, marked: Marked) -> AsyncIterator[Rows]:
    """Packed rows from what the marker needs up to the marker itself, oldest first."""
    first, _ = await log.bounds("segment-state", partition, committed=True)
    start = first if marked.marker.needed_from < 0 else marked.marker.needed_from
    if start < first:
        raise SegstreamError(
            f"segment-state of partition {partition} begins at {first}, the checkpoint needs {start}",
            "its retention must be off: see docs/operations.md, 'a checkpoint cannot be read'",
        )
    count = 0  # of the checkpoint that is being read
    async for records in log.read("segment-state", partition, start, marked.offset, committed=True):
        for record in records:
            if record.key == ROWS_KEY:
                count += 1
                yield state.decode_rows(record.value)
            elif record.key == MARKER_KEY:
                _require_whole(partition, Marked(record.offset, state.decode_marker(record.value)), count)
                count = 0
    _require_whole(partition, marked, count)


def _require_whole(partition: int, marked: Marked, count: int) -> None:
    """A record that is gone would leave rows of an older checkpoint in its place."""
    expected = marked.marker.row_records
    if expected not in {count, -1}:
        raise SegstreamError(
            f"the checkpoint at offset {marked.offset} of segment-state, partition {partition}, "
            f"has {count} of {expected} records of rows",
            "segment-state lost records: see docs/operations.md, 'a checkpoint cannot be read'",
        )
