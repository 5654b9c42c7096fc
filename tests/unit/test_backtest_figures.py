"""What docs/backtest.json says was measured: the same changes however it was run, in the memory that is promised."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.house.tree import REPO

PEAK_RSS_MB_MAX = 2_000  # of all processes together, for 20 million events: what is promised


def test_measured_digests_hang_on_events_alone() -> None:
    """Each file was run by one, two and four processes and twice by one, with other hash seeds: one digest."""
    by_file = defaultdict(list)
    for one in json.loads((REPO / "docs/backtest.json").read_text("utf-8")):
        by_file[one["command"].split()[2]].append(one)
    assert sorted(by_file) == ["events.parquet", "transactions.parquet"]
    for found in by_file.values():
        assert sorted(one["processes"] for one in found) == [1, 1, 2, 4]
        assert len({one["hash_seed"] for one in found}) == len(found)
        assert len({(one["digest"], one["events"], one["changes"]) for one in found}) == 1


def test_measured_memory_is_what_is_promised() -> None:
    """Twenty million events take less than two gigabytes, whatever the number of processes."""
    found: list[dict[str, Any]] = json.loads((REPO / "docs/backtest.json").read_text("utf-8"))
    large = [one for one in found if one["events"] >= 20_000_000]
    assert large
    assert max(one["peak_rss_mb"] for one in large) < PEAK_RSS_MB_MAX
