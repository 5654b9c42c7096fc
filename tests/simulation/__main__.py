"""`python -m tests.simulation N`: run seeds 0 to N-1 and print those that break a promise."""

from __future__ import annotations

import logging
import sys

from stream.clock import monotonic_s
from tests.simulation.check import check
from tests.simulation.scenario import simulate


def main(seeds: int) -> int:
    """Run the seeds; the exit code is 1 when one fails."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # tasks of killed processes are never awaited: that is it
    started, failed, lives, fenced = monotonic_s(), 0, 0, 0
    for seed in range(seeds):
        try:
            run = simulate(seed)
            check(run)
        except Exception as error:  # noqa: BLE001 - every failure is a finding
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")  # noqa: T201 - a command's result
            continue
        lives, fenced = lives + run.lives, fenced + run.fenced
    seconds = monotonic_s() - started
    print(f"{seeds} seeds in {seconds:.0f} s: {lives} lives, {fenced} fenced, {failed} failed")  # noqa: T201 - as above
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
