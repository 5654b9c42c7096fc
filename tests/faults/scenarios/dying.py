"""Workers that are killed, stopped at a step and woken too late, or that come and go."""

from __future__ import annotations

import asyncio
from functools import partial

from stream.clock import monotonic_s
from tests.faults.scenarios.scenario import Scenario
from tests.faults.stage import Stage
from tests.faults.steps import CHECKPOINTING, CLAIMING, STEPS
from tests.faults.supervisor import Supervised

VISITS = (6, 40)  # of a step, at which the worker stops: after claims and adoptions, within some two seconds of work
CHECKPOINTS = (3, 5)  # the same for checkpoints: each partition has one at its start, then every half second
CROWD_MAX = 3  # workers at a time
CHURN_SECONDS = 12.0  # of coming and going
EXIT_FENCED = 3  # what a supervisor sees of a worker that can only start again


async def killed(stage: Stage) -> None:
    """One or two workers; one of them gets SIGKILL, and perhaps again while it recovers."""
    for _ in range(stage.chance.randint(1, 2)):
        stage.start()
    await stage.live()
    stage.feed(stage.story())
    share = 0.0
    for _ in range(2):
        share = stage.chance.uniform(share, 0.9)
        await stage.progress(share)
        await _kill(stage, stage.chance.choice(stage.workers))
        if stage.chance.random() < 0.5:
            claims = stage.log.claims
            await stage.until(partial(_claimed, stage, claims), "claim")
            await _kill(stage, stage.chance.choice(stage.workers))
        await stage.recovered()


async def _kill(stage: Stage, victim: Supervised) -> None:
    await stage.log.read()
    stage.hit()
    victim.kill()


async def _claimed(stage: Stage, before: int) -> bool:
    await stage.log.read()
    return stage.log.claims > before


async def zombie(stage: Stage, step: str) -> None:
    """A worker stops at a step; past its session another takes over; then the first wakes up, at once or at the end."""
    sent = stage.story()
    first = len(sent) // 4
    if step in CLAIMING:  # something to recover, and nobody who lives
        before = stage.start()
        await stage.live()
        await stage.feed(sent[:first])
        await stage.progress(1.0)
        before.abandon()
        sleeper = stage.start("stop", step, str(stage.chance.randint(1, stage.settings.partitions)))
        stage.feed(sent[first:])
    else:
        sleeper = stage.start("stop", step, str(stage.chance.randint(*_visits(step))))
        await stage.live()
        stage.feed(sent)
    await stage.until(partial(_stands, sleeper), f"worker that stopped at {step}")
    stage.hit()
    stage.start()
    await stage.recovered()
    await stage.progress(stage.chance.choice((0.0, 0.8, 1.0)))
    sleeper.resume()
    await stage.until(stage.are_live, "one owner for each partition")
    assert set(sleeper.exits) <= {EXIT_FENCED}


def _visits(step: str) -> tuple[int, int]:
    return CHECKPOINTS if step in CHECKPOINTING else VISITS


async def _stands(worker: Supervised) -> bool:
    return worker.stopped


async def churn(stage: Stage) -> None:
    """Every second or two somebody joins, leaves with SIGTERM, or is killed, whatever the others are doing."""
    stage.start()
    await stage.live()
    sent = stage.story()
    feeding = stage.feed(sent, len(sent) / CHURN_SECONDS)
    leaving: list[asyncio.Task[int | None]] = []
    until_s = monotonic_s() + CHURN_SECONDS
    while monotonic_s() < until_s:
        await asyncio.sleep(stage.chance.uniform(0.3, 3.0))  # the rhythm is the fault
        there = [worker for worker in stage.workers if not worker.leaving]
        stage.hit()
        what = stage.chance.random()
        if len(there) < CROWD_MAX and (what < 0.6 or len(there) == 1):
            stage.start()
        elif what < 0.85:
            leaving.append(asyncio.create_task(stage.chance.choice(there).leave()))
        else:
            stage.chance.choice(there).kill()
    await feeding
    await asyncio.gather(*leaving)
    await stage.recovered()


SCENARIOS = (
    Scenario("killed", "SIGKILL at random moments, also in the middle of a recovery", killed),
    *(
        Scenario(
            f"zombie {step}", "SIGSTOP at this step past the session, a successor, SIGCONT", partial(zombie, step=step)
        )
        for step in STEPS
    ),
    Scenario("workers come and go", "workers join, leave and die every second or two, also during recoveries", churn),
)
