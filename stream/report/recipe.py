"""Recipe: all that a run hangs on, as plain values in the report, and the run made of it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.clusters.settings import TrainerSettings
from models.customers.row import NEVER_MS
from models.definitions.language import parse
from stream.backtest.fitted import Fit
from stream.backtest.mapping import parse as parse_mapping
from stream.backtest.partition_run import Variant
from stream.backtest.play import Schedule
from stream.backtest.reading import FileSource
from stream.backtest.run import Task
from stream.codec.definitions import decode_snapshot, plain
from stream.wordings import WORDINGS

NUMBERS = ("partitions", "customers_max", "retention_ms", "since_ms", "until_ms")
"""Parts of a Task that are kept as they are. Processes are none: outcomes do not hang on them."""
FUTURE = "future"  # the reason of rows that are refused by the clock


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """What was read to make a task: definitions (YAML) and model ("" for one trained) of each variant; the mapping."""

    definitions: tuple[str, ...]
    models: tuple[str, ...]
    mapping: str = ""


def recipe_of(task: Task, sources: Sequence[Any], texts: Texts, fit: Fit) -> dict[str, Any]:
    """The recipe of a run over files; one over topics has no sources and cannot be run again from files.

    The clock is in it only if it has refused a row: else the same run gives the same recipe at any time.
    """
    trainer = dataclasses.asdict(dataclasses.replace(task.trainer, words={}))
    trainer.pop("words")
    files = [one for one in sources if isinstance(one, FileSource)]
    return {
        "sources": [{"file": _name(one.path), "topic": one.topic} for one in files]
        if len(files) == len(sources)
        else [],
        "variants": [
            {"definitions": definitions, "model": model}
            for definitions, model in zip(texts.definitions, texts.models, strict=True)
        ],
        "mapping": texts.mapping,
        "schedule": dataclasses.asdict(task.schedule),
        "trainer": trainer,
        **{name: getattr(task, name) for name in NUMBERS},
        "newest_ms": task.newest_ms if FUTURE in fit.misfits else NEVER_MS,
    }


def _name(path: Path) -> str:
    """As it was given; of a whole path only the end: the page goes to people who need not know this machine."""
    return path.name if path.is_absolute() else str(path)


def task_of(recipe: dict[str, Any]) -> Task:
    """The task again; raises ValueError, KeyError or TypeError for what is no recipe."""
    variants = []
    for one in recipe["variants"]:
        snapshot = decode_snapshot(one["model"].encode()) if one["model"] else None
        variants.append(Variant(parse(plain(one["definitions"]), recorded=True), snapshot, trained=snapshot is None))
    return Task(
        variants=tuple(variants),
        schedule=Schedule(**recipe["schedule"]),
        trainer=TrainerSettings(**recipe["trainer"], words=WORDINGS),
        keep_entries=len(variants) > 1,
        periods=True,
        **{name: recipe[name] for name in (*NUMBERS, "newest_ms")},
    )


def sources_of(recipe: dict[str, Any], folder: Path) -> list[FileSource]:
    """The files of the run: relative names are looked for in `folder`."""
    mapping = parse_mapping(plain(recipe["mapping"])) if recipe["mapping"] else None
    return [
        FileSource(folder / one["file"], number, one["topic"], mapping) for number, one in enumerate(recipe["sources"])
    ]
