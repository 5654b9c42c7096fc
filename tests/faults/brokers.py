"""Brokers that can be hurt: one that is reached by a slow way too, and one on a disk that can be filled."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.kafka.broker import HOST, DevBroker, free_port
from stream.settings import Settings

DISK_MB = 192  # two index files of 10 MB for each of a hundred partitions are sparse; the logs themselves are small
CLEANER_MS = 500  # between two looks of the log cleaner, 15 s by default: compaction is waited for


class HarnessBroker(DevBroker):
    """Listens a second time; what it says of that listener is the address of a proxy, so that clients stay on it."""

    def __init__(self, *, folder: Path | None = None) -> None:
        super().__init__(Settings.load().cache_folder(), folder=folder)
        self.behind_port, self.proxy_port = free_port(), free_port()

    @property
    def proxied(self) -> str:
        """`host:port` for clients that are to go through a proxy, which somebody must open."""
        return f"{HOST}:{self.proxy_port}"

    def _write_properties(self) -> Path:
        path = super()._write_properties()
        lines = []
        for line in path.read_text("utf-8").splitlines():
            name = line.partition("=")[0]
            added = {"listeners": self.behind_port, "advertised.listeners": self.proxy_port}.get(name)
            lines.append(line if added is None else f"{line},PROXIED://{HOST}:{added}")
        lines.append("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT")
        lines.append(f"log.cleaner.backoff.ms={CLEANER_MS}")
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path


class SmallDisk:
    """A file system in memory of a few megabytes, mounted on a folder; needs the right to mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.folder)],  # noqa: S607 - wherever it is
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise PermissionError(f"cannot mount a small disk: {done.stderr.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)  # noqa: S607 - as above

    def fill(self) -> int:
        """Leave no byte free; returns how many were."""
        count = 0
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1024 * 1024, 4096):
                try:
                    while True:
                        count += file.write(bytes(size))
                except OSError:
                    continue
        return count

    def make_room(self) -> None:
        """Give the bytes back."""
        self._ballast.unlink()
