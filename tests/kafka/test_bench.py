"""The benches on Kafka, very small: they start what they need, end it, and tell every figure. None is judged."""

from __future__ import annotations

import json

import pytest

from stream.cli import main

pytestmark = pytest.mark.kafka


def test_throughput_compares_two_real_processes(capsys: pytest.CaptureFixture[str]) -> None:
    """One run gives both rates, the ratio, and what they cost; nothing was refused and checkpoints were made."""
    # ten thousand events a partition: ten checkpoints of it, so that the first is committed before the last event
    arguments = ["throughput", "--events", "40000", "--customers", "200", "--plain-seconds", "2", "--json"]
    assert main(["bench", *arguments]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["plain_faust_events_per_s"] > 0
    assert shown["worker_events_per_s"] > 0
    assert shown["ratio"] > 0
    assert {"cpu_us_per_event", "plain_faust_cpu_us_per_event", "changes_per_event", "machine"} <= set(shown)
    assert shown["dead_letters"] == 0
    assert shown["checkpoints"] > 0


def test_latency_is_measured_change_by_change(capsys: pytest.CaptureFixture[str]) -> None:
    """Percentiles of the changes that the paced events caused."""
    arguments = ["latency", "--rate", "300", "--seconds", "6", "--customers", "200", "--json"]
    arguments += ["--checkpoint-seconds", "1"]
    assert main(["bench", *arguments]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["changes"] > 0
    assert 0 < shown["p50_ms"] <= shown["p99_ms"]
    assert {"events_per_s", "core_share", "machine"} <= set(shown)
    assert shown["checkpoints"] > 0


def test_recovery_is_measured_from_the_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint of customers, a debt of events, a SIGKILL: all are there again, each event executed once more."""
    assert main(["bench", "recovery", "--customers", "2000", "--debt", "5000", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["customers"], shown["events"]) == (2000, 5000)
    assert 0 < shown["seconds"] < shown["start_to_live_seconds"]
    assert "aims" not in shown  # they are of a million customers
