"""A worker that is the product's, but stops itself at a step, or has a step that takes longer.

    python -m tests.faults.altered stop "4 half published" 3
    python -m tests.faults.altered slow 1000
    python -m tests.faults.altered wait 0.1

The environment says the settings, as for `segstream worker`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from stream.cli import main
from stream.clock import monotonic_s
from stream.kafka.log import KafkaLog
from stream.worker.replica import Replica
from tests.faults.steps import STEPS

MODULE = "tests.faults.altered"


def stop_at(step: str, visit: int) -> None:
    """Stop the process when the worker comes to a step for the `visit`-th time."""
    left = visit

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

    STEPS[step](reached)


def slow_down(events_per_s: float) -> None:
    """Make the execution of entries as slow as this, on the processor, as a slow kernel would be."""
    original = Replica.execute

    def execute(self: Replica, *arguments: Any) -> Any:
        started_s = monotonic_s()
        outcome = original(self, *arguments)
        until_s = started_s + outcome.applied / events_per_s
        while monotonic_s() < until_s:
            pass
        return outcome

    Replica.execute = execute  # type: ignore[method-assign, assignment]  # the wrap


def wait_longer(seconds: float) -> None:
    """Let each journal entry's acknowledgement come so much later; meanwhile the worker may fetch."""
    original = KafkaLog.append

    async def append(self: KafkaLog, topic: str, partition: int, value: bytes) -> int:
        offset = await original(self, topic, partition, value)
        await asyncio.sleep(seconds)
        return offset

    KafkaLog.append = append  # type: ignore[method-assign]  # the wrap


ALTERATIONS: Mapping[str, Callable[..., None]] = {
    "stop": lambda step, visit: stop_at(step, int(visit)),
    "slow": lambda events_per_s: slow_down(float(events_per_s)),
    "wait": lambda seconds: wait_longer(float(seconds)),
}

if __name__ == "__main__":
    kind, *how = sys.argv[1:]
    ALTERATIONS[kind](*how)
    raise SystemExit(main(["worker"]))
