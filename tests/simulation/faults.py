"""A run as data: what the seed says will happen, before anything happens."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.simulation.steps import STEPS

STEP_KINDS = ("kill", "kill", "freeze", "take")  # crashes most of all
NTH_MAX = 5  # of the passes of a gap: a fault comes early in a worker's life or late
MORE_MAX = 3  # faults beside the one whose turn it is
TIMED_MAX = 3
LEADERS = ("segment-journal", "segment-changes", "segment-changes", "segment-dead-letters")  # of what is written
TIMED_KINDS = ("outage", "leader", "leader", "slow acks", "lost acks", "clock", "join", "leave", "kill", "rebalance")
WEEKS = ((), ("rebalance",), ("rebalance",), ("rebalance", "restart"))
FAULTS_UNTIL_S = 3.0  # then everything is left to come right
JUMPS_S = (-40.0, 40.0, -4000.0, 7000.0, 30_000_000.0)  # two that are borne, three that must end the worker


@dataclass(frozen=True, slots=True)
class StepFault:
    """At the nth pass of a gap: SIGKILL, SIGSTOP for some seconds, or the partition goes elsewhere for them."""

    kind: str
    step: str
    nth: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TimedFault:
    """At a time, whatever is going on."""

    at_s: float
    kind: str
    seconds: float
    jump_s: float
    topic: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One seed."""

    seed: int
    partitions: int
    clock: str
    workers: int
    events: int
    customers: int
    models_at_s: tuple[float, ...]  # a model comes at each of these times, perhaps after everything else
    rollout_at_s: float  # workers that start later bring other definitions
    edits_at_s: tuple[float, ...]  # somebody puts the other definitions in force at each of these times, in turn
    at_steps: tuple[StepFault, ...]
    timed: tuple[TimedFault, ...]
    weeks: tuple[str, ...]  # that pass in the end without an event, and what happens after each


def scenario_of(seed: int) -> Scenario:
    """The scenario of a seed: each gap has its turn, with each kind of fault; chance adds the rest."""
    chance = random.Random(seed)
    turn, kind = STEPS[seed % len(STEPS)], STEP_KINDS[seed // len(STEPS) % len(STEP_KINDS)]
    at_steps = [StepFault(kind, turn, chance.choice((1, 1, 2, NTH_MAX)), chance.choice((0.05, 0.4, 1.2)))]
    for _ in range(chance.randint(0, MORE_MAX)):
        nth, seconds = chance.randint(1, NTH_MAX), chance.choice((0.05, 0.4, 1.2))
        at_steps.append(StepFault(chance.choice(STEP_KINDS), chance.choice(STEPS), nth, seconds))
    timed = [
        TimedFault(
            chance.uniform(0.0, FAULTS_UNTIL_S),
            chance.choice(TIMED_KINDS),
            chance.choice((0.1, 0.5, 3.0)),
            chance.choice(JUMPS_S),
            chance.choice(LEADERS),
        )
        for _ in range(chance.randint(0, TIMED_MAX))
    ]
    return Scenario(
        seed=seed,
        partitions=chance.choice((1, 1, 1, 2)),
        clock=chance.choice(("events", "live")),
        workers=chance.choice((1, 1, 2, 3)),
        events=chance.randint(15, 60),
        customers=chance.randint(3, 10),
        models_at_s=tuple(chance.uniform(0.0, FAULTS_UNTIL_S) for _ in range(chance.randint(0, 2))),
        rollout_at_s=chance.choice((99.0, 99.0, 0.5, 1.5)),
        edits_at_s=_edits(random.Random(f"edits of {seed}")),
        at_steps=tuple(at_steps),
        timed=tuple(sorted(timed, key=lambda fault: fault.at_s)),
        weeks=random.Random(f"weeks of {seed}").choice(WEEKS),
    )


def _edits(chance: random.Random) -> tuple[float, ...]:
    """Of half of the seeds none: then a rollout is the only way that definitions change."""
    return tuple(sorted(chance.uniform(0.2, FAULTS_UNTIL_S) for _ in range(chance.choice((0, 0, 1, 2, 3)))))
