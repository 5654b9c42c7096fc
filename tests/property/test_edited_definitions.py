"""Definitions that are edited: whoever follows the changes knows at every moment where everybody is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.definitions.language import DefinitionError, parse
from models.events import TOPICS
from stream.codec.block import block_of, digest
from stream.codec.events import decode
from stream.codec.journal import Adopt, Batch, Claim, Position, Rejudge, Tick
from stream.kafka.partitioner import partition_of
from stream.simulate import events
from stream.subscriber import View
from stream.worker.replica import Outcome, Replica, Rule
from tests.core import snapshot
from tests.property.strategies import DIMENSION_NAMES, documents
from tests.unit.test_replica import RULE, Record

MODEL = snapshot((1, -0.5), (2, 0.0), (3, 0.5))
CLUSTERS = {"kind": "cluster", "review_days": 7}
STORIES = [[(one.topic, one.payload) for one in events(seed, 8, 200)] for seed in range(3)]
DAY_MS = 86_400_000


@st.composite
def edited(draw: st.DrawFn) -> dict[str, Any]:
    """A document in which dimensions of the others may be missing, or be clusters now."""
    made = draw(documents())
    kept = draw(st.lists(st.sampled_from(list(made["dimensions"])), min_size=1, unique=True))
    edits = {name: made["dimensions"][name] for name in kept}
    if "groups" not in kept and draw(st.booleans()):
        edits[draw(st.sampled_from(DIMENSION_NAMES))] = CLUSTERS
    try:
        parse({**made, "dimensions": edits})
    except DefinitionError:  # a condition names a dimension that is no more
        return made
    return {**made, "dimensions": edits}


class Follower:
    """A replica that executes what it is told, and a subscriber who reads nothing but its changes."""

    def __init__(self, rule: Rule, versions: list[dict[str, Any]]) -> None:
        self.documents: dict[str, Any] = {one.digest: one for one in map(parse, versions)} | {"model": MODEL}
        self.replica = Replica(0, rule, self.documents.__getitem__, partition_of)
        self.view, self.offset = View(), 0
        self.execute(Claim("w", "", "g", rule.fingerprint(), 0))

    def execute(self, entry: Any, inputs: Any = None) -> None:
        """Execute an entry; every change starts where the subscriber has the customer."""
        outcome: Outcome = self.replica.execute(self.offset, entry, inputs or {})
        self.offset += 1
        for _, value in outcome.changes:
            change = json.loads(value)
            there = self.view.segments(change["customer_id"]).get(change["dimension"])
            first = change["previous_segment"] == "unassigned"  # a cluster dimension begins there, without a change
            assert change["previous_segment"] == there or (first and there is None), change
            assert change["trigger"]["kind"] != "definition" or change["definition"] == self.digest, change
            assert self.view.take_change(0, change) == "applied", change

    @property
    def digest(self) -> str:
        """The definitions in force."""
        engine = self.replica.engine
        assert engine is not None
        return engine.judge.definitions.digest

    def batch(self, story: list[tuple[str, Any]]) -> None:
        """Apply some events."""
        if not story:
            return
        by_kind: dict[int, list[Record]] = {}
        for i, (topic, payload) in enumerate(story):
            record = Record(i, json.dumps(payload).encode(), payload["customer_id"].encode())
            by_kind.setdefault(TOPICS.index(topic), []).append(record)
        positions = tuple(
            Position(kind, 0, len(story), len(some), digest(block_of(some))) for kind, some in by_kind.items()
        )
        inputs = {kind: decode(kind, block_of(some)) for kind, some in by_kind.items()}
        now_ms = max((int(payload["ts"]) for _, payload in story), default=0)
        self.execute(Batch(0, positions, now_ms, now_ms), inputs)

    def rejudge(self, count: int) -> None:
        """Some more customers are judged anew."""
        start = self.replica.cursor
        self.execute(Rejudge(0, start, min(start + count, self.replica.slots), 0))

    def standing(self) -> dict[str, dict[str, str]]:
        """Where the rows have everybody; a cluster dimension begins at unassigned, without a change."""
        engine = self.replica.engine
        assert engine is not None
        found = {}
        for customer_id, slot in engine.table.items():
            codes = engine.judge.codes(engine.table.rows[slot : slot + 1])[0].tolist()
            names = {one.name: engine.judge.segment_name(d, codes[d]) for d, one in enumerate(self._dimensions)}
            found[customer_id] = {name: segment for name, segment in names.items() if segment}
        return found

    @property
    def _dimensions(self) -> Any:
        assert self.replica.engine is not None
        return self.replica.engine.judge.definitions.dimensions


@settings(max_examples=40)
@given(st.data())
def test_the_changes_alone_tell_where_everybody_is(data: st.DataObject) -> None:
    """Segments and dimensions removed, moved and of another kind, and back again, while events come: every change
    starts at the segment that the one before led to, and they end where the rows are.
    """
    versions: list[dict[str, Any]] = data.draw(st.lists(edited(), min_size=2, max_size=3))
    versions.append(versions[0])
    follower, story = Follower(RULE, versions), STORIES[data.draw(st.integers(0, len(STORIES) - 1))]
    step = len(story) // len(versions)
    model_at = data.draw(st.integers(0, len(versions)))
    for i, version in enumerate(versions):
        follower.execute(Adopt(0, "definitions", parse(version).digest, 0, 0))
        part = story[i * step : (i + 1) * step]
        cut = data.draw(st.integers(0, len(part)))
        follower.batch(part[:cut])
        while follower.replica.adopting:
            follower.rejudge(data.draw(st.integers(1, 5)))
        if i == model_at:
            follower.execute(Adopt(0, "model", "model", 0, 0))
            follower.rejudge(100)
        follower.batch(part[cut:])
        follower.execute(Tick(0, follower.replica.stream_ms + data.draw(st.integers(0, 60)) * DAY_MS, 100, 0))
        mine, theirs = follower.standing(), follower.view
        known = {name: theirs.segments(name) for name in theirs.customers()}
        for name, segments in mine.items():
            assert _told(known.get(name, {})) == _told(segments), name


def _told(segments: dict[str, str]) -> dict[str, str]:
    return {name: segment for name, segment in segments.items() if segment != "unassigned"}
