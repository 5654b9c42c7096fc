"""A broker that dies, stands still, has no room, or refuses the checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.errors import SegstreamError
from stream.kafka import client
from stream.kafka.topics import TABLE, configuration_of
from tests.faults.brokers import SmallDisk
from tests.faults.scenarios.scenario import Scenario
from tests.faults.stage import Stage
from tests.faults.supervisor import Supervised

FROZEN_SECONDS = 30.0  # as a long collection or a stuck disk does it
DOWN_SECONDS_MAX = 5.0  # between a broker's death and its next start
STATE = "segment-state"
REFUSING = {"max.message.bytes": "64"}  # no packed row fits: every checkpoint is refused


async def _crowd(stage: Stage) -> None:
    for _ in range(stage.chance.randint(1, 2)):
        stage.start(ack_timeout_seconds=stage.chance.choice((2.0, 20.0)))
    await stage.live()


async def killed(stage: Stage) -> None:
    """The broker gets SIGKILL and is started again; workers hold out or end and start again, as their patience is."""
    await _crowd(stage)
    stage.feed(stage.story())
    share = 0.0
    for _ in range(2):
        share = stage.chance.uniform(share, 0.9)
        await stage.progress(share)
        stage.hit()
        await asyncio.to_thread(stage.broker.kill)
        await asyncio.sleep(stage.chance.uniform(0.0, DOWN_SECONDS_MAX))  # how long it is away is the fault
        await asyncio.to_thread(stage.broker.start)
        stage.back()
        await stage.recovered()


async def frozen(stage: Stage) -> None:
    """The broker stands still: connections stay open, nothing is answered."""
    await _crowd(stage)
    stage.feed(stage.story())
    await stage.progress(stage.chance.uniform(0.2, 0.7))
    stage.hit()
    stage.broker.pause()
    await asyncio.sleep(FROZEN_SECONDS)  # the fault itself
    stage.broker.resume()
    stage.back()
    await stage.recovered()


async def disk_full(stage: Stage) -> None:
    """The broker's disk fills up; Kafka ends itself; with room again it is started on what it has."""
    disk = SmallDisk(stage.broker.folder)
    await _crowd(stage)
    stage.feed(stage.story())
    await stage.progress(stage.chance.uniform(0.2, 0.7))
    stage.hit()
    disk.fill()
    await stage.until(partial(_ended, stage), "broker that ended")
    disk.make_room()
    await asyncio.to_thread(stage.broker.start)
    stage.back()
    await stage.recovered()


async def _ended(stage: Stage) -> bool:
    try:
        return stage.broker.pid < 0
    except SegstreamError:
        return True


async def no_checkpoints(stage: Stage) -> None:
    """Writes to `segment-state` are refused, or not answered, until the worker gives up; events go on meanwhile."""
    there = asyncio.Event()
    there.set()

    async def held(request: bytes) -> None:
        if STATE.encode() in request:
            await there.wait()

    refused = stage.chance.random() < 0.5
    await stage.proxy(held)
    worker = stage.start(brokers=stage.broker.proxied)
    await stage.live()
    stage.feed(stage.story())
    await stage.progress(stage.chance.uniform(0.1, 0.4))
    stage.hit()
    if refused:
        await configure(stage, STATE, REFUSING)
    else:
        there.clear()
    before = stage.log.records
    await stage.until(lambda: stage.log.has_applied(before + 1), "life without checkpoints")
    await stage.until(partial(_gave_up, worker), "worker that gave up")
    await configure(stage, STATE)
    there.set()
    stage.back()
    await stage.recovered()


async def _gave_up(worker: Supervised) -> bool:
    return bool(worker.exits)


async def configure(stage: Stage, name: str, changed: Mapping[str, str] | None = None) -> None:
    """Give a topic the configuration of the table, but for what is changed."""
    topic = next(one for one in TABLE if one.name == name)
    wanted = {**configuration_of(topic, stage.settings), **(changed or {})}
    admin = client.admin(stage.settings)
    await admin.start()
    try:
        [answer] = await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, stage.settings.prefix + name, wanted)]
        )
        assert not any(code for code, *_ in answer.resources), answer
    finally:
        await admin.close()


SCENARIOS = (
    Scenario("broker killed", "the broker gets SIGKILL and is started again, twice", killed, "own"),
    Scenario("broker frozen", f"the broker stands still for {FROZEN_SECONDS:g} s", frozen, "own"),
    Scenario(
        "disk full", "the broker's disk fills up, the broker ends, gets room and is started", disk_full, "small disk"
    ),
    Scenario(
        "checkpoints refused",
        "`segment-state` refuses every write, or answers none, until the worker gives up",
        no_checkpoints,
        settings={"ack_timeout_seconds": 3.0},
    ),
)
