"""The demo as a person runs it: its promises hold, and whatever ends it, nothing stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are looked up in /proc"),
]

REPO = Path(__file__).parents[2]
START_SECONDS = 360.0  # compiling the kernel, at the worst
GONE_SECONDS = 15.0  # the broker's guard waits up to five
DIMENSIONS = {"lifecycle", "rfm", "value", "engagement", "intent", "behaviour"}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that would play for minutes, in a temporary folder of its own."""
    with start(tmp_path, "--seconds", "300") as process:
        yield process
        process.kill()


def start(folder: Path, *flags: str) -> subprocess.Popen[str]:
    """Run `segstream demo` with pipes for its output and a temporary folder of its own."""
    return segstream("demo", *flags, TMPDIR=str(folder))


def segstream(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Run a command with pipes for its output."""
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPO), **variables},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Read its standard error up to a line with this word, and return that."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return line
    pytest.fail(f"the demo ended before it said {word!r}")


def children(pid: int) -> list[int]:
    """The processes it started itself."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def runs(pid: int) -> bool:
    """Whether a process exists and is not only waiting to be buried."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def assert_gone(pids: list[int], folder: Path) -> None:
    """None of the processes runs and the folder is empty, soon."""
    deadline = time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline and (any(map(runs, pids)) or any(folder.iterdir())):
        time.sleep(0.05)
    assert [pid for pid in pids if runs(pid)] == []
    assert list(folder.iterdir()) == []


def test_a_whole_year_adds_up(tmp_path: Path) -> None:
    """Every event is applied or a dead letter, models are adopted, every dimension is populated; exit code 0."""
    with start(tmp_path, "--json", "--seconds", "20") as process:
        out, err = process.communicate(timeout=START_SECONDS + 300)
    assert process.returncode == 0, err
    result = json.loads(out.splitlines()[-1])
    assert result["findings"] == []
    assert result["snapshots"] >= 1  # more where the machine has time: the trainer may take a share of it only
    assert set(result["segments"]) == DIMENSIONS
    for sizes in result["segments"].values():
        assert sum(sizes.values()) == result["customers"]
    assert result["latency_p99_ms"] > 0
    assert "lifecycle: cooling -> at risk: no purchase for 90 days" in err
    assert_gone([], tmp_path)


def test_a_kept_demo_goes_on_until_ctrl_c(tmp_path: Path) -> None:
    """What is printed works: Ada comes back with an order, and ending what was to be ended is no failure."""
    with start(tmp_path, "--keep", "--seconds", "1") as process:
        printed = read_until(process, "bring her back").split("'")
        order = tmp_path / "order.jsonl"
        order.write_text(printed[1] + "\n", "utf-8")
        address = read_until(process, "check the topics").split()[-1]
        follow = ["watch", "--brokers", address, "--customer", "ada", "--segment", "returned", "--limit", "1"]
        with segstream(*follow, "--from-beginning", "--seconds", "60") as watching:
            with segstream("produce", str(order), "--brokers", address) as producing:
                assert producing.wait(60) == 0
            told, _ = watching.communicate(timeout=90)
        pids = children(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    order.unlink()
    assert told.startswith("ada lifecycle: dormant -> returned: purchase just now")
    assert process.returncode == 0
    assert_gone(pids, tmp_path)


@pytest.mark.parametrize("moment", ["starting Apache Kafka", "starting a worker", "played"])
def test_ctrl_c_leaves_nothing(demo: subprocess.Popen[str], tmp_path: Path, moment: str) -> None:
    """At any moment: processes, folders, all gone; the shell is told 130."""
    read_until(demo, moment)
    pids = children(demo.pid)
    demo.send_signal(signal.SIGINT)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert err.splitlines()[-1] == "stopped: nothing is left running"
    assert_gone(pids, tmp_path)


def test_even_sigkill_leaves_nothing(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """The guards act where the demo no longer can."""
    read_until(demo, "played")
    pids = children(demo.pid)
    demo.kill()
    demo.communicate(timeout=60)
    assert_gone(pids, tmp_path)


def test_a_dead_worker_is_told(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """Exit code 2 with the last lines of its log, and nothing stays."""
    read_until(demo, "played")
    pids = children(demo.pid)
    worker = next(pid for pid in pids if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    os.kill(worker, signal.SIGKILL)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "the worker ended by itself (exit code -9)" in err
    assert "assigned partitions" in err
    assert_gone(pids, tmp_path)
