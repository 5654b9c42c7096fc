"""What a worker tells the trainer: samples, who left, and the pulse, by way of the topic."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import numpy as np

from models.clusters.settings import TrainerSettings
from models.clusters.trainer import Trainer
from models.customers.row import DAY_MS
from models.features.catalogue import CLUSTER_FEATURES
from stream.codec.vectors import SLOT_BITS, decode, decode_forget, decode_pulse
from stream.metrics.registry import Metrics
from stream.settings import Settings
from stream.simulate import events
from stream.worker.host import Host
from stream.worker.partition import Partition
from stream.worker.training import TOPIC as VECTORS_TOPIC
from tests.still import StillClock, StillLog, claimed, send, work

SETTINGS = Settings(partitions=1, retention_days=9, batch_records=8, metrics_port=-1)
DAYS_EACH = 4  # that an owner lives
CUSTOMERS, DAYS = 40, 60  # many of whom are silent for longer than the retention, and some come again


@cache
def life() -> tuple[StillLog, Partition]:
    """The log and the last owner of a partition that has lived all days; both are only looked at."""
    log = StillLog()
    return log, asyncio.run(lived(log))


async def lived(log: StillLog) -> Partition:
    """A partition of a real host that has lived all days, with a new owner every few; its log is in memory."""
    happened = list(events(5, CUSTOMERS, DAYS))
    clock = StillClock(happened[0].ts_ms)
    host = Host(SETTINGS, Metrics(), clock, make_log=lambda *_: log)
    host._log = log  # as `start` does, which would join a group too
    while happened:
        clock.now_ms += DAYS_EACH * DAY_MS
        send(log, [(one.topic, one.payload) for one in happened if one.ts_ms < clock.now_ms])
        happened = [one for one in happened if one.ts_ms >= clock.now_ms]
        partition = await claimed(log, SETTINGS, clock, observer=host.observer)
        await work(log, partition)
        await partition.release()
    return partition


def told(log: StillLog) -> list[Any]:
    """Values of the records for the trainer, oldest first."""
    return [record.value for record in log.shelf(VECTORS_TOPIC).records]


def test_of_those_who_left_the_trainer_keeps_nothing() -> None:
    """Everybody is sampled; when all is read, the trainer knows vectors of those who are still customers, and no
    others.
    """
    log, partition = life()
    trainer, sampled, left = Trainer(CLUSTER_FEATURES, TrainerSettings()), set(), set()
    for value in told(log):
        if (forget := decode_forget(value)) is not None:
            left.add(forget.key)
            trainer.forget(forget.key)
        elif decode_pulse(value) is None:
            packed = decode(value)
            (vectors, amounts), keys = packed.arrays(), packed.keys()
            assert keys is not None
            recency, orders, spend = amounts.T
            trainer.learn(vectors, recency, orders, spend, packed.as_of_ms, keys)
            sampled.update(keys.tolist())
    engine = partition.replica.engine
    assert engine is not None
    here = {slot + (partition.number << SLOT_BITS) for slot in engine.table.names.slots().tolist()}
    assert len(left & sampled) > CUSTOMERS // 8
    kept = {key for key in sampled if trainer.forget(key)}
    assert kept <= here
    assert kept


def test_the_pulse_of_every_day_tells_of_all_who_were_there() -> None:
    """One record a day that had events, days rising; none is of more than were ever seen, and older are among known."""
    log, partition = life()
    pulses = [found for value in told(log) if (found := decode_pulse(value)) is not None]
    days = [found.day for found in pulses]
    assert days == sorted(set(days))
    assert days[-1] == partition.replica.stream_ms // DAY_MS
    assert len(days) > DAYS // 2
    assert all(found.older <= found.known <= CUSTOMERS for found in pulses)
    assert max(found.known for found in pulses) > CUSTOMERS // 4
    assert all(np.isfinite(found.means).all() and len(found.means) == len(CLUSTER_FEATURES) for found in pulses)
    trainer = Trainer(CLUSTER_FEATURES, TrainerSettings())
    for found in pulses:
        trainer.pulse(found.as_of_ms, found.partition, found.pulse)
    assert len(trainer.drifts) <= 1  # forty customers say little
