"""Ctrl-C in the middle of a backtest: what was done until then is told and written, and says that it is a part."""

from __future__ import annotations

import signal
import subprocess  # a process of its own, as a shell starts it
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stream.clock import monotonic_s
from tests.unit.test_backtest import jsonl, lines, rows

__all__ = ["jsonl", "rows"]  # fixtures

TIMES = 12  # so many customers instead of one: some seconds of work, in which a signal surely falls
PATIENCE_SECONDS = 240.0  # a loaded machine compiles the kernel in half of it
LOOK_SECONDS = 0.01


def test_ctrl_c_leaves_a_part_that_says_so(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """Exit code 130; the answer, the report and the change log are whole files as of the last event applied."""
    many = [{**row, "customer_id": f"{row['customer_id']}-{i}"} for row in rows for i in range(TIMES)]
    path, log, page = lines(tmp_path / "events.jsonl", many), tmp_path / "log", tmp_path / "report.html"
    command = [sys.executable, "-m", "stream.cli", "backtest", str(path), "--changes", str(log), "--report", str(page)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline_s = monotonic_s() + PATIENCE_SECONDS
        while not (log / "part-3.parquet").exists():  # the run has begun
            assert run.poll() is None
            assert monotonic_s() < deadline_s
            time.sleep(LOOK_SECONDS)
        run.send_signal(signal.SIGINT)
        told, _ = run.communicate(timeout=PATIENCE_SECONDS)
    finally:
        run.kill()
    assert run.returncode == 130
    first, _, overview = told.splitlines()[:3]
    assert first.startswith("PARTIAL: interrupted, everything is as of 2025-")
    changes = sum(len(pq.read_table(part)) for part in log.iterdir())
    assert f": {changes:,} changes" in overview
    assert "interrupted" in page.read_text("utf-8")
