"""The compiled kernel is always that of the present sources."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.core import SHIPPED

MODELS = SHIPPED.parents[2]


def cache_of(folder: Path) -> str:
    """Where the core in a folder keeps its compiled kernel."""
    program = "from models.compiled import CACHE; print(CACHE)"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_an_edit_anywhere_in_the_core_compiles_anew(tmp_path: Path) -> None:
    """A change in one file gives the whole kernel another cache, also the functions that only call it."""
    shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    before = cache_of(tmp_path)
    assert cache_of(tmp_path) == before
    edited = tmp_path / "models" / "features" / "compute.py"
    edited.write_text(edited.read_text("utf-8").replace("below += 1.0", "below += 2.0"), "utf-8")
    assert cache_of(tmp_path) != before
