"""A worker that is the product's, but stops itself at a step, or takes several times as long for a batch.

    python -m tests.faults.altered stop "4 half published" 3
    python -m tests.faults.altered slow 10

The environment says the settings, as for `segstream worker`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from stream.cli import main
from stream.clock import monotonic_s
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


def slow_by(factor: float) -> None:
    """Make each entry's execution take `factor` times as long, on the processor, as a slower kernel would."""
    original = Replica.execute

    def execute(self: Replica, *arguments: Any) -> Any:
        started_s = monotonic_s()
        outcome = original(self, *arguments)
        until_s = monotonic_s() + (factor - 1) * (monotonic_s() - started_s)
        while monotonic_s() < until_s:
            pass
        return outcome

    Replica.execute = execute  # type: ignore[method-assign, assignment]  # the wrap


if __name__ == "__main__":
    kind, *how = sys.argv[1:]
    if kind == "stop":
        stop_at(how[0], int(how[1]))
    else:
        slow_by(float(how[0]))
    raise SystemExit(main(["worker"]))
