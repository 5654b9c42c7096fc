"""Clusters over a long life: ids through a hundred snapshots, every transition, shadows, forgetting, confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.clusters.settings import TrainerSettings
from models.clusters.shape import TRANSITION_KINDS, Snapshot
from models.clusters.snapshot import digest, from_document, to_arrays, to_document
from models.clusters.trainer import Trainer
from tests.core import CUTS

Floats = npt.NDArray[np.float64]
Place = tuple[float, float, float]

FEATURES = ("recency", "frequency", "reading")
SETTINGS = TrainerSettings(warmup_vectors=150, window=600, moved_max=1.0)  # nothing is held
DAY_MS = 86_400_000
PLACES: tuple[Place, ...] = ((0.0, 0.0, 0.0), (8.0, 0.0, 0.0), (0.0, 8.0, 0.0))


def people(places: Sequence[Place], count: int, seed: int) -> Floats:
    """Raw vectors of customers around places, in turn."""
    rng = np.random.default_rng(seed)
    return np.array(places)[np.arange(count) % len(places)] + rng.normal(0.0, 0.4, (count, 3))


def fed(trainer: Trainer, raw: Floats, day: int, first_key: int = 0) -> Trainer:
    """Let the trainer learn customers of a day; spend is equal."""
    one = np.ones(len(raw))
    trainer.learn(raw, one, one, one, day * DAY_MS, first_key + np.arange(len(raw)))
    while trainer.learn_slice(1_000):
        pass
    return trainer


def taken(trainer: Trainer, day: int) -> Snapshot:
    """The next snapshot; the test fails if there is none."""
    snapshot = trainer.snapshot(day * DAY_MS)
    assert snapshot is not None
    return snapshot


def test_ids_are_stable_through_100_snapshots_and_10_restarts() -> None:
    """The same three groups keep ids and names, whatever is published and restarted in between."""
    trainer = fed(Trainer(FEATURES, SETTINGS), people(PLACES, 300, 0), 1)
    first = taken(trainer, 1)
    assert len(first.clusters) == 3
    for turn in range(2, 102):
        if turn % 10 == 0:
            trainer = Trainer(FEATURES, SETTINGS, from_document(to_document(trainer.previous or first)))
        last = taken(fed(trainer, people(PLACES, 200, turn), turn), turn)
        assert [(c.id, c.label) for c in last.clusters] == [(c.id, c.label) for c in first.clusters]
        assert {t.kind for t in last.lineage} == {"survived"}
    assert (last.version, last.next_id) == (101, first.next_id)


def test_a_stream_with_every_change_gives_every_transition() -> None:
    """A group comes, one falls in two, two become one, one is gone: MONIC's five words, each in its place."""
    apart, between = ((8.0, 0.0, 0.0), (8.0, 0.0, 9.0)), (4.0, 4.0, 0.0)
    stages: tuple[tuple[Place, ...], ...] = (
        PLACES,
        (*PLACES, (-9.0, -9.0, 0.0)),  # somebody new
        (*PLACES[:1], *apart, *PLACES[2:], (-9.0, -9.0, 0.0)),  # the second falls in two
        (PLACES[0], between, apart[1], (-9.0, -9.0, 0.0)),  # its lower half and the third become one
        (PLACES[0], between, apart[1]),  # who came last is gone
    )
    trainer, seen = Trainer(FEATURES, SETTINGS), list[set[str]]()
    day = 1
    for stage in stages:
        kinds: set[str] = set()
        for _ in range(4):  # a change of number takes two snapshots that agree
            trainer = fed(trainer, people(stage, 300, day), day, first_key=1_000 * len(seen))
            trainer = fed(trainer, people(stage, 300, day + 100), day, first_key=1_000 * len(seen) + 300)
            kinds |= {t.kind for t in taken(trainer, day).lineage}
            day += 1
        seen.append(kinds)
        assert len(trainer.previous.clusters if trainer.previous else ()) == len(stage)
    assert set().union(*seen) == set(TRANSITION_KINDS)


def test_a_snapshot_that_moves_too_many_is_held_until_it_is_adopted() -> None:
    """The one in force stays the measure, ids of the held one are not used again, approval makes it the measure."""
    trainer = fed(Trainer(FEATURES, replace(SETTINGS, moved_max=0.1)), people(PLACES, 600, 1), 1)
    first = taken(trainer, 1)
    assert not first.held
    elsewhere: tuple[Place, ...] = ((4.0, 4.0, 9.0), (4.0, -9.0, 0.0), (-9.0, 4.0, 0.0))
    held = taken(fed(trainer, people(elsewhere, 600, 2), 2), 2)
    assert held.held
    assert held.preview is not None
    assert held.preview.share_moved > 0.1
    assert {one.id for one in held.preview.clusters} <= {c.id for c in first.clusters}
    assert trainer.previous == first
    again = taken(fed(trainer, people(elsewhere, 600, 3), 3), 3)
    assert again.version == held.version + 1
    assert not {c.id for c in again.clusters} - {c.id for c in first.clusters} & {c.id for c in held.clusters}
    trainer.adopt(again)
    after = taken(fed(trainer, people(elsewhere, 600, 4), 4), 4)
    assert not after.held
    assert [c.id for c in after.clusters] == [c.id for c in again.clusters]


def test_a_restart_from_a_held_snapshot_uses_no_id_twice() -> None:
    """Given the one in force and the held one, the successor goes on above both."""
    trainer = fed(Trainer(FEATURES, SETTINGS), people(PLACES, 300, 1), 1)
    first = taken(trainer, 1)
    held = replace(first, version=first.version + 4, next_id=first.next_id + 7, held=True)
    later = taken(fed(Trainer(FEATURES, SETTINGS, first, held), people(PLACES, 300, 2), 2), 2)
    assert later.version == held.version + 1
    assert later.next_id == held.next_id
    assert [c.id for c in later.clusters] == [c.id for c in first.clusters]


def test_in_a_small_shop_too_everybody_counts_once_as_last_seen() -> None:
    """Fewer customers than the warm-up has vectors, sampled five times: a third has gone over to another group by the
    fifth time, and the shares are those of that day.
    """
    trainer = Trainer(FEATURES, replace(SETTINGS, warmup_vectors=500, moved_max=1.0))
    for day in range(4):
        fed(trainer, people(PLACES, 180, day), day)
    snapshot = taken(fed(trainer, people((PLACES[0], PLACES[0], PLACES[2]), 180, 4), 4), 4)
    assert sorted(round(cluster.share, 2) for cluster in snapshot.clusters) == [0.33, 0.67]


def test_a_forgotten_customer_is_in_no_later_snapshot() -> None:
    """Taking a customer out gives the cut points and shares of the others alone; a second time there is nothing."""
    raw = people(PLACES, 300, 1)
    trainer = fed(Trainer(FEATURES, SETTINGS), raw, 1)
    assert trainer.forget(7)
    assert not trainer.forget(7)
    assert trainer.pending == 0
    counted = sum(round(c.share * 299) for c in taken(trainer, 1).clusters)
    assert counted == 299
    assert sorted(round(c.share * 299) for c in taken(trainer, 1).clusters) == [99, 100, 100]


def test_how_often_customers_stay_is_told_by_confidence() -> None:
    """Customers on a border change sides and those in the middle do not: the figures say so."""
    trainer = fed(Trainer(FEATURES, replace(SETTINGS, clusters=2)), people(PLACES[:2], 300, 1), 1)
    taken(trainer, 1)
    rng = np.random.default_rng(1)
    for day in range(2, 12):
        raw = people(PLACES[:2], 300, 1)
        raw[:40, 0] = 4.0 + rng.normal(0.0, 0.3, 40)  # on the border, on either side by chance
        fed(trainer, raw, day)
    stays = taken(trainer, 12).stays
    assert stays[0].confidence == 0.0
    assert stays[0].share == pytest.approx(0.5, abs=0.15)
    assert stays[-1].share > 0.99
    assert sum(one.count for one in stays) == 10 * 300


def test_a_customer_far_from_every_cluster_is_beyond_its_reach() -> None:
    """The record that the kernel reads has each cluster's reach; a snapshot that knows none reaches everywhere."""
    snapshot = taken(fed(Trainer(FEATURES, SETTINGS), people(PLACES, 300, 1), 1), 1)
    record = to_arrays(snapshot, CUTS)[0]
    radius = snapshot.clusters[0].radius
    assert record["reach_squared"][0] == pytest.approx((snapshot.reach_radii * radius) ** 2)
    assert to_arrays(replace(snapshot, reach_radii=0.0), CUTS)[0]["reach_squared"].min() > 1e200


def test_what_a_snapshot_tells_of_itself_survives_the_document() -> None:
    """Personas, choice, preview and stays come back equal; an older document without them keeps its digest."""
    trainer = fed(Trainer(FEATURES, SETTINGS), people(PLACES, 300, 1), 1)
    taken(trainer, 1)
    snapshot = taken(fed(trainer, people(PLACES, 300, 2), 2), 2)
    assert snapshot.personas
    assert snapshot.choice is not None
    assert snapshot.preview is not None
    assert from_document(to_document(snapshot)) == snapshot
    plain = replace(snapshot, personas=(), choice=None, preview=None, stays=(), reach_radii=0.0)
    assert not {"personas", "choice", "preview", "held", "stays", "reach_radii"} & set(to_document(plain))
    assert digest(from_document(to_document(plain))) == digest(plain)
    for wrong in ({"personas": [{"id": 1}]}, {"choice": 3}, {"held": "yes"}, {"reach_radii": float("nan")}):
        with pytest.raises(ValueError, match="model snapshot: "):
            from_document({**to_document(snapshot), **wrong})
