"""Memory that a worker needs once, given back: a recovery's arrays, a checkpoint's copies, the compiler's own code.

glibc keeps freed blocks of up to 32 MB for later, in holes that nothing fits into: 50 MB of a worker with a million
customers. With a fixed threshold they are mapped by themselves and returned when they are freed.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
BLOCK_BYTES = 1_000_000  # larger blocks are mapped by themselves: a fetch has as much, a batch's arrays have less

MADV_DONTNEED = 4  # sys/mman.h
COMPILER = "libllvmlite.so"  # numba's; loading what is compiled already reads most of it


def return_freed_blocks() -> None:
    """Fix both thresholds; nothing where the C library has none (musl, macOS)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, BLOCK_BYTES)


def drop_compiler_code() -> None:
    """Let LLVM's code go, 55 MB that only loading kernels needs; Linux alone. A call reads it from its file again."""
    maps = Path("/proc/self/maps")
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    if madvise is None or not maps.exists():
        return
    for line in maps.read_text("utf-8", "replace").splitlines():
        span, rights, *rest = line.split()
        if rest[-1].endswith(COMPILER) and rights == "r-xp":  # code is never written: nothing can be lost
            begin, end = (int(place, 16) for place in span.split("-"))
            madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), MADV_DONTNEED)
