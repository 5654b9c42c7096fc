"""`python -m tests.faults SEEDS`: play so many seeds, print each, a table at the end, and fail when one did."""

from __future__ import annotations

import argparse
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from stream.clock import monotonic_s, wall_ms
from tests.faults.figures import as_json, by_scenario, markdown, plain
from tests.faults.page import rewritten
from tests.faults.play import among, play_all
from tests.faults.scenarios import LAWS, SCENARIOS


def main(arguments: list[str]) -> int:
    """Play; the exit code is 1 when a seed fails."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.DEBUG if asked.verbose else logging.WARNING)
    if not among(asked.only):
        names = ", ".join(one.name for one in SCENARIOS)
        print(f"no scenario has {asked.only!r} in its name: {names}", file=sys.stderr)  # noqa: T201 - a command's result
        return 2
    started_s = monotonic_s()
    seeds = range(asked.first, asked.first + asked.seeds)
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        parts = pool.map(partial(play_all, asked.only), [seeds[job :: asked.jobs] for job in range(asked.jobs)])
        found = sorted((one for part in parts for one in part), key=lambda one: one.seed)
    minutes = (monotonic_s() - started_s) / 60
    rows = by_scenario(found)
    print(as_json(found) if asked.json else f"\n{plain(rows)}\n\n{minutes:.0f} minutes")  # noqa: T201 - as above
    if asked.markdown:
        page = Path(asked.markdown)
        day = datetime.fromtimestamp(wall_ms() / 1000, UTC).date()
        said = f"`make faults SEEDS={asked.seeds}`, {day}, {minutes:.0f} minutes:\n\n{markdown(rows, LAWS)}"
        page.write_text(rewritten(page.read_text("utf-8"), said), "utf-8")
    return int(any(one.failure for one in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("seeds", type=int, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed: `1 --first 17` plays 17 again")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once, each with brokers of its own")
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    parser.add_argument("--verbose", action="store_true", help="what is waited for, and how long")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--markdown", default="", help="a page whose table between the markers is written anew")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
