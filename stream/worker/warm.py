"""Compile the kernel in a process of its own, once for a machine and a version: the compiler leaves 200 MB behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models.compiled import cache_of
from models.engine import Engine, judge_of
from models.events import TOPICS
from stream.codec import block, change_bytes, membership_bytes
from stream.codec.definitions import load
from stream.codec.events import decode
from stream.kafka import record_batch

if TYPE_CHECKING:
    from models.definitions.document import Definitions


PACKAGES = ("models", "stream.codec", "stream.kafka")  # that have kernels


def compile_apart() -> None:
    """Fill the cache of compiled kernels if it is empty. What fails here is compiled by whoever needs it."""
    if not all(Path(cache_of(package)).is_dir() for package in PACKAGES):
        subprocess.run([sys.executable, "-m", "stream.worker.warm"], check=False, cwd=Path(__file__).parents[2])


def warm(definitions: Definitions) -> None:
    """Load or compile every kernel function now."""
    judge = judge_of(definitions, None)
    Engine(judge, 1).warm()
    change_bytes.warm(judge)
    membership_bytes.warm(judge)
    record_batch.warm()
    one = block.block_of([block.Record(0, b"k", b"{}", 0)])
    for part in (one, block.joined([one, one])):
        block.digest(part)
        for kind in range(len(TOPICS)):
            decode(kind, part)


if __name__ == "__main__":
    warm(load("")[0])
