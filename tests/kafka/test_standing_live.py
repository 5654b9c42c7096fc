"""Explained and in figures beside a live worker: what is read is what subscribers know, and the worker goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stream.cli import main
from stream.health.live import standing_of as everybody
from stream.health.measured import health_of
from stream.settings import Settings
from stream.subscriber import Subscriber
from tests.kafka.worker import crew, feed, final_times, settle, story, told

pytestmark = pytest.mark.kafka

CUSTOMERS = 20
UNPUBLISHED = "behaviour"  # the unassigned of clusters are in no change


def test_a_live_system_is_read_and_not_disturbed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sizes and segments as a subscriber has them; nobody fenced, nothing claimed anew; both commands say so."""
    settings, sent = told(settings, partitions=2), story(seed=23, customers=CUSTOMERS, days=90)
    for name in ("brokers", "prefix", "partitions", "sample_rotation"):
        monkeypatch.setenv(f"SEGSTREAM_{name.upper()}", str(getattr(settings, name)))

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]), Subscriber(settings) as subscriber:
            await worker.start()
            await feed(settings, sent)
            await settle(log, final_times(settings, sent), worker)
            await subscriber.catch_up()
            view = subscriber.view
            found = health_of(*await everybody(settings))
            assert found.customers == len(view) == CUSTOMERS
            for dimension in found.dimensions:
                if dimension.dimension != UNPUBLISHED:
                    known = [view.segments(who).get(dimension.dimension) for who in view.customers()]
                    assert {one.segment: one.customers for one in dimension.segments if one.customers} == {
                        name: known.count(name) for name in set(known)
                    }
            who = view.customers()[0]
            assert await asyncio.to_thread(main, ["explain", who, "--json"]) == 0
            explained = json.loads(capsys.readouterr().out)["dimensions"]
            assert {name: one["segment"] for name, one in explained.items() if name != UNPUBLISHED} == {
                name: segment for name, segment in view.segments(who).items() if name != UNPUBLISHED
            }
            assert await asyncio.to_thread(main, ["health", "--format", "prometheus"]) == 0
            assert "segstream_health_segment_customers{" in capsys.readouterr().out
            assert worker.running
            assert await worker.metric("segstream_fenced_total") == 0
            assert log.claims == settings.partitions
            await worker.stop()

    asyncio.run(run())
