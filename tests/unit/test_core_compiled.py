"""The compiled kernel is always that of the present sources, and a live worker compiles nothing more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from models.compiled import copy
from tests.core import SHIPPED

MODELS = SHIPPED.parents[2]
FIRST_BATCHES = """
import sys
from numba.core.dispatcher import Dispatcher
from stream.bench.rehearsal import Rehearsal, fetches_of, snapshot_of
from stream.bench.stream_of_events import Load
from stream.codec.block import joined
from stream.codec.definitions import load as definitions
from stream.worker.warm import warm

def forms():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(("models.", "stream.")) and not name.startswith("models.clusters."):  # the trainer's process
            for value in vars(module).values():
                if isinstance(value, Dispatcher):
                    found[value.__module__ + "." + value.__name__] = len(value.signatures)
    return found

warm(definitions("")[0])  # as a worker does, and before anything else
before = forms()
load = Load(4_000, 300)
rehearsal = Rehearsal(snapshot_of(load))
fetches = fetches_of(load, warm_up=True)
rehearsal.run(fetches)
rehearsal.run([[(kind, joined([block.part(0, 1), block.part(1, len(block))])) for kind, block in fetch]
               for fetch in fetches_of(load, warm_up=False)])
rehearsal.engine.table.names.packed(rehearsal.engine.table.rows["seq"][:3])
print([name for name, count in forms().items() if count > before.get(name, 0)])
"""


def printed(program: str, folder: Path) -> str:
    """What a program of its own prints there."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300).stdout


def cache_of(folder: Path, package: str) -> str:
    """Where the core in a folder keeps what it compiles of a package."""
    return printed(f"from models.compiled import cache_of; print(cache_of({package!r}))", folder)


def test_an_edit_anywhere_compiles_anew(tmp_path: Path) -> None:
    """A change in one file gives all its package's kernels another cache, also those that only call it."""
    shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    codec = tmp_path / "codec" / "digits.py"
    codec.parent.mkdir()
    (codec.parent / "__init__.py").write_text("", "utf-8")
    codec.write_text("ZERO = 48\n", "utf-8")
    core, outside = cache_of(tmp_path, "models.features"), cache_of(tmp_path, "codec")
    assert core == cache_of(tmp_path, "models")
    assert outside not in {core, cache_of(tmp_path, "")}
    codec.write_text("ZERO = 65\n", "utf-8")
    assert cache_of(tmp_path, "models") == core
    edited = cache_of(tmp_path, "codec")
    assert edited != outside
    rule = tmp_path / "models" / "features" / "compute.py"
    rule.write_text(rule.read_text("utf-8").replace("below += 1.0", "below += 2.0"), "utf-8")
    assert cache_of(tmp_path, "models") != core
    assert cache_of(tmp_path, "codec") != edited


def test_bytes_are_copied_where_they_belong() -> None:
    """So many from there to here, and nothing beside them."""
    out = np.zeros(8, np.uint8)
    copy(out, 2, np.arange(10, 20, dtype=np.uint8), 3, 4)
    assert out.tolist() == [0, 0, 13, 14, 15, 16, 0, 0]


def test_the_first_batches_compile_nothing() -> None:
    """Whatever a worker is handed, its warm-up has met: seconds of compiling would be seconds without an event."""
    assert printed(FIRST_BATCHES, MODELS.parent).strip() == "[]"
