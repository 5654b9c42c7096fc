"""How fast a backtest is, and that its digest hangs on nothing but events and definitions: `make bench-backtest`.

Each file is run by one, two and four processes, and by one once more with another hash seed; different digests are a
failure. Writes docs/backtest.json, of which `python -m tests.house.tables` makes the table of docs/backtest.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RUNS = ((1, 0), (1, 1), (2, 2), (4, 3))  # processes, and PYTHONHASHSEED: never the same again
KEPT = ("events", "seconds", "events_per_s", "events_per_s_core", "peak_rss_mb", "changes", "digest")


def runs(path: Path, mapping: str | None) -> Iterator[dict[str, Any]]:
    """The figures of each run of a file."""
    words = ["backtest", str(path), *(["--mapping", mapping] if mapping else []), "--json"]
    for processes, seed in RUNS:
        more = ["--processes", str(processes)] if processes > 1 else []
        command = [sys.executable, "-m", "stream.cli", *words, *more]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        told = " ".join(["segstream", *words, *more]).replace(str(path), path.name)
        yield {"command": told, "processes": processes, "hash_seed": seed, **{name: found[name] for name in KEPT}}


def main() -> None:
    """Measure, write, and fail if digests differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=Path, required=True, help="generated, in the words of the input schemas")
    parser.add_argument("--transactions", type=Path, required=True, help="of Complete Journey")
    parser.add_argument("--out", type=Path, default=Path("docs/backtest.json"))
    given = parser.parse_args()
    found = []
    for path, mapping in ((given.events, None), (given.transactions, "complete-journey")):
        for one in runs(path, mapping):
            sys.stdout.write(f"{json.dumps(one)}\n")
            sys.stdout.flush()
            found.append(one)
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for file in {one["command"].split()[2] for one in found}:
        if len({one["digest"] for one in found if one["command"].split()[2] == file}) > 1:
            sys.exit(f"{file}: the digests differ")


if __name__ == "__main__":
    main()
