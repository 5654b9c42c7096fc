"""The dev broker: data survives a crash of it, and nothing survives a crash of us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.clock import monotonic_s
from stream.errors import SegstreamError
from stream.kafka import topic_admin
from stream.kafka.broker import DevBroker
from stream.settings import Settings

pytestmark = pytest.mark.kafka

GONE_SECONDS = 15.0  # the guard acts within a second; a loaded machine may take longer
_STARTER = """
import sys
from pathlib import Path
from stream.kafka.broker import DevBroker
broker = DevBroker(Path(sys.argv[1]))
broker.start()
print(broker.pid, broker.folder, flush=True)
sys.stdin.read()
"""


def runs(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def becomes_true(condition: Callable[[], bool]) -> bool:
    """Return whether a condition holds before the deadline."""
    deadline_s = monotonic_s() + GONE_SECONDS
    waiting = asyncio.Event()

    async def poll() -> bool:
        while not condition():
            if monotonic_s() > deadline_s:
                return False
            try:
                await asyncio.wait_for(waiting.wait(), 0.05)
            except TimeoutError:
                continue
        return True

    return asyncio.run(poll())


def test_topics_survive_a_crash_of_the_broker(tmp_path: Path) -> None:
    """SIGKILL, then a start on the same folder and port; an orderly stop does as well."""
    with DevBroker(Settings.load().cache_folder(), folder=tmp_path) as broker:
        settings = Settings(brokers=broker.address)
        asyncio.run(topic_admin.create(settings))
        broker.kill()
        with pytest.raises(SegstreamError, match="does not run"):
            _ = broker.pid
        broker.start()
        assert broker.address == settings.brokers
        assert asyncio.run(topic_admin.check(settings)) == []
        broker.stop()
        broker.start()
        assert asyncio.run(topic_admin.check(settings)) == []
    assert (tmp_path / "data" / "meta.properties").exists()


def test_a_paused_broker_can_be_closed() -> None:
    """SIGTERM does not reach a stopped process; closing must not wait for it."""
    broker = DevBroker(Settings.load().cache_folder())
    with broker:
        pid, folder = broker.pid, broker.folder
        broker.pause()
    assert not runs(pid)
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
def test_nothing_is_left_when_we_are_killed() -> None:
    """SIGKILL to the process that started it ends the broker and removes its temporary folder."""
    cache = str(Settings.load().cache_folder())
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, cache], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid, folder = starter.stdout.readline().split(maxsplit=1)
        assert runs(int(pid))
        os.kill(starter.pid, signal.SIGKILL)
    assert becomes_true(lambda: not runs(int(pid)))
    assert becomes_true(lambda: not Path(folder.strip()).exists())


def test_a_failed_start_shows_the_log_and_leaves_nothing(tmp_path: Path) -> None:
    """A data folder of another cluster is refused by Kafka; the reason is in the message."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=9\n")
    broker = DevBroker(Settings.load().cache_folder(), folder=tmp_path)
    with pytest.raises(SegstreamError, match="node"):
        broker.start()
    with pytest.raises(SegstreamError, match="does not run"):
        _ = broker.pid


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_ctrl_c(sign: signal.Signals) -> None:
    """`segstream broker` prints its address, and Ctrl-C or a supervisor's stop is a clean end."""
    with (
        subprocess.Popen(
            [sys.executable, "-u", "-m", "stream.cli", "broker", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command,
        contextlib.ExitStack() as stop,
    ):
        assert command.stdout is not None
        assert command.stderr is not None
        stop.callback(command.kill)  # when it does not end as it should: leaving the block would wait for ever
        assert "answers on 127.0.0.1:" in command.stdout.readline()
        folder = Path(command.stdout.readline().split()[3])
        assert folder.is_dir()
        command.stdout.readline()
        command.send_signal(sign)
        assert command.wait(GONE_SECONDS) == 0
        assert "Traceback" not in command.stderr.read()
    assert not folder.exists()
