"""Replica: one partition's state machine as the journal drives it. The only place where entries are executed.

The live worker, recovery, verification and replay hand it the same entries with the same records and get the same
bytes out. It knows no Kafka and no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.clusters.pulse import Pulse, pulse_of, pulse_slots
from models.clusters.snapshot import Snapshot
from models.compiled import records
from models.customers.names import Packed, packed
from models.customers.places import number
from models.customers.row import ANSWERS_MAX, DAY_MS, PROFILE_TIME, REMOVED, ROW, ROW_VERSION
from models.definitions.document import Definitions
from models.definitions.strings import attribute_value
from models.engine import NOBODY, Engine, Judge, judge_of
from models.events import ATTRIBUTES_MAX, EVENT, PROFILE, TOPICS, TS_MS_MIN
from stream.codec.change_bytes import NOWHERE, ChangeBytes, Source
from stream.codec.columns import Columns, Refusal, stacked
from stream.codec.documents import PAYLOAD_BYTES_MAX, encode_dead_letter
from stream.codec.events import NO_TIME_MS, category_places
from stream.codec.journal import Adopt, Batch, Claim, Decision, Entry, Rejudge, Tick
from stream.errors import SegstreamError
from stream.settings import Settings

ENGINE_VERSION = 3  # raised when the same journal would give other rows or changes
NO_MORE = ANSWERS_MAX  # in the marks of changes: a dimension that new definitions no longer have


class Mark(NamedTuple):
    """A change as the metrics count it. `recent`: its numbers are those of the rules in force, else of those before."""

    dimension: int  # or NO_MORE
    trigger: int
    previous: int
    segment: int
    recent: bool


Keyed = tuple[bytes, bytes]
Sample = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]  # vectors, amounts, slots


@dataclass(frozen=True, slots=True)
class Outcome:
    """What executing one entry gives: changes in order (the first has `first_seq`), dead letters, news to train on."""

    first_seq: int
    changes: list[Keyed] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    dead_letters: list[Keyed] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    applied: int = 0
    applied_by_kind: tuple[int, ...] = (0,) * len(TOPICS)  # of them, by event kind
    sample: Sample | None = None
    pulse: Pulse | None = None
    gone: NDArray[np.int64] = field(default_factory=lambda: NOBODY)  # slots of customers who left: to be forgotten

    @property
    def is_sampled(self) -> bool:
        """Whether the trainer is to hear of it."""
        return self.sample is not None or self.pulse is not None or len(self.gone) > 0

    def for_trainer(self) -> Outcome:
        """Only what the trainer is to hear of."""
        return Outcome(self.first_seq, sample=self.sample, pulse=self.pulse, gone=self.gone)


@dataclass(frozen=True, slots=True)
class Rule:
    """The settings that change outcomes: part of the fingerprint, the same for every execution of a journal."""

    partitions: int
    future_ms_max: int
    customers_max: int
    sample_interval_ms: int
    sample_rotation: int
    retention_ms: int = 0  # of silence, after which a customer leaves; 0: never

    def fingerprint(self) -> str:
        """Names everything the outcome hangs on besides the journal and the documents."""
        text = f"{ENGINE_VERSION}|{ROW_VERSION}|{ROW.descr}|{self}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def rule_of(settings: Settings) -> Rule:
    """The settings that outcomes hang on."""
    return Rule(
        settings.partitions,
        settings.future_ms_max,
        settings.customers_max,
        settings.sample_interval_ms,
        settings.sample_rotation,
        settings.retention_days * DAY_MS,
    )


class Replica:
    """Rows, positions and rules of one partition, moved on by `execute`."""

    def __init__(
        self,
        partition: int,
        rule: Rule,
        document: Callable[[str], Any],
        partition_of: Callable[[str, int], int],
    ) -> None:
        self.partition = partition
        self.rule = rule
        self.engine: Engine | None = None
        self.positions: dict[int, int] = {}
        self.stream_ms = 0
        self.epoch = -1
        self.cursor = 0  # slots below it are judged by the rules in force
        self._writers: tuple[ChangeBytes, ...] = ()
        self._document = document
        self._partition_of = partition_of

    @property
    def seq(self) -> int:
        """The running number of the last change."""
        return int(self.engine.counters[0]) if self.engine else 0

    @property
    def customers(self) -> int:
        """Customers in the table."""
        return self.engine.table.customers if self.engine else 0

    @property
    def slots(self) -> int:
        """Slots given so far, those that are vacant again included."""
        return len(self.engine.table) if self.engine else 0

    @property
    def adopting(self) -> bool:
        """Whether rows are left that the rules before judged."""
        return self.cursor < self.slots

    def owns(self, customer_id: bytes) -> bool:
        """Whether the customer is one of this partition's."""
        name = customer_id.decode()
        if self._partition_of(name, self.rule.partitions) == self.partition:
            return True
        return self.engine is not None and self.engine.table.find(name) >= 0

    def execute(self, offset: int, entry: Entry, inputs: Mapping[int, Columns]) -> Outcome:
        """Execute one entry of this partition's journal; `inputs` are a Batch's records by event kind."""
        first_seq = self.seq + 1
        before_ms = self.stream_ms
        if isinstance(entry, Claim | Decision):
            self.epoch = offset if isinstance(entry, Claim) else self.epoch
            return Outcome(first_seq)
        if isinstance(entry, Adopt):
            self._adopt(entry)
            return Outcome(first_seq)
        engine = self.engine
        if engine is None:
            raise SegstreamError(
                f"journal of partition {self.partition} applies events before any definitions (offset {offset})",
                "the journal was written by something else: check the topic prefix",
            )
        if isinstance(entry, Rejudge):
            slots = np.arange(entry.start, entry.end)
            changes = engine.sweep(slots[engine.table.names.occupied(slots)], engine.adoption.adopted_ms)
            self.cursor = entry.end
            return self._outcome(first_seq, changes, None, before_ms)
        self.stream_ms = max(self.stream_ms, entry.stream_ms)
        if isinstance(entry, Tick):
            changes = engine.sweep(engine.table.due_slots(entry.stream_ms, entry.limit), entry.stream_ms)
            return self._outcome(first_seq, changes, None, before_ms)
        for position in entry.positions:
            self.positions[position.kind] = position.end
        if not inputs:
            return Outcome(first_seq)  # it only passes by: stream time stands, so no day begins
        return self._batch(first_seq, entry, inputs, before_ms)

    def _adopt(self, entry: Adopt) -> None:
        document = self._document(entry.digest)
        self.stream_ms = max(self.stream_ms, entry.stream_ms)
        if self.engine is None:
            self.engine = Engine(judge_of(document, None, self.rule.retention_ms), self.rule.customers_max)
            return
        old = self.engine.judge
        definitions: Definitions = document if entry.document == "definitions" else old.definitions
        snapshot: Snapshot | None = document if entry.document == "model" else old.snapshot
        self.engine.adopt(judge_of(definitions, snapshot, self.rule.retention_ms), self.stream_ms)
        self.cursor = 0

    def _batch(self, first_seq: int, entry: Batch, inputs: Mapping[int, Columns], before_ms: int) -> Outcome:
        engine = self.engine
        assert engine is not None  # noqa: S101 - execute has checked it; for the type checker
        joined, adopting = Joined(inputs), self.adopting
        refused = [(kind, place, refusal) for kind, c in sorted(inputs.items()) for place, refusal in c.refused]
        order, events = self._events(joined, entry.wall_ms, refused)
        attributes = self._attributes(joined, engine.judge)
        changes = engine.apply(events, attributes)
        if not adopting:
            self.cursor = len(engine.table)  # who is new is judged by the rules in force
        outcome = self._outcome(first_seq, changes, (joined, order), before_ms)
        for kind, place, refusal in refused:
            record = inputs[kind].block.record(place)
            letter = encode_dead_letter(TOPICS[kind], self.partition, record, refusal)
            key = (record.key or b"")[:PAYLOAD_BYTES_MAX]  # as the journal keeps it: a recovery sends the same bytes
            outcome.dead_letters.append((key, letter))
            outcome.reasons.append(refusal.reason)
        by_kind = tuple(np.bincount(events["kind"], minlength=len(TOPICS)).tolist())
        return replace(outcome, applied=len(events), applied_by_kind=by_kind)

    def _events(self, joined: Joined, wall_ms: int, refused: list[Any]) -> tuple[NDArray[np.int64], NDArray[np.void]]:
        """EVENT records in the order of application, and for each its row in the joined columns."""
        newest_ms = wall_ms + self.rule.future_ms_max
        assert self.engine is not None  # noqa: S101 - execute has checked it; for the type checker
        rows = joined.rows
        if (rows["ts_ms"] == NO_TIME_MS).any():
            self._time_tombstones(joined, newest_ms)
        order = np.lexsort((joined.offset, joined.kind, rows["ts_ms"]))
        slot_of = self.engine.table.names.find_spans(joined.decoded.text, rows["customer"])
        early = rows["ts_ms"] > newest_ms
        if early.any():
            detail = "ts is ahead of every clock"
            refused.extend(joined.refusal(i, "future", detail) for i in order[early[order]].tolist())
            order = order[~early[order]]
        if (slot_of < 0).any():
            self._add_customers(joined, order[slot_of[order] < 0].tolist(), slot_of, refused)
            order = order[slot_of[order] >= 0]
        events = np.empty(len(order), EVENT)
        events["slot"], events["kind"], events["offset"] = slot_of[order], joined.kind[order], joined.offset[order]
        for name in ("action", "ts_ms", "amount_minor", "id_hash", "machine_open", "attributes"):
            events[name] = rows[name][order]
        events["category"] = category_places(rows["category"][order], self.engine.judge.definitions.categories)
        return order, events

    def _time_tombstones(self, joined: Joined, newest_ms: int) -> None:
        """Give each tombstone a time: the partition's, or that of the newest profile which it follows."""
        assert self.engine is not None  # noqa: S101 - execute has checked it; for the type checker
        table, rows = self.engine.table, joined.rows
        latest: dict[str, int] = {}
        for i in np.flatnonzero(joined.kind == PROFILE).tolist():  # in the order of offsets
            customer_id, t = joined.customer_id(i), int(rows["ts_ms"][i])
            if t == NO_TIME_MS:
                slot = table.find(customer_id)
                known_ms = 0 if slot < 0 else number(table.rows[slot], PROFILE_TIME)
                t = max(self.stream_ms, TS_MS_MIN, known_ms, latest.get(customer_id, 0))
                rows["ts_ms"][i] = t
            if t <= newest_ms:
                latest[customer_id] = max(latest.get(customer_id, 0), t)

    def _add_customers(
        self, joined: Joined, unknown: list[int], slot_of: NDArray[np.int64], refused: list[Any]
    ) -> None:
        """Give slots to the customers of these events, in their order, or refuse the events."""
        assert self.engine is not None  # noqa: S101 - execute has checked it; for the type checker
        new: dict[str, list[int]] = {}
        for i in unknown:
            customer_id = joined.customer_id(i)
            there = self._partition_of(customer_id, self.rule.partitions) if customer_id not in new else self.partition
            if there == self.partition:
                new.setdefault(customer_id, []).append(i)
                continue
            detail = f"this customer belongs to partition {there}: the producer used another partitioner or key"
            refused.append(joined.refusal(i, "wrong_partition", detail))
        for slot, places in zip(self.engine.table.add(list(new)).tolist(), new.values(), strict=True):
            slot_of[places] = slot
            if slot < 0:
                refused.extend(joined.refusal(i, "table_full", "customers_max is reached") for i in places)

    @staticmethod
    def _attributes(joined: Joined, judge: Judge) -> NDArray[np.float64]:
        """Attribute values of profile events, row by row as `events.attributes` numbers them."""
        profiles = joined.decoded.attributes
        values = np.full((max(len(profiles), 1), ATTRIBUTES_MAX), np.nan)
        for row, attributes in enumerate(profiles):
            for k, (name, kind) in enumerate(judge.definitions.attributes):
                values[row, k] = attribute_value(attributes.get(name), kind)
        return values

    def _outcome(
        self,
        first_seq: int,
        changes: NDArray[np.void],
        source: tuple[Joined, NDArray[np.int64]] | None,
        before_ms: int,
    ) -> Outcome:
        engine = self.engine
        assert engine is not None  # noqa: S101 - as above
        outcome = Outcome(first_seq)
        if len(changes):
            ids = engine.table.names.packed(changes["slot"])
            values = self._written(changes, ids, source[0].source(source[1]) if source else NOWHERE)
            outcome.changes.extend(zip(ids.parts(), values, strict=True))
            dimensions = np.where(changes["segment"] == REMOVED, NO_MORE, changes["dimension"])
            recent = changes["generation"] == engine.adoption.generation
            columns = (dimensions, changes["trigger"], changes["previous"], changes["segment"], recent)
            outcome.marks.extend(map(Mark, *(column.tolist() for column in columns)))
        gone = engine.vacate()  # before the sample: nobody is learned who has left
        sample, pulse = self._sample(before_ms), self._pulse(before_ms)
        if sample is None and pulse is None and not len(gone):
            return outcome
        return replace(outcome, sample=sample, pulse=pulse, gone=gone)

    def _written(self, changes: NDArray[np.void], ids: Packed, source: Source) -> list[bytes]:
        """The changes' record values, each in the names of the rules that judged it."""
        engine = self.engine
        assert engine is not None  # noqa: S101 - as above
        recent = changes["generation"] == engine.adoption.generation
        if recent.all():
            return self._writer(engine.judge).write(changes, ids, source)
        values: list[bytes] = [b""] * len(changes)
        names = ids.parts()
        for judge, places in ((engine.older, np.flatnonzero(~recent)), (engine.judge, np.flatnonzero(recent))):
            theirs = packed([names[i] for i in places.tolist()])
            found = self._writer(judge).write(changes[places], theirs, source)
            for place, value in zip(places.tolist(), found, strict=True):
                values[place] = value
        return values

    def _writer(self, judge: Judge) -> ChangeBytes:
        """What writes the changes in the names of the rules in force, or of those before."""
        assert self.engine is not None  # noqa: S101 - as above
        older = self.engine.older
        for writer in self._writers:
            if writer.judge is judge and (writer.before is older or judge is older):
                return writer
        self._writers = (ChangeBytes(judge, self.partition, older), *self._writers[:1])
        return self._writers[0]

    def _sample(self, before_ms: int) -> Sample | None:
        """Vectors for the trainer when stream time entered a new interval: every customer once a rotation."""
        interval = self.stream_ms // self.rule.sample_interval_ms
        if self.engine is None or interval == before_ms // self.rule.sample_interval_ms:
            return None
        rotation = self.rule.sample_rotation
        slots = np.arange(interval % rotation, len(self.engine.table), rotation)
        slots = slots[self.engine.table.names.occupied(slots)]
        return (*self.engine.sample(slots, self.stream_ms), slots) if len(slots) else None

    def _pulse(self, before_ms: int) -> Pulse | None:
        """How everybody stands when stream time entered a new day."""
        day = self.stream_ms // DAY_MS
        if self.engine is None or day == before_ms // DAY_MS:
            return None
        table = self.engine.table
        slots, stride = pulse_slots(len(table))
        slots = slots[table.names.occupied(slots)]
        return pulse_of(self.engine.sample(slots, self.stream_ms)[0], table.rows["first_ms"][slots], day, stride)


class Joined:
    """Events of several topics one after the other."""

    def __init__(self, inputs: Mapping[int, Columns]) -> None:
        parts = [inputs[kind] for kind in sorted(inputs)]
        self.kind = np.repeat([part.kind for part in parts], [len(part.rows) for part in parts])
        self.offset = np.concatenate([part.block.index["offset"][part.rows["record"]] for part in parts])
        self.decoded = stacked(parts)
        self.rows = self.decoded.rows

    def customer_id(self, i: int) -> str:
        """The customer of row i."""
        return self.decoded.customer_id(i).decode()

    def refusal(self, i: int, reason: str, detail: str) -> tuple[int, int, Refusal]:
        """(kind, place in its block, why) of the record of row i."""
        return int(self.kind[i]), int(self.rows["record"][i]), Refusal(reason, detail)

    def source(self, order: NDArray[np.int64]) -> Source:
        """Where events in this order of rows come from."""
        return Source(order, records(self.rows), self.decoded.text, self.kind, self.offset)
