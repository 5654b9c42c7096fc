"""The trainer's process: what it is told, what it answers, and what the worker makes of it."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from models.clusters.snapshot import digest
from models.features.catalogue import CLUSTER_FEATURES
from stream.codec import model_events, plain_json, training
from stream.codec.definitions import decode_snapshot, encode_approval, encode_snapshot, load
from stream.codec.vectors import SLOT_BITS, decode, decode_forget, encode, encode_forget
from stream.kafka.follow import Followed
from stream.personas import markdown, values
from stream.worker.documents import MODELS_TOPIC, Documents
from stream.worker.trainer_process import TrainerLoop, messages

DAY_MS = 86_400_000
BEGIN = training.Begin("kmeans", 3, 7, 0.5, 1.0, None, None)


def sample(offset: int, count: int = 600, partition: int = 2) -> bytes:
    """A record of segment-vectors: customers of three kinds."""
    rng = np.random.default_rng(offset)
    vectors = rng.normal(0.0, 0.1, (count, len(CLUSTER_FEATURES))) + (np.arange(count) % 3)[:, None] * 2.0
    slots = np.arange(count, dtype=np.int64) * 7
    return encode(partition, offset, offset * DAY_MS, np.abs(vectors), np.ones((count, 3)), slots)[0]


def test_the_process_learns_publishes_and_ends_with_its_input() -> None:
    """Framed on standard input and output: a sample is learned, a snapshot comes, the end of input is the end."""
    asked = [BEGIN, training.Learn(sample(1)), training.Publish(DAY_MS), training.Forget((2 << SLOT_BITS) + 7)]
    done = subprocess.run(
        [sys.executable, "-m", "stream.worker.trainer_process"],
        input=b"".join(training.framed(one) for one in asked),
        capture_output=True,
        check=True,
        timeout=120,
    )
    answers, out = [], io.BytesIO(done.stdout)
    while head := out.read(training.LENGTH_BYTES):
        answers.append(training.answer_of(out.read(training.length_of(head))))
    assert [one.learned for one in answers] == [600, 0, 0]
    assert all(one.cpu_s >= 0.0 for one in answers)
    snapshot = decode_snapshot(answers[1].document or b"")
    assert len(snapshot.clusters) == 3
    assert decode(sample(1)).keys() is not None


def test_a_successor_goes_on_from_the_last_snapshot_with_its_ids() -> None:
    """A new process that is given the published document publishes the same clusters under the next version."""
    loop = TrainerLoop(BEGIN)
    loop.answer(training.Learn(sample(1)))
    first = loop.answer(training.Publish(DAY_MS)).document
    second = TrainerLoop(replace_begin(first))
    second.answer(training.Learn(sample(2)))
    again = second.answer(training.Publish(2 * DAY_MS)).document
    old, new = decode_snapshot(first or b""), decode_snapshot(again or b"")
    assert [c.id for c in new.clusters] == [c.id for c in old.clusters]
    assert new.version == old.version + 1


def replace_begin(previous: bytes | None) -> training.Begin:
    """The first message to a successor."""
    return training.Begin("kmeans", 3, 7, 0.5, 1.0, previous, previous)


def test_a_message_cut_short_or_too_long_is_none() -> None:
    """The worker's death in the middle of a message ends the process; nonsense is refused."""
    whole = training.framed(training.Publish(1))
    assert list(messages(io.BytesIO(whole + whole[:-1]))) == [training.Publish(1)]
    with pytest.raises(ValueError, match="none of ours"):
        list(messages(io.BytesIO(b"\xff\xff\xff\xff")))


def test_a_forget_record_names_the_customer_by_the_samples_key() -> None:
    """What takes a customer out has the key that the sample gave; a sample is no such record, and the other way."""
    forget = decode_forget(encode_forget(2, 21, 3))
    assert forget is not None
    keys = decode(sample(1)).keys()
    assert keys is not None
    assert forget.key == keys[3]
    assert decode_forget(sample(1)) is None


def test_a_held_model_is_wanted_only_when_approved() -> None:
    """Whichever record comes first, the approval or the model; a newer one that is not held wins in any case."""
    loop = TrainerLoop(BEGIN)
    loop.answer(training.Learn(sample(1)))
    snapshot = decode_snapshot(loop.answer(training.Publish(DAY_MS)).document or b"")
    held = replace(snapshot, version=2, held=True)
    approval = encode_approval(digest(held))[1]
    for order in ((encode_snapshot(held), approval), (approval, encode_snapshot(held))):
        documents = Documents(load("")[0])
        documents.add(MODELS_TOPIC, [Followed(0, 0, 0, b"", encode_snapshot(snapshot))])
        assert documents.snapshot == snapshot
        documents.add(MODELS_TOPIC, [Followed(0, 1, 0, b"", order[0])])
        assert documents.snapshot == snapshot
        documents.add(MODELS_TOPIC, [Followed(0, 2, 0, b"", order[1])])
        assert documents.snapshot == held == documents.newest
        documents.add(MODELS_TOPIC, [Followed(0, 3, 0, b"", encode_snapshot(replace(snapshot, version=3)))])
        assert documents.snapshot is not None
        assert documents.snapshot.version == 3


def test_every_transition_and_every_drift_is_an_event() -> None:
    """One event says that the model is there, one each what became of a cluster; a drift names what moved."""
    loop = TrainerLoop(BEGIN)
    loop.answer(training.Learn(sample(1)))
    snapshot = decode_snapshot(loop.answer(training.Publish(DAY_MS)).document or b"")
    events = [plain_json.decode(value) for value in model_events.of_snapshot(snapshot)]
    assert [one["kind"] for one in events] == ["published", "emerged", "emerged", "emerged"]
    assert {one["model"] for one in events} == {digest(snapshot)}
    assert events[1]["to"] == ["cluster-1"]
    drift = plain_json.decode(model_events.of_drift(training.Alarm(DAY_MS, [("open_rate", -0.1, 0.0, -7.5)]), "m"))
    assert drift["kind"] == "drift"
    assert drift["moved"] == [{"series": "open_rate", "change": -0.1, "usual": 0.0, "deviations": -7.5}]


def test_personas_tell_of_every_cluster_in_plain_units() -> None:
    """Five features each, sizes that add up, no feature by its internal name, nothing that names a customer."""
    loop = TrainerLoop(BEGIN)
    loop.answer(training.Learn(sample(1)))
    snapshot = decode_snapshot(loop.answer(training.Publish(DAY_MS)).document or b"")
    page, plain = markdown(snapshot), values(snapshot)
    assert sum(one["share"] for one in plain["personas"]) == pytest.approx(1.0)
    assert sum(one["revenue_share"] for one in plain["personas"]) == pytest.approx(1.0)
    assert all(len(one["traits"]) == 5 and one["address"] for one in plain["personas"])
    assert all(f"## {cluster.label}" in page for cluster in snapshot.clusters)
    assert not any(name in page for name in CLUSTER_FEATURES if name != "open_rate")
