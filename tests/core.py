"""The core as tests drive it: events from plain tuples, an Engine, ticks, and everything it published.

Run as a program (`python -m tests.core SEED`) it plays a fixed scenario and prints a digest of rows and
changes, so that two processes, compiled or not, can be compared.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from models import events as e
from models.changes import CHANGE
from models.clusters.snapshot import Cluster, Snapshot
from models.customers.row import DAY_MS
from models.definitions.document import Definitions
from models.definitions.language import parse
from models.engine import Engine, Judge, judge_of
from models.features.catalogue import CLUSTER_FEATURES

T0 = 1_700_000_000_000  # a time in 2023 where scenarios begin
HOUR_MS = DAY_MS // 24
CUTS = {
    "recency_days": [14, 33, 72, 180],
    "orders": [1, 2, 3, 5],
    "spend": [250, 500, 950, 2100],
    "value": [670, 2050, 5800],
}
SHIPPED = Path(__file__).parents[1] / "models" / "definitions" / "gallery" / "shipped.yaml"
NO_ATTRIBUTES = np.full((1, e.ATTRIBUTES_MAX), np.nan)

_ids = iter(range(1, 2**62))


def event(
    ts_ms: int,
    kind: int,
    action: int = 0,
    *,
    slot: int = 0,
    amount: int = 0,
    machine: int = 0,
    attributes: int = -1,
    category: int = 0,
    id_hash: int | None = None,
) -> NDArray[np.void]:
    """One EVENT record in an array of length 1; without id_hash it has an identity of its own."""
    one = np.zeros(1, e.EVENT)
    hashed = next(_ids) if id_hash is None else id_hash
    one[0] = (slot, kind, action, ts_ms, amount, hashed, machine, attributes, 0, category)
    return one


def click(ts_ms: int, action: int = e.VIEW, **more: int) -> NDArray[np.void]:
    """A click."""
    return event(ts_ms, e.CLICK, action, **more)


def order(ts_ms: int, amount: int = 1000, **more: int) -> NDArray[np.void]:
    """A purchase of `amount` cents; negative is a refund."""
    return event(ts_ms, e.PURCHASE, amount=amount, **more)


def email(ts_ms: int, action: int = e.SENT, **more: int) -> NDArray[np.void]:
    """Something that happened to an e-mail."""
    return event(ts_ms, e.EMAIL, action, **more)


def profile(ts_ms: int, row: int, **more: int) -> NDArray[np.void]:
    """A profile event that sets the attributes in `row` of the batch's attribute array."""
    return event(ts_ms, e.PROFILE, attributes=row, id_hash=0, **more)


def attributes(*rows: Sequence[float]) -> NDArray[np.float64]:
    """An attribute array of the given rows, filled up with NaN: absent."""
    filled = np.full((len(rows), e.ATTRIBUTES_MAX), np.nan)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row
    return filled


def document(dimensions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole definitions document around some dimensions."""
    return {"version": 1, "name": "test", "cuts": CUTS, "dimensions": dimensions, **more}


def segments(*conditions: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """A dimension of (name, when) pairs."""
    return {"segments": [{"name": name, "when": when} for name, when in conditions], **more}


def shipped_document() -> Any:
    """The shipped definitions as plain values."""
    return YAML(typ="safe").load(SHIPPED.read_text("utf-8"))


@cache
def shipped() -> Definitions:
    """The shipped definitions."""
    return parse(shipped_document())


def snapshot(*prototypes: tuple[int, float], version: int = 1, recency: tuple[float, ...] | None = None) -> Snapshot:
    """A model of clusters (id, the one value of every coordinate of its prototype)."""
    width = len(CLUSTER_FEATURES)
    clusters = tuple(Cluster(i, (x,) * width, 1.0 / len(prototypes), 1.0, f"like {i}") for i, x in prototypes)
    return Snapshot(
        version=version,
        features=CLUSTER_FEATURES,
        center=(1.0,) * width,
        scale=(2.0,) * width,
        clip=5.0,
        clusters=clusters,
        cuts={"recency_days": recency} if recency else {},
        as_of_ms=T0,
        vector_count=100,
        lineage=(),
        seed=7,
        learner="test",
        next_id=max(i for i, _ in prototypes) + 1,
    )


def content(records: NDArray[np.void], *without: str) -> bytes:
    """The bytes of some records' fields, without those named."""
    names = [name for name in records.dtype.names or () if name not in without]
    return b"".join(np.ascontiguousarray(records[name]).tobytes() for name in names)


class Core:
    """An engine, the changes it published (with `event` counted over all entries), and time.

    With a retention, `slot` of events and changes is the number of a customer, who may come and go.
    """

    def __init__(
        self,
        definitions: Definitions | dict[str, Any] | None = None,
        model: Snapshot | None = None,
        retention_ms: int = 0,
    ) -> None:
        self.retention_ms = retention_ms
        self.engine = Engine(self._judge(definitions or shipped(), model), customers_max=5000)
        self.published: list[NDArray[np.void]] = []
        self.applied = 0

    @property
    def judge(self) -> Judge:
        """What rows are judged by now."""
        return self.engine.judge

    @property
    def rows(self) -> Any:
        """The rows of the customers seen so far."""
        return self.engine.table.rows[: len(self.engine.table)]

    @property
    def due_ms(self) -> NDArray[np.int64]:
        """Their due times."""
        return self.engine.table.due_ms[: len(self.engine.table)]

    @property
    def changes(self) -> Any:
        """Every change so far."""
        return np.concatenate([np.zeros(0, CHANGE), *self.published]).view(np.recarray)

    def small_changes(self, count: int) -> None:
        """Give the kernel room for `count` changes only, so that it stops in the middle of entries."""
        self.engine._changes = np.zeros(count, CHANGE).view(np.recarray)

    def apply(self, *events: NDArray[np.void], attributes: NDArray[np.float64] = NO_ATTRIBUTES) -> Any:
        """Apply events as one entry; returns its changes."""
        entry = np.concatenate([np.zeros(0, e.EVENT), *events])
        if self.retention_ms:
            entry["slot"] = [self.engine.table.slot_of(f"c{number}") for number in entry["slot"].tolist()]
        else:
            slots = range(len(self.engine.table), int(entry["slot"].max(initial=-1)) + 1)
            self.engine.table.add([f"c{slot}" for slot in slots])
        taken = self.engine.apply(entry, attributes)
        taken["event"][taken["event"] >= 0] += self.applied
        self.applied += len(entry)
        return self._publish(taken)

    def tick(self, until_ms: int, limit: int = 1_000_000) -> Any:
        """Let time pass until `until_ms`, at most `limit` customers an entry; returns the changes."""
        taken = [np.zeros(0, CHANGE)]
        while len(slots := self.engine.table.due_slots(until_ms, limit)):
            taken.append(self._publish(self.engine.sweep(slots, until_ms)))
        return np.concatenate(taken).view(np.recarray)

    def adopt(self, definitions: Definitions | dict[str, Any] | None, model: Snapshot | None, adopted_ms: int) -> None:
        """Put new rules in force as of `adopted_ms`."""
        self.engine.adopt(self._judge(definitions or self.judge.definitions, model), adopted_ms)

    def rejudge(self, slots: Iterable[int], until_ms: int) -> Any:
        """Sweep the given slots, due or not."""
        return self._publish(self.engine.sweep(np.array(list(slots), np.int64), until_ms))

    def outlook(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(valid_until_ms, next segment code) of every customer and dimension, each [n, dimensions]."""
        return self.engine.outlook_of(self.rows, self.judge)

    def codes(self, slot: int = 0) -> list[int]:
        """The codes of every dimension and audience of a customer."""
        return [int(code) for code in self.judge.codes(self.rows[slot : slot + 1])[0]]

    def segment(self, dimension: str, slot: int = 0) -> str | None:
        """The name of the segment a customer is in."""
        d = self.place(dimension)
        return self.judge.segment_name(d, self.codes(slot)[d])

    def since(self, dimension: str, slot: int = 0) -> int:
        """Since when a customer is in her segment."""
        return int(self.judge.since_ms(self.rows[slot : slot + 1])[0, self.place(dimension)])

    def place(self, dimension: str) -> int:
        """The number of a dimension."""
        return [one.name for one in self.judge.definitions.dimensions].index(dimension)

    def history(self, dimension: str, slot: int = 0) -> list[tuple[str | None, int]]:
        """(segment, decided_ms) of a customer's changes in a dimension, under the present names."""
        d = self.place(dimension)
        found = [one for one in self.changes if one["dimension"] == d and one["slot"] == slot]
        return [(self.judge.segment_name(d, int(one["segment"])), int(one["decided_ms"])) for one in found]

    def digest(self) -> str:
        """Rows, due times, changes and counters in one number."""
        parts = (self.rows, self.due_ms, self.changes, self.engine.counters)
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()

    def _publish(self, taken: NDArray[np.void]) -> Any:
        if self.retention_ms:  # whoever comes again has another slot: changes are told by the customer's number
            taken["slot"] = [int(name[1:]) for name in self.engine.table.ids(taken["slot"])]
        self.engine.vacate()
        self.published.append(taken)
        return taken.view(np.recarray)

    def _judge(self, definitions: Definitions | dict[str, Any], model: Snapshot | None) -> Judge:
        parsed = parse(definitions) if isinstance(definitions, dict) else definitions
        return judge_of(parsed, model, self.retention_ms)


def random_events(seed: int, count: int, customers: int, start_ms: int, span_ms: int) -> NDArray[np.void]:
    """A seeded mix of every kind of event, ordered by time."""
    chance = random.Random(seed)
    made = []
    for ts_ms in sorted(chance.randrange(start_ms, start_ms + span_ms) for _ in range(count)):
        kind = chance.choice((e.CLICK, e.CLICK, e.PURCHASE, e.EMAIL, e.PROFILE))
        slot, amount = chance.randrange(customers), chance.choice((-500, 100, 1999, 250_000))
        if kind == e.PROFILE:
            made.append(profile(ts_ms, chance.randrange(2), slot=slot))
        else:
            action = chance.randrange(len(e.CLICK_ACTIONS if kind == e.CLICK else e.EMAIL_ACTIONS))
            more = {"slot": slot, "machine": chance.randrange(2), "id_hash": chance.getrandbits(64)}
            is_order = kind == e.PURCHASE
            made.append(event(ts_ms, kind, 0 if is_order else action, amount=amount if is_order else 0, **more))
    return np.concatenate(made)


def scenario(seed: int) -> Core:
    """Some hundred events, ticks, a late event, a duplicate, and adoptions of definitions and of a model."""
    core = Core()
    values = attributes((30.0, 7.0), ())
    before = random_events(seed, 120, 5, T0, 200 * DAY_MS)
    after = random_events(seed + 1, 80, 6, T0 + 201 * DAY_MS, 400 * DAY_MS)
    core.apply(before[:60], attributes=values)
    core.tick(int(before["ts_ms"][59]))
    core.apply(before[60:], before[10:12], before[-1:], attributes=values)
    core.tick(T0 + 200 * DAY_MS)
    own = shipped_document()
    own["attributes"] = {"age": "number", "country": "string"}
    own["dimensions"]["audience"] = segments(("adult", "profile.age >= 18"), ("rest", "always"), dwell_days=2)
    own["audiences"] = {
        "busy": {"when": "clicks in 1 day >= 1", "stay": "clicks in 9 days >= 1"},
        "held": {"when": "spend >= 100", "dwell_days": 2},
        "idle": {"when": {"all": ["no click for 9 days", "not in audience busy"]}},
    }
    core.adopt(parse(own), None, T0 + 200 * DAY_MS)
    core.rejudge(range(5), T0 + 200 * DAY_MS)
    core.apply(after[:40], attributes=values)
    core.adopt(None, snapshot((1, -0.5), (2, 0.0), (5, 0.5)), int(after["ts_ms"][39]))
    core.apply(after[40:], attributes=values)
    core.tick(T0 + 900 * DAY_MS)
    return core


if __name__ == "__main__":
    played = scenario(int(sys.argv[1]))
    sys.stdout.write(f"{played.digest()} {len(played.changes)}\n")
