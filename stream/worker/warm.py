"""Compile the kernel in a process of its own, once for a machine and a version: the compiler leaves 200 MB behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from models.compiled import CACHE
from models.engine import Engine, judge_of
from stream.codec.definitions import load


def compile_apart() -> None:
    """Fill the cache of compiled kernels if it is empty. What fails here is compiled by whoever needs it."""
    if not Path(CACHE).is_dir():
        subprocess.run([sys.executable, "-m", "stream.worker.warm"], check=False, cwd=Path(__file__).parents[2])


def warm() -> None:
    """Load or compile every kernel function now."""
    Engine(judge_of(load("")[0], None), 1).warm()


if __name__ == "__main__":
    warm()
