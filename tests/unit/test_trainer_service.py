"""What the trainer's worker makes of segment-vectors: what is learned and forgotten, and whose model counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from models.clusters.snapshot import Snapshot, digest
from stream.codec import training
from stream.codec.definitions import decode_snapshot, encode_approval, encode_snapshot, load
from stream.codec.vectors import decode, encode_forget
from stream.kafka.follow import Followed
from stream.metrics.registry import Metrics
from stream.settings import Settings
from stream.worker.documents import MODELS_TOPIC, Documents
from stream.worker.trainer_process import TrainerLoop
from stream.worker.training import TrainerService
from tests.still import StillLog
from tests.unit.test_trainer_process import BEGIN, DAY_MS, sample

SETTINGS = Settings.load({"SEGSTREAM_CLUSTERS": "3"})


@dataclass
class Child:
    """The trainer's loop in this process, and what it was told."""

    loop: TrainerLoop
    told: list[training.Message] = field(default_factory=list)

    async def ask(self, message: training.Message) -> training.Answer:
        """As the process answers."""
        self.told.append(message)
        return self.loop.answer(message)

    async def stop(self) -> None:
        """It ends with the test."""


@dataclass
class Stage:
    """A service, its child, and the documents that a worker follows."""

    service: TrainerService
    documents: Documents
    children: list[Child]

    async def take(self, values: Sequence[bytes | None]) -> None:
        """Records of segment-vectors come."""
        records = [Followed(0, offset, 0, None, value) for offset, value in enumerate(values)]
        await self.service._take_all(records, 0)

    def kinds(self) -> list[str]:
        """What the child was told, in order."""
        return [type(message).__name__ for message in self.children[0].told]


def stage() -> Stage:
    """A service before its first record."""
    documents, children = Documents(load("")[0]), list[Child]()

    async def start(_: Settings, previous: Snapshot | None, newest: Snapshot | None) -> Child:
        known = [encode_snapshot(one) if one else None for one in (previous, newest)]
        children.append(Child(TrainerLoop(training.Begin("kmeans", 3, 7, 0.5, 1.0, *known))))
        return children[-1]

    async def make() -> TrainerService:
        transactions: Any = await StillLog().transactions("trainer", 0)
        return TrainerService(SETTINGS, documents, Metrics(), transactions, start)

    return Stage(asyncio.run(make()), documents, children)


def test_what_a_recovery_sends_again_is_neither_learned_nor_forgotten_twice() -> None:
    """Who has taken the slot of somebody who left stays known when the news of the one before comes again."""
    one = stage()
    left, newcomer = encode_forget(2, 7, 2), sample(3)
    asyncio.run(one.take([sample(1), left, newcomer]))
    once = [kind for kind in one.kinds() if kind != "Publish"]
    assert once == ["Learn", "Forget", "Learn"]
    asyncio.run(one.take([left, newcomer]))
    assert [kind for kind in one.kinds() if kind != "Publish"] == once


def test_who_leaves_with_the_entry_of_a_sample_is_forgotten_before_it() -> None:
    """A worker sends who left before the sample of the same entry: the news counts, of other partitions too."""
    one = stage()
    asyncio.run(one.take([sample(1), encode_forget(2, 7, 2), sample(2), encode_forget(3, 7, 1)]))
    assert one.kinds().count("Forget") == 2


def test_a_forget_of_an_older_version_counts() -> None:
    """Records without an entry's offset stay readable: nobody is kept who asked to go."""
    one = stage()
    asyncio.run(one.take([sample(9), msgspec.msgpack.encode(["forget", 2, 7])]))
    assert one.kinds()[-1] == "Forget"


def test_rubbish_in_the_topic_ends_nobody() -> None:
    """A tombstone and what is no record of ours are passed over."""
    one = stage()
    asyncio.run(one.take([None, b"", b"\xff", sample(1)]))
    assert one.kinds()[0] == "Learn"


def test_an_approved_model_is_adopted_once_and_never_over_a_newer_one() -> None:
    """Between its publication and its coming round as a document, a new model is not put back by the one before."""
    one = stage()
    loop = TrainerLoop(BEGIN)
    loop.answer(training.Learn(sample(1)))
    first = decode_snapshot(loop.answer(training.Publish(DAY_MS)).document or b"")
    one.documents.add(MODELS_TOPIC, [Followed(0, 0, 0, b"", encode_snapshot(first))])
    asyncio.run(one.take([sample(1)]))
    held = replace(first, version=first.version + 1, held=True)
    approval = encode_approval(digest(held))[1]
    one.documents.add(
        MODELS_TOPIC, [Followed(0, n, 0, b"", v) for n, v in enumerate((encode_snapshot(held), approval))]
    )
    published = SETTINGS.snapshot_interval_ms // DAY_MS + 2
    asyncio.run(one.take([sample(2), sample(published), sample(published + 1)]))
    assert one.kinds().count("Adopted") == 1
    assert "Publish" in one.kinds()[one.kinds().index("Adopted") :]
    assert one.documents.snapshot == held  # the document of the newer one has not come round
    assert decode(sample(published)).as_of_ms - first.as_of_ms >= SETTINGS.snapshot_interval_ms
