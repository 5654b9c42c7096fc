"""The trainer as a process of its own, so that learning never holds up an event.

It reads messages on standard input, answers each on standard output, and ends with its input. It runs at the lowest
priority and rests so long after each slice of work that it stays within its share of a core.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

from models.clusters.settings import TrainerSettings
from models.clusters.trainer import Trainer
from models.features.catalogue import CLUSTER_FEATURES
from stream.clock import cpu_s
from stream.codec import training
from stream.codec.definitions import decode_snapshot, encode_snapshot
from stream.codec.vectors import decode, decode_pulse
from stream.wordings import WORDINGS

SLICE_VECTORS = 32  # some milliseconds of River between two rests
PRIORITY_STEPS = 19  # the lowest: whoever else wants the processor goes first


def messages(source: BinaryIO) -> Iterator[training.Message]:
    """Every message of a stream, until it ends."""
    while head := source.read(training.LENGTH_BYTES):
        length = training.length_of(head)
        packed = source.read(length)
        if len(packed) < length:
            return  # the worker is gone in the middle of a message
        yield training.message_of(packed)


class TrainerLoop:
    """Handles messages one after the other; `rest` waits so many seconds."""

    def __init__(self, begin: training.Begin) -> None:
        self._share = begin.core_share
        self._rest = threading.Event().wait  # nobody sets it: it only waits
        self._cpu_s = cpu_s()
        settings = TrainerSettings(
            learner=begin.learner,
            clusters=begin.clusters,
            seed=begin.seed,
            moved_max=begin.moved_max,
            words=WORDINGS,
        )
        known = [decode_snapshot(value) if value else None for value in (begin.previous, begin.newest)]
        self._trainer = Trainer(CLUSTER_FEATURES, settings, *known)

    def answer(self, message: training.Message) -> training.Answer:
        """Do what a message asks."""
        answer = training.Answer()
        if isinstance(message, training.Learn):
            answer.learned = self._learn(message.value)
        elif isinstance(message, training.Forget):
            self._trainer.forget(message.key)
        elif isinstance(message, training.Beat):
            self._beat(message.value)
        elif isinstance(message, training.Adopted):
            self._trainer.adopt(decode_snapshot(message.document))
        elif isinstance(message, training.Publish):
            snapshot = self._trainer.snapshot(message.as_of_ms)
            answer.document = encode_snapshot(snapshot) if snapshot else None
        drifts, self._trainer.drifts = self._trainer.drifts, []
        answer.alarms = [
            training.Alarm(one.as_of_ms, [(m.series, m.change, m.usual, m.deviations) for m in one.moved])
            for one in drifts
        ]
        before, self._cpu_s = self._cpu_s, cpu_s()
        answer.cpu_s = self._cpu_s - before
        return answer

    def _beat(self, value: bytes) -> None:
        told = decode_pulse(value)
        if told is not None:
            self._trainer.pulse(told.as_of_ms, told.partition, told.pulse)

    def _learn(self, value: bytes) -> int:
        packed = decode(value)
        vectors, amounts = packed.arrays()
        recency, orders, spend = amounts.T
        self._trainer.learn(vectors, recency, orders, spend, packed.as_of_ms, packed.keys())
        total, began = 0, cpu_s()
        while learned := self._trainer.learn_slice(SLICE_VECTORS):
            total += learned
            spent, began = cpu_s() - began, cpu_s()
            self._rest(spent * (1.0 / self._share - 1.0))
        return total


def main() -> None:
    """Serve until the input ends."""
    os.nice(PRIORITY_STEPS)
    incoming = messages(sys.stdin.buffer)
    begin = next(incoming, None)
    if not isinstance(begin, training.Begin):
        return
    loop = TrainerLoop(begin)
    for message in incoming:
        sys.stdout.buffer.write(training.framed(loop.answer(message)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
