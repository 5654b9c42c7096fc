"""A flame graph of a worker at full rate, sampled from outside: `make flame`.

The worker and its load are those of `segstream bench throughput`; py-spy looks at it a few hundred times a second from
its first batch on. What compiled code does is one block: it has no Python frames.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

from stream.bench import running
from stream.bench.rehearsal import snapshot_of
from stream.bench.stream_of_events import Load
from stream.bench.throughput import load_settings, send_load
from stream.kafka.broker import DevBroker
from stream.settings import Settings

RATE_HZ = 250  # samples a second: 2 % of a core
SECONDS = 8  # while there is a load
LOAD = Load(3_000_000, 100_000)  # as bench throughput: a quarter of a minute


async def draw(brokers: str, spy: str, out: Path) -> None:
    """Give a worker its past, then the load, and sample it."""
    settings = load_settings(brokers, LOAD)
    await running.prepare(settings, snapshot_of(LOAD))
    await send_load(settings, LOAD)
    child, _ = running.worker(settings)
    with child:
        await running.applied(settings, child, LOAD.warm_up + 1)
        command = [spy, "record", "--pid", str(child.pid), "--rate", str(RATE_HZ), "--duration", str(SECONDS)]
        await asyncio.to_thread(subprocess.run, [*command, "--output", str(out)], check=True, stdout=subprocess.DEVNULL)
        child.stop()


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--py-spy", default="py-spy", help="the program that samples")
    parser.add_argument("--out", type=Path, default=Path("docs/flame.svg"))
    given = parser.parse_args()
    with DevBroker(Settings.load().cache_folder()) as broker:
        asyncio.run(draw(broker.address, given.py_spy, given.out))
    sys.stdout.write(f"{given.out}\n")


if __name__ == "__main__":
    main()
