"""The one place that decides how kernel functions are compiled.

Kernel functions are plain scalar Python. numba compiles them; with NUMBA_DISABLE_JIT=1 the same functions run
as they stand and give the same bits (a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a kernel function, cached on disk; no fast-math, so that every machine rounds alike."""
    return cast("F", numba.njit(cache=True, fastmath=False)(function))
