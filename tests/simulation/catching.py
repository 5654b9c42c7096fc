"""`python -m tests.simulation.catching [SEEDS]`: the first seed that catches each mutation, as CAUGHT_BY has them.

A change of the program's steps moves every seed to other moments; then the numbers are asked for anew.
"""

from __future__ import annotations

import sys

from stream.worker.partition import Partition
from tests.simulation.campaign import Campaign, quiet, run_seed
from tests.simulation.mutations import CAUGHT_BY

SEEDS = 600  # the rarest needs some hundreds


def first_caught(mutation: type[Partition], seeds: int, known: int) -> int | None:
    """The known seed when it still catches, else the first that does while the unbroken program passes it."""
    seed: int
    for seed in (known, *range(seeds)):
        if run_seed(seed, Campaign(), mutation) is not None and run_seed(seed, Campaign()) is None:
            return seed
    return None


if __name__ == "__main__":
    with quiet():
        for mutation, known in CAUGHT_BY.items():
            seed = first_caught(mutation, int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS, known)
            print(f"    {mutation.__name__}: {seed},", flush=True)  # noqa: T201 - a command's result
