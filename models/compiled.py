"""The one place that decides how kernel functions are compiled.

Kernel functions are plain scalar Python. numba compiles them; with NUMBA_DISABLE_JIT=1 the same functions run
as they stand and give the same bits (a test holds the two together).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])
_config: Any = numba.config  # its attributes are made at run time


def _sources_digest() -> str:
    """Name the state of the core's sources."""
    content, folders = hashlib.sha256(), [files("models")]
    for folder in folders:
        for entry in sorted(folder.iterdir(), key=lambda one: one.name):
            if entry.is_dir() and entry.name != "__pycache__":
                folders.append(entry)
            elif entry.name.endswith(".py"):
                content.update(entry.read_bytes())
    return content.hexdigest()[:16]


# numba's cache notices an edit in a function's own file, but not in those it calls: after an upgrade it would run
# the old rules. A folder for each state of the sources cannot.
CACHE = f"{_config.CACHE_DIR or files('models') / '__pycache__'}/kernels-{_sources_digest()}"


# _nrt=False (private to numba, hence the pin): nothing is allocated in a kernel, so no references need counting.
# With it every call counts each array it is handed, in an atomic operation, and that is more than half of the time.
_OPTIONS: dict[str, Any] = {"cache": True, "fastmath": False, "_nrt": False}


def kernel(function: F) -> F:
    """Compile a kernel function, cached on disk; no fast-math, so that every machine rounds alike."""
    _config.CACHE_DIR = CACHE  # numba reads it here; where it cannot be written numba keeps its own place
    return cast("F", numba.njit(**_OPTIONS)(function))
