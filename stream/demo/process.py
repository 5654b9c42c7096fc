"""The worker as a process of its own: started, waited for, ended, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stream.clock import monotonic_s
from stream.errors import SegstreamError
from stream.metrics.scrape import HTTP_OK, scrape
from stream.settings import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.settings import Settings

READY_SECONDS = 300.0  # compiling the kernel takes a minute, on a busy machine two or three
READY_POLL_SECONDS = 0.2  # between two looks
STOP_SECONDS_MORE = 5.0  # beyond the worker's own limit for its last checkpoint
STOP_POLL_SECONDS = 0.05  # between two looks whether it ended
LOG_TAIL_LINES = 15  # of the log, shown when it ended by itself: the cause is in the last lines

# Reads until our end of the pipe closes (we died), then kills the worker and removes the folder.
_GUARD = """
read -r word
kill -KILL "$1" 2>/dev/null
rm -rf -- "$2"
"""


class WorkerProcess:
    """One `segstream worker`; use as a context manager. Leaving it kills what is still running.

    Parameters
    ----------
    settings : all of the worker's; `metrics_port` must be a real port.
    folder : for its log and its temporary files; removed with the worker should we be killed.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def log_path(self) -> Path:
        """What it prints."""
        return self._folder / "worker.log"

    @property
    def address(self) -> str:
        """`host:port` of its metrics."""
        return f"{self._settings.metrics_host}:{self._settings.metrics_port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _start(self) -> None:
        """Start it and its guard, each in its own session: Ctrl-C in our terminal is ours to handle."""
        environment = environment_of(self._settings) | {"TMPDIR": str(self._folder)}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stream.cli", "worker"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def verify(self) -> None:
        """Do nothing while it runs.

        Raises
        ------
        SegstreamError : it ended; shows the end of its log.
        """
        code = self._process.poll() if self._process is not None else None
        if code is not None:
            raise SegstreamError(
                f"the worker ended by itself (exit code {code})\n{self._log_tail()}",
                "its last lines above name the cause; run the demo again once that is mended",
            )

    async def wait_until_ready(self, tell: Callable[[str], None]) -> None:
        """Return when it says that it is ready; `tell` is told what it is waiting for.

        Raises
        ------
        SegstreamError : it ended, or did not become ready in time.
        """
        deadline_s = monotonic_s() + READY_SECONDS
        while (waiting := await asyncio.to_thread(self._not_ready)) is not None:
            self.verify()
            if monotonic_s() > deadline_s:
                raise SegstreamError(
                    f"the worker was not ready within {READY_SECONDS:g} s ({waiting})\n{self._log_tail()}",
                    "is this machine very busy? Try again when it is not",
                )
            tell(waiting)
            await asyncio.sleep(READY_POLL_SECONDS)

    def _not_ready(self) -> str | None:
        """None when it is ready, else what it is doing, in words."""
        try:
            status, text = scrape(self.address, "/readyz")
        except OSError:
            return "compiling the kernel, once; later starts take seconds"
        return None if status == HTTP_OK else text.strip()

    async def stop(self) -> int:
        """Ask it to end (SIGTERM: it writes a checkpoint) and return its exit code; killed if it takes too long."""
        process = self._process
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        deadline_s = monotonic_s() + self._settings.shutdown_seconds + STOP_SECONDS_MORE
        while process.poll() is None and monotonic_s() < deadline_s:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(STOP_POLL_SECONDS)
        self.kill()
        return process.returncode

    def kill(self) -> None:
        """End it at once, with everything it started, and only then send the guard home."""
        process, guard = self._process, self._guard
        if process is not None:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if guard is not None:
            guard.kill()
            guard.wait()
            if guard.stdin is not None:
                guard.stdin.close()
        self._process = self._guard = None

    def _log_tail(self) -> str:
        lines = self.log_path.read_text("utf-8", "replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])
