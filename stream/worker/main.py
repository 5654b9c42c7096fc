"""The worker process: builds everything once, in order, and hands over to Faust."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys

import uvloop

from stream import clock
from stream.errors import SegstreamError
from stream.kafka.topic_admin import check
from stream.metrics.registry import Metrics
from stream.metrics.server import MetricsServer
from stream.settings import Settings
from stream.worker.allocator import drop_compiler_code, return_freed_blocks
from stream.worker.app import create_app, run_app
from stream.worker.discretion import DiscreetFormatter
from stream.worker.ending import EXIT_INFRASTRUCTURE, Ending
from stream.worker.host import Host
from stream.worker.loop_watch import LoopWatch

logger = logging.getLogger("stream.worker")

GC_NEW_OBJECTS = 50_000  # a few polls' records; 700 by default, which costs a sixth of a worker at full rate


def run(settings: Settings) -> int:
    """Run a worker to its end and return the exit code.

    What is wrong with the definitions or the port is told first: before the brokers are asked, and before a minute of
    compiling.
    """
    host = Host(settings, Metrics(), clock)
    if settings.metrics_port < 0:
        return _run(settings, host, "no port")
    with MetricsServer(settings, host.metrics.registry, healthy=host.healthy, ready=host.ready) as server:
        return _run(settings, host, server.address)


def _run(settings: Settings, host: Host, address: str) -> int:
    return_freed_blocks()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)  # the command line's goes
    for noisy in ("faust", "aiokafka", "mode", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("faust.app.base").setLevel(logging.ERROR)  # warns of sensors that this app does not have
    logger.info("segstream worker\n%s", settings.describe())
    logger.info("metrics on %s", address)
    refuse_wrong_topics(settings)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, _leave_at_once)  # until the app has handlers of its own
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    host.warm()
    drop_compiler_code()
    _calm_collector()
    ending = Ending(settings.shutdown_seconds, lambda: EXIT_INFRASTRUCTURE if app.crashed else host.exit_code)
    app = create_app(settings, host, ending)
    host.loop_turned(0.0)  # from here on somebody waits for it
    with LoopWatch(loop, clock, host.loop_turned):
        run_app(app, host, ending)
    return host.exit_code


def _leave_at_once(*_: object) -> None:
    """Nothing is owned yet, so there is nothing to finish."""
    os._exit(0)


def _calm_collector() -> None:
    """Spare the cycle collector what lives for ever (half a million objects of libraries) and most of its rounds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_NEW_OBJECTS, 20, 100)  # the older generations rarely: batches hold no cycles


def refuse_wrong_topics(settings: Settings) -> None:
    """Refuse to start on topics that would break a promise: missing, or not as the table says."""
    findings = asyncio.run(check(settings))
    if findings:
        first = findings[0]
        raise SegstreamError(
            f"topic {first.topic} {first.problem}", f"{first.advice}; `segstream topics check` lists all"
        )
