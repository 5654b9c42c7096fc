"""Laws of the worker process: its end is told, and it never stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from stream.demo.process import WorkerProcess
from stream.errors import SegstreamError
from stream.kafka.broker import free_port
from stream.settings import Settings, environment_of

HOST = "127.0.0.1"


def test_a_child_gets_exactly_the_settings() -> None:
    """What the parent's environment says about segstream does not leak into a child that is told otherwise."""
    settings = Settings(prefix="a.", profiles_compacted=False, lateness_ms=5)
    environment = environment_of(settings, {"SEGSTREAM_PREFIX": "b.", "SEGSTREAM_OTHER": "1", "LANG": "C"})
    assert Settings.load(environment) == settings
    assert environment["LANG"] == "C"
    assert "SEGSTREAM_OTHER" not in environment


def test_a_worker_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The person sees the cause, not a time limit; and nothing stays."""
    nowhere = f"{HOST}:{free_port()}"
    settings = Settings(brokers=nowhere, metrics_port=free_port())
    waited: list[str] = []
    with WorkerProcess(settings, tmp_path) as worker:
        with pytest.raises(SegstreamError, match="no usable answer from Kafka") as told:
            asyncio.run(worker.wait_until_ready(waited.append))
        assert "exit code 2" in told.value.message
    assert set(waited) == {"compiling the kernel, once; later starts take seconds"}


def test_leaving_kills_the_worker(tmp_path: Path) -> None:
    """Also one that has just begun."""
    settings = Settings(brokers=f"{HOST}:{free_port()}", metrics_port=free_port())
    with WorkerProcess(settings, tmp_path) as worker:
        pid = worker.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
