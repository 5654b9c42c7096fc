"""A process under measurement: started, its processor time sampled from outside, its lines read, ended for certain."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from stream.clock import wall_ms
from stream.errors import SegstreamError

if TYPE_CHECKING:
    from types import TracebackType

SAMPLE_SECONDS = 0.05  # between two looks at the processor time: 20 us each, and a run lasts seconds
STOP_SECONDS = 30.0  # a worker's last checkpoint takes a second or two
LOG_TAIL_LINES = 12  # shown when the process ended by itself: the cause is in the last lines
USER_FIELD, SYSTEM_FIELD = 11, 12  # of /proc/<pid>/stat, counted after the name


class Child:
    """A Python module, or another program, run as a process of its own; use as a context manager.

    Parameters
    ----------
    module : run as `python -m module arguments`.
    program : what runs it instead of `python -m`.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], *, program: Sequence[str] = (sys.executable, "-m")
    ) -> None:
        self._name = module
        self._command = [*program, module, *arguments]
        self._ended = threading.Event()
        self._samples: list[tuple[int, float]] = []  # (wall ms, processor seconds)
        self._memory: dict[str, int] = {}
        self.lines: list[str] = []  # of standard output, as they come

    def __enter__(self) -> Self:
        self._log: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log,
            cwd=Path(__file__).parents[2], text=True,
        )  # fmt: skip
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._sample, self._read)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for thread in self._threads:
            thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise SegstreamError if the process ended by itself; shows the end of what it logged."""
        if self._process.poll() is not None:
            self._log.seek(0)
            tail = "\n".join(self._log.read().decode("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:])
            raise SegstreamError(
                f"{self._name} ended by itself with code {self._process.returncode}\n{tail}",
                "its last lines above say why",
            )

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait; it is killed if that takes too long."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._ended.set()

    def cpu_seconds(self, from_ms: float, to_ms: float) -> float | None:
        """Processor time between two wall-clock times; None where the system does not tell."""
        if not self._samples:
            return None
        times, seconds = np.array(self._samples).T
        begin, end = np.interp([from_ms, to_ms], times, seconds)
        return float(end - begin)

    def memory_bytes(self, field: str) -> int:
        """A size in the kernel's account of the process (VmRSS, VmHWM), as it was seen last; 0 where there is none."""
        return self._memory.get(field, 0)

    def _read_memory(self) -> None:
        for line in Path(f"/proc/{self._process.pid}/status").read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.startswith("Vm"):
                self._memory[name] = int(value.split()[0]) * 1024

    def _sample(self) -> None:
        stat = Path(f"/proc/{self._process.pid}/stat")
        ticks = os.sysconf("SC_CLK_TCK")
        while not self._ended.wait(SAMPLE_SECONDS):
            try:
                fields = stat.read_text("utf-8").rpartition(")")[2].split()
                self._read_memory()
            except OSError:
                return
            spent = int(fields[USER_FIELD]) + int(fields[SYSTEM_FIELD])
            self._samples.append((wall_ms(), spent / ticks))

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.lines.append(line)
