"""What is slow: the way of the writes to the broker, and a step of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

from tests.faults.scenarios.scenario import Scenario
from tests.faults.stage import Stage
from tests.faults.supervisor import peak_mb, resident_mb
from tests.kafka.worker import Sent

DELAY_SECONDS_MAX = 0.25  # of a produce request
SLOW_EVENTS_PER_S = 1_000  # a tenth of what comes
SLOW_BY: Mapping[str, tuple[str, int]] = {
    "slow": (str(SLOW_EVENTS_PER_S), 4_000),  # the processor is busy for seconds, and nothing else goes on
    "wait": (str(100 / SLOW_EVENTS_PER_S), 100),  # a small batch at a time, and all the time there is to fetch more
}  # alteration: its argument, records of a batch
PAD_BYTES = 8_000  # of a click: the backlog is larger than what may be in memory
MEMORY_MB = 90.0  # above the idle worker: 32 MB of clicks that wait, a fetch on its way, all of it as columns too


async def slow_produce(stage: Stage) -> None:
    """Each write waits up to a quarter of a second on its way; a worker is killed meanwhile."""

    def late(_: bytes) -> Awaitable[None]:
        return asyncio.sleep(stage.chance.uniform(0.0, DELAY_SECONDS_MAX))

    proxy = await stage.proxy(late)
    stage.start(brokers=stage.broker.proxied, batch_records=2_000)
    await stage.live()
    stage.feed(stage.story())
    await stage.progress(stage.chance.uniform(0.2, 0.7))
    await stage.log.read()
    stage.hit()
    stage.workers[0].kill()
    await stage.recovered()
    assert proxy.held_count > 0


async def slow_step(stage: Stage) -> None:
    """A step is ten times too slow while more comes than fits in memory: what waits is left with the broker."""
    how = stage.chance.choice(sorted(SLOW_BY))
    argument, batch_records = SLOW_BY[how]
    worker = stage.start(how, argument, batch_records=batch_records)
    await stage.live()
    pid, before_mb = worker.worker.pid, resident_mb(worker.worker.pid)
    await stage.feed([_padded(one) for one in stage.story(days=250)], rate=None)
    await stage.settle()
    assert worker.worker.pid == pid, "it was started again"
    assert await worker.worker.metric("segstream_fenced_total") == 0
    assert await worker.worker.metric("segstream_rebalances_total") == 1
    grown_mb = peak_mb(pid) - before_mb
    assert grown_mb < MEMORY_MB, f"{grown_mb:.0f} MB more than before"


def _padded(one: Sent) -> Sent:
    topic, payload = one
    return (topic, {**payload, "page": "x" * PAD_BYTES}) if topic == "clicks" else one


SCENARIOS = (
    Scenario("slow produce path", f"each write is held back up to {DELAY_SECONDS_MAX:g} s; SIGKILL", slow_produce),
    Scenario(
        "slow step",
        f"{SLOW_EVENTS_PER_S:,} events a second at most, while ten times as many come, more than memory may hold",
        slow_step,
        settings={"partitions": 1},
    ),
)
