"""One small backtest, and the report of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from models.clusters.settings import TrainerSettings
from stream.backtest.partition_run import Variant
from stream.backtest.play import Schedule
from stream.backtest.reading import FileSource
from stream.backtest.result import Result
from stream.backtest.run import Task, backtest
from stream.codec.definitions import load, shipped_text
from stream.codec.plain_json import encode
from stream.report.document import document_of
from stream.report.recipe import Texts, recipe_of
from stream.simulate import events
from stream.wordings import WORDINGS

DAY_MS = 86_400_000
START_MS = 1_735_689_600_000  # 2025-01-01
CUSTOMERS, DAYS = 70, 125  # enough for a model and four whole months


@dataclasses.dataclass(frozen=True)
class Made:
    """A run, and what was made of it."""

    path: Path
    task: Task
    result: Result
    document: dict[str, Any]


def task(**more: Any) -> Task:
    """The shipped definitions with a trainer that begins early."""
    settings = TrainerSettings(warmup_vectors=100, words=WORDINGS)
    schedule = Schedule(DAY_MS, 7, 30 * DAY_MS, 64)
    return dataclasses.replace(
        Task((Variant(load("")[0]),), schedule, settings, START_MS + 1_000 * DAY_MS, periods=True), **more
    )


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run over simulated events, with its document."""
    path = tmp_path_factory.mktemp("report") / "events.jsonl"
    rows = [{"topic": one.topic, **one.payload} for one in events(7, CUSTOMERS, DAYS, START_MS)]
    path.write_bytes(b"\n".join(encode(row) for row in rows) + b"\n")
    own, source = task(), FileSource(path)
    result = backtest([source], own)
    recipe = recipe_of(own, [source], Texts((shipped_text(),), ("",)), result.fit)
    return Made(path, own, result, document_of(result, recipe))
