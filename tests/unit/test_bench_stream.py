"""The bench's stream: the same for everybody, and what it says it is."""

from __future__ import annotations

from itertools import islice

import numpy as np

from models.events import TOPICS
from stream.bench.rehearsal import Rehearsal, fetches_of, snapshot_of
from stream.bench.stream_of_events import Load, kernel_events, records
from stream.codec.events import decode

LOAD = Load(events=3_000, customers=200)


def test_the_same_seed_gives_the_same_records() -> None:
    """A figure can be measured again only on the same stream."""
    assert list(records(LOAD)) == list(records(LOAD))
    assert list(records(LOAD)) != list(records(Load(3_000, 200, seed=8)))


def test_a_longer_load_begins_like_a_shorter_one() -> None:
    """Up to the chunk that the shorter one ends in, events do not hang on how many follow."""
    longer = Load(events=60_000, customers=200)
    whole = 20_000
    assert list(islice(records(longer), whole)) == list(islice(records(Load(40_000, 200)), whole))


def test_every_record_is_a_legal_event() -> None:
    """Nothing of it is refused: a dead letter would be measured as an event."""
    fetches = fetches_of(LOAD, warm_up=True) + fetches_of(LOAD, warm_up=False)
    columns = [decode(kind, fetched) for fetch in fetches for kind, fetched in fetch]
    assert sum(len(one.rows) for one in columns) == LOAD.warm_up + LOAD.events
    assert [one.refused for one in columns if one.refused] == []


def test_kernel_events_are_the_records() -> None:
    """Both forms are the same events in the same order."""
    events = kernel_events(LOAD)
    for event, (topic, key, _) in zip(events, records(LOAD), strict=True):
        assert TOPICS[event["kind"]] == topic
        assert int(key[1:]) == event["slot"]


def test_the_warm_up_knows_everybody_and_time_never_goes_back() -> None:
    """The measured part meets no stranger."""
    events = kernel_events(LOAD)
    assert set(events["slot"][: LOAD.warm_up].tolist()) == set(range(LOAD.customers))
    assert bool(np.all(np.diff(events["ts_ms"]) >= 0))


def test_the_rehearsal_applies_everything_with_a_model() -> None:
    """Every event is applied, changes come, and the cluster dimension is at work."""
    rehearsal = Rehearsal(snapshot_of(LOAD))
    rehearsal.run(fetches_of(LOAD, warm_up=True))
    stages = rehearsal.run(fetches_of(LOAD, warm_up=False))
    assert stages.events == LOAD.events
    assert stages.changes > 0
    rows = rehearsal.engine.table.rows[: LOAD.customers]
    assert (rows["segment"][:, 5] > 0).mean() > 0.5  # not all: who is beyond the reach of every cluster has none
