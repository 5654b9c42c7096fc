"""`python -m tests.simulation SEEDS [FIRST]`: run seeds from FIRST on, and print what they hit and what broke."""

from __future__ import annotations

import sys

from tests.simulation.campaign import COVERED_SEEDS, run_seeds
from tests.simulation.faults import scenario_of


def main(seeds: int, first: int = 0) -> int:
    """Run the seeds; the exit code is 1 when one fails, or when many leave a gap without a crash."""
    if seeds == 1:
        print(scenario_of(first))  # noqa: T201 - a command's result
    campaign = run_seeds(range(first, first + seeds))
    print(campaign.table())  # noqa: T201 - as above
    untouched = campaign.uncrashed() if seeds >= COVERED_SEEDS else []
    for step in untouched:
        print(f"no crash: {step}")  # noqa: T201 - as above
    return 1 if campaign.failures or untouched else 0


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
