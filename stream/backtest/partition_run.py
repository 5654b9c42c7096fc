"""One partition of a backtest: an engine for each variant, fed with the same events; tallies and digests of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.clusters.pulse import DAY_MS, Pulse, pulse_of, pulse_slots
from models.clusters.snapshot import Snapshot
from models.customers.places import numbers
from models.customers.row import (
    EMAIL_CLICKS,
    EMAILS_SENT,
    FIRST_ORDER,
    LAST_ORDER,
    OPENS,
    ORDERS,
    UNSUBSCRIBES,
)
from models.definitions.document import Definitions
from models.engine import NOBODY, Engine, judge_of
from models.events import ATTRIBUTES_MAX, EVENT, PROFILE
from stream.backtest.change_log import ChangeLog
from stream.backtest.fitted import Fitted, Shape
from stream.backtest.periods import MONTH, VECTORS_MAX, WEEK, Calendar, Looker, Vectors
from stream.backtest.tally import Tally, Totals, codes_of
from stream.backtest.target import Target
from stream.codec.digests import Digest

NO_ATTRIBUTES = np.full((1, ATTRIBUTES_MAX), np.nan)


@dataclass(frozen=True, slots=True)
class Variant:
    """What customers are judged by in one run: definitions, and a model that stays, or one trained on the way."""

    definitions: Definitions
    snapshot: Snapshot | None = None
    trained: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """What every partition of a run is told."""

    variants: tuple[Variant, ...]
    shape: Shape
    first_ms: int  # of the first event
    customers_max: int
    retention_ms: int = 0  # of silence, after which a customer leaves; 0: never
    keep_entries: bool = False  # when each customer entered each segment, for comparisons
    changes_folder: str = ""  # where the change log of the first variant is written, "" for nowhere
    periods: bool = False  # whether months and weeks of the first variant are counted, for the report
    partitions: int = 1  # of the run: they share what is picked for the map
    customer: str = ""  # whose row is kept at the end
    target: Target | None = None  # what is counted of each customer, for a score


@dataclass(slots=True)
class Customers:
    """Customers of some partitions as columns, at one moment; `segments` and `since_ms` by variant [n, dimensions].

    Who has left after a long silence keeps a place, with nothing in it (`first_ms` 0).
    """

    ids: list[str]
    partition: NDArray[np.int64]
    first_ms: NDArray[np.int64]
    newest_ms: NDArray[np.int64]
    first_order_ms: NDArray[np.int64]  # 0: none
    last_order_ms: NDArray[np.int64]
    orders: NDArray[np.int64]
    spend_minor: NDArray[np.int64]  # orders less refunds
    emails_sent: NDArray[np.int64]
    engaged: NDArray[np.int64]  # e-mails opened or clicked by a person
    unsubscribes: NDArray[np.int64]
    hits: NDArray[np.int64]  # how often the run's target has happened; 0 where there is none
    segments: list[NDArray[np.int64]] = field(default_factory=list)
    since_ms: list[NDArray[np.int64]] = field(default_factory=list)
    valid_until_ms: list[NDArray[np.int64]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.first_ms)

    @property
    def present(self) -> int:
        """How many have not left."""
        return int((self.first_ms > 0).sum())


class Sample(NamedTuple):
    """What the trainer is told of one partition at a time."""

    vectors: NDArray[np.float64]  # [n, features]
    amounts: NDArray[np.float64]  # [n, 3], as Engine.sample gives them
    slots: NDArray[np.int64]  # [n], whose they are
    left: NDArray[np.int64]  # slots of those who left since the last sample: they are to be forgotten


@dataclass(slots=True)
class Ended:
    """What one partition came to; lists are by variant."""

    number: int
    events: int
    by_kind: NDArray[np.int64]
    customers: Customers
    totals: list[Totals]
    digests: list[bytes]
    counters: list[NDArray[np.int64]]  # positions: models.workspace
    entered: list[NDArray[np.int32]]  # [n, codes], minutes since 1970; empty unless kept
    latest: list[NDArray[np.int32]]
    calendar: Calendar | None = None  # of the first variant
    row: NDArray[np.void] | None = None  # [1], of the customer asked for, under the first variant


class PartitionRun:
    """The state machine of one partition; the calls and their order are its journal."""

    def __init__(self, number: int, options: Options) -> None:
        self.number = number
        self._options = options
        judges = [judge_of(variant.definitions, variant.snapshot, options.retention_ms) for variant in options.variants]
        self._engines = [Engine(judge, options.customers_max) for judge in judges]
        self._tallies = [
            Tally(variant.definitions, options.first_ms, keep_entries=options.keep_entries)
            for variant in options.variants
        ]
        self._digests = [Digest() for _ in options.variants]
        self._log = ChangeLog(options.changes_folder, number) if options.changes_folder else None
        codes = codes_of(options.variants[0].definitions)
        kinds = (MONTH, WEEK) if options.periods else ()
        self._lookers = [Looker(kind, codes, judges[0], options.first_ms) for kind in kinds]
        self._places = [_places(options.shape, variant.definitions) for variant in options.variants]
        self._categories = [_category_places(options.shape, variant.definitions) for variant in options.variants]
        self._hits = np.zeros(0, np.int64)  # by slot
        self._left = NOBODY  # slots of those who left since the last sample
        self._events = 0
        self._by_kind = np.zeros(4, np.int64)

    def apply(self, records: Fitted, slots: NDArray[np.int64], new_ids: list[str]) -> None:
        """Apply records in order; `new_ids` are the customers that come into the table with them, slot by slot."""
        for engine in self._engines:
            if new_ids:
                engine.table.add(new_ids)
        events = np.zeros(len(records), EVENT)
        events["slot"] = slots
        for name in ("kind", "action", "ts_ms", "amount_minor", "id_hash", "machine_open"):
            events[name] = records[name]
        events["offset"] = records["row"]
        events["attributes"] = -1
        category = records["category"]
        declared = bool(self._options.shape.attributes)
        profiles: NDArray[np.int64] = np.flatnonzero((records["kind"] == PROFILE) & declared)
        if len(profiles):
            events["attributes"][profiles] = np.arange(len(profiles))
        if self._options.target is not None:
            self._hit(slots[self._options.target.of_events(records)])
        self._events += len(events)
        self._by_kind += np.bincount(records["kind"], minlength=4)
        for variant, engine in enumerate(self._engines):
            values = self._values(variant, records, profiles) if len(profiles) else NO_ATTRIBUTES
            events["category"] = self._categories[variant][category]
            self._take(variant, engine.apply(events, values), records)

    def _hit(self, slots: NDArray[np.int64]) -> None:
        """The target has happened to them, to each as often as they are named."""
        more = len(self._engines[0].table) - len(self._hits)
        if more > 0:
            self._hits = np.concatenate([self._hits, np.zeros(more, np.int64)])
        np.add.at(self._hits, slots, 1)

    def _values(self, variant: int, records: Fitted, profiles: Any) -> NDArray[np.float64]:
        values = np.full((len(profiles), ATTRIBUTES_MAX), np.nan)
        for k, place in enumerate(self._places[variant]):
            values[:, k] = records["values"][profiles, place]
        return values

    def pass_time(self, until_ms: int) -> None:
        """Look at everybody who is due by then."""
        for variant, engine in enumerate(self._engines):
            self._take(variant, engine.sweep(engine.table.due_slots(until_ms, len(engine.table)), until_ms), None)
        left, *_ = [engine.left() for engine in self._engines]  # silence is the same for all variants
        self._left = np.union1d(self._left, left)

    def look(self, at_ms: int) -> None:
        """Note what the months and weeks that are over have come to."""
        for looker in self._lookers:
            looker.look(self._engines[0].table.rows[: len(self._engines[0].table)], at_ms)

    def sample(self, interval: int, at_ms: int, rotation: int, most: int) -> Sample:
        """Some customers: one in `rotation`, or fewer so that `most` suffice; and who has left."""
        engine = self._engines[0]
        stride = max(rotation, -(-len(engine.table) // most))
        slots = np.arange(interval % stride, len(engine.table), stride)
        here = slots[engine.table.rows["first_ms"][slots] > 0]
        vectors, amounts = engine.sample(here, at_ms)
        left, self._left = self._left, NOBODY
        return Sample(vectors, amounts, here, left)

    def pulse(self, at_ms: int) -> Pulse:
        """How everybody stands when the day of `at_ms` begins."""
        engine = self._engines[0]
        slots, stride = pulse_slots(len(engine.table))
        first_ms = engine.table.rows["first_ms"][slots]
        here = first_ms > 0
        return pulse_of(engine.sample(slots[here], at_ms)[0], first_ms[here], at_ms // DAY_MS, stride)

    def adopt(self, snapshot: Snapshot, at_ms: int) -> None:
        """A new model comes into force for the variants that are trained: everybody is judged again."""
        for variant, engine in enumerate(self._engines):
            if self._options.variants[variant].trained:
                engine.adopt(judge_of(engine.judge.definitions, snapshot, self._options.retention_ms), at_ms)
                self._take(variant, engine.sweep(np.arange(len(engine.table)), at_ms), None)

    def customers(self, at_ms: int) -> Customers:
        """Everybody at a moment up to which all events were applied."""
        self.pass_time(at_ms)
        found = customers_of(self._engines, self.number)
        found.hits[: len(self._hits)] = self._hits
        return found

    def end(self, at_ms: int) -> Ended:
        """Let time pass to the end and say what it all came to."""
        customers = self.customers(at_ms)
        if self._log is not None:
            self._log.close()
        count = len(customers)
        return Ended(
            self.number,
            self._events,
            self._by_kind,
            customers,
            [tally.totals for tally in self._tallies],
            [digest.digest() for digest in self._digests],
            [engine.counters for engine in self._engines],
            [tally.entered[:count] for tally in self._tallies],
            [tally.latest[:count] for tally in self._tallies],
            self._calendar(at_ms) if self._lookers else None,
            self._row(self._options.customer) if self._options.customer else None,
        )

    def _row(self, customer: str) -> NDArray[np.void] | None:
        table = self._engines[0].table
        slot = table.find(customer)
        return table.rows[slot : slot + 1].copy() if slot >= 0 else None

    def _calendar(self, at_ms: int) -> Calendar:
        """The periods, the last of them perhaps not whole, and some customers for the map."""
        engine = self._engines[0]
        rows = engine.table.rows[: len(engine.table)]
        for looker in self._lookers:
            looker.look(rows, at_ms)
            looker.end(rows)
        stride = max(1, -(-len(rows) * self._options.partitions // VECTORS_MAX))
        slots = np.arange(0, len(rows), stride)
        slots = slots[rows["first_ms"][slots] > 0]
        codes = codes_of(engine.judge.definitions)
        standing = engine.judge.codes(rows[slots])
        segments = [codes.of(d, standing[:, d]) for d in range(len(codes.first))]
        months, weeks = (looker.periods for looker in self._lookers)
        return Calendar(months, weeks, Vectors(engine.sample(slots, at_ms)[0], np.stack(segments, axis=1)))

    def _take(self, variant: int, changes: NDArray[np.void], records: Fitted | None) -> None:
        """Count, digest and perhaps write changes; their events are named by row, however batches were cut."""
        if not len(changes):
            return
        engine = self._engines[variant]
        if variant == 0 and self._options.target is not None:
            self._hit(changes["slot"][self._options.target.of_changes(changes)])
        if self._log is not None and variant == 0:
            self._log.add(changes, engine, records)
        if records is not None:
            by_event = changes["event"] >= 0
            changes["event"][by_event] = records["row"][changes["event"][by_event]]
        self._digests[variant].update(changes.view(np.uint8).data)
        self._tallies[variant].add(changes, len(engine.table))


def customers_of(engines: Sequence[Engine], number: int) -> Customers:
    """Everybody in the tables of one partition, which have the same customers in the same slots."""
    table = engines[0].table
    rows = table.rows[: len(table)]
    count = rows["count"].astype(np.int64)
    found = Customers(
        ids=table.ids(np.arange(len(rows))),
        partition=np.full(len(rows), number, np.int64),
        first_ms=rows["first_ms"].copy(),
        newest_ms=rows["newest_ms"].copy(),
        first_order_ms=numbers(rows, FIRST_ORDER, 1)[:, 0],
        last_order_ms=numbers(rows, LAST_ORDER, 1)[:, 0],
        orders=count[:, ORDERS],
        spend_minor=rows["spend_minor"] - rows["refund_minor"],
        emails_sent=count[:, EMAILS_SENT],
        engaged=count[:, OPENS] + count[:, EMAIL_CLICKS],
        unsubscribes=count[:, UNSUBSCRIBES],
        hits=np.zeros(len(rows), np.int64),
    )
    for engine in engines:
        judge, rows = engine.judge, engine.table.rows[: len(engine.table)]
        found.segments.append(judge.codes(rows))
        found.since_ms.append(judge.since_ms(rows))
        found.valid_until_ms.append(engine.outlook_of(rows, engine.judge)[0])
    return found


def _category_places(shape: Shape, definitions: Definitions) -> NDArray[np.int64]:
    """For each category that is read, from 1, its place among those of the definitions; 0 for none."""
    declared = definitions.categories
    return np.array([0, *(declared.index(name) + 1 if name in declared else 0 for name in shape.categories)])


def _places(shape: Shape, definitions: Definitions) -> list[int]:
    """For each attribute of the definitions its place among those that are read."""
    return [shape.attributes.index(attribute) for attribute in definitions.attributes]
