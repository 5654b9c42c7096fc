"""The C library's allocator, told to give back what a worker needs once: a recovery's arrays, a checkpoint's copies.

glibc keeps freed blocks of up to 32 MB for later, in holes that nothing fits into: 50 MB of a worker with a million
customers. With a fixed threshold they are mapped by themselves and returned when they are freed.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
BLOCK_BYTES = 1_000_000  # larger blocks are mapped by themselves: a fetch has as much, a batch's arrays have less


def return_freed_blocks() -> None:
    """Fix both thresholds; nothing where the C library has none (musl, macOS)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, BLOCK_BYTES)
