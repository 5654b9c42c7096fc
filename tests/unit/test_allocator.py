"""What a worker needs once is given back: freed blocks, the compiler's code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from pathlib import Path
from stream.worker.allocator import return_freed_blocks
return_freed_blocks()
def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
before = resident_pages()
blocks = [bytearray(b"x") * 2_000_000 for _ in range(50)]
kept = bytes(range(256)) * 100  # above them: without the thresholds the heap could not shrink
there = resident_pages()
del blocks
print(there - before, resident_pages() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the process table of Linux")
def test_freed_blocks_are_returned() -> None:
    """A hundred megabytes come and go."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    there, left = map(int, done.stdout.split())
    assert there > 20_000
    assert left < there / 10


COMPILED = """
from pathlib import Path
import numba
from stream.worker.allocator import drop_compiler_code
def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
def doubled(x):
    return 2 * x
numba.njit(doubled)(1)
before = resident_pages()
drop_compiler_code()
print(before - resident_pages(), numba.njit(doubled)(1.5))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the process table of Linux")
def test_the_compiler_leaves_memory_and_still_compiles() -> None:
    """Tens of megabytes go; what needs the compiler after all has it."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True)
    gone, doubled = done.stdout.split()
    assert int(gone) > 5_000
    assert float(doubled) == 3.0
