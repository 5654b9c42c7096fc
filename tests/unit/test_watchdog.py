"""Liveness: what stands still is named, what gets on or has nothing to do is left alone. No test waits."""

from __future__ import annotations

import asyncio
import http.client
import logging
import threading

import pytest

from stream.metrics.registry import Metrics
from stream.metrics.server import MetricsServer
from stream.settings import Settings
from stream.worker.loop_watch import SLOW_SECONDS, LoopWatch
from stream.worker.watchdog import LOOP, Standing, Watchdog

STALL_SECONDS, SILENT_SECONDS = 60.0, 30.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        """Seconds."""
        return self.now_s


def watchdog() -> Watchdog:
    """One with the usual limits."""
    return Watchdog(STALL_SECONDS, SILENT_SECONDS)


def test_a_partition_that_lags_without_progress_is_named_once() -> None:
    """Past the limit it fails liveness with its number and what waits; the log is told one time."""
    dog = watchdog()
    assert dog.look(0.0, {3: Standing(1, "9 records wait")}) == {}
    assert dog.look(STALL_SECONDS, {3: Standing(1, "9 records wait")}) == {}
    assert dog.reason(STALL_SECONDS) is None
    assert list(dog.look(61.0, {3: Standing(1, "9 records wait"), 4: Standing(1, "")})) == [3]
    assert dog.reason(61.0) == "partition 3 has not got on for 61 s: 9 records wait"
    assert dog.look(62.0, {3: Standing(1, "9 records wait")}) == {}
    assert dog.look(63.0, {3: Standing(2, "9 records wait")}) == {}
    assert dog.reason(63.0) is None


@pytest.mark.parametrize(
    "later",
    [
        pytest.param([Standing(n, "9 records wait") for n in range(10)], id="it gets on, slowly"),
        pytest.param([Standing(0, "")] * 10, id="it has nothing to do"),
        pytest.param([Standing(0, ""), Standing(0, "9 records wait")] * 5, id="work has only just come"),
    ],
)
def test_what_is_no_stall(later: list[Standing]) -> None:
    """A partition is alive when it got on within the limit, or had nothing to do within it."""
    dog = watchdog()
    for i, standing in enumerate(later):
        assert dog.look(i * STALL_SECONDS, {0: standing}) == {}
        assert dog.reason(i * STALL_SECONDS) is None


def test_a_partition_that_is_gone_is_forgotten() -> None:
    """What another worker owns now is not our stall, and one that comes back begins anew."""
    dog = watchdog()
    dog.look(0.0, {0: Standing(1, "its recovery has not ended")})
    dog.look(61.0, {0: Standing(1, "its recovery has not ended")})
    assert dog.reason(61.0) is not None
    dog.look(62.0, {})
    assert dog.reason(62.0) is None
    assert dog.look(63.0, {0: Standing(1, "its recovery has not ended")}) == {}


def test_a_silent_loop_is_named() -> None:
    """A loop is watched from its first turn on."""
    dog = watchdog()
    assert dog.reason(1000.0) is None
    dog.turned("feed", 1000.0)
    assert dog.reason(1030.0) is None
    assert dog.reason(1031.0) == "the feed has stood still for 31 s"


def test_health_is_answered_while_the_event_loop_stands_still() -> None:
    """The server has a thread of its own: 503 and the reason come from a process whose loop hangs."""
    clock, dog, hangs, go_on = Clock(), watchdog(), threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert go_on.wait(30)

    async def work() -> None:
        dog.turned(LOOP, clock.monotonic_s())
        asyncio.get_running_loop().call_soon(hang)
        await asyncio.sleep(0)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    settings = Settings(metrics_port=0)
    registry = Metrics().registry
    with MetricsServer(settings, registry, healthy=lambda: dog.reason(clock.now_s), ready=lambda: None) as server:
        thread.start()
        assert hangs.wait(30)
        assert asked(server) == (200, "ok\n")
        clock.now_s = 31.0
        assert asked(server) == (503, "the event loop has stood still for 31 s\n")
        go_on.set()
        thread.join()


def asked(server: MetricsServer) -> tuple[int, str]:
    """What /healthz says."""
    connection = http.client.HTTPConnection(server.address, timeout=5)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_loops_delay_is_measured_from_outside(caplog: pytest.LogCaptureFixture) -> None:
    """The time from a question to the loop's answer; one at a time; a long silence is logged with its place."""
    clock, delays = Clock(), list[float]()
    loop = asyncio.new_event_loop()
    watch = LoopWatch(loop, clock, delays.append)
    try:
        watch.ask()
        clock.now_s = 0.2
        watch.ask()
        loop.run_until_complete(asyncio.sleep(0))
        assert delays == [pytest.approx(0.2)]
        watch.ask()
        clock.now_s += SLOW_SECONDS + 1
        with caplog.at_level(logging.ERROR):
            watch.ask()
            watch.ask()
        assert len(caplog.records) == 1
        assert "stood still for 6.0 s" in caplog.text
        assert __file__ in caplog.text
    finally:
        loop.close()
    with pytest.raises(RuntimeError):
        LoopWatch(loop, clock, delays.append).ask()
