"""Compile the kernel in a process of its own, once for a machine and a version: the compiler leaves 200 MB behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models.compiled import CACHE
from models.engine import Engine, judge_of
from stream.codec import change_bytes, membership_bytes
from stream.codec.definitions import load

if TYPE_CHECKING:
    from models.definitions.document import Definitions


def compile_apart() -> None:
    """Fill the cache of compiled kernels if it is empty. What fails here is compiled by whoever needs it."""
    if not Path(CACHE).is_dir():
        subprocess.run([sys.executable, "-m", "stream.worker.warm"], check=False, cwd=Path(__file__).parents[2])


def warm(definitions: Definitions) -> None:
    """Load or compile every kernel function now."""
    judge = judge_of(definitions, None)
    Engine(judge, 1).warm()
    change_bytes.warm(judge)
    membership_bytes.warm(judge)


if __name__ == "__main__":
    warm(load("")[0])
