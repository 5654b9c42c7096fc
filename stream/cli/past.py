"""A run over past events, as several commands ask for it: files, definitions, the schedule, Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import typer

from stream.cli.progress import share_bar
from stream.cli.times import epoch_ms
from stream.clock import wall_ms
from stream.errors import SegstreamError
from stream.settings import Settings

if TYPE_CHECKING:
    from models.clusters.snapshot import Snapshot
    from stream.backtest.partition_run import Variant
    from stream.backtest.reading import FileSource
    from stream.backtest.run import Task, Watch

DAY_MS = 86_400_000
VECTORS = 64  # customers the trainer looks at a day, unless it is said


def moment_ms(at: str | None, events: list[str] | None) -> int | None:
    """What `--at` says, in epoch ms; it needs past events."""
    if not at:
        return None
    if not events:
        raise SegstreamError("--at needs past events", "give --events, or leave it out: live is as of now")
    return epoch_ms(at)


def files(events: list[str], topic: str | None, mapping: str | None) -> list[FileSource]:
    """Files as sources, in their order; TOPIC=FILE says a file's topic."""
    from models.events import TOPICS
    from stream.backtest.mapping import load
    from stream.backtest.reading import FileSource

    loaded = load(mapping) if mapping else None
    found = []
    for number, given in enumerate(events):
        name, _, path = given.partition("=")
        if name not in TOPICS or not path:
            name, path = topic or "", given
        found.append(FileSource(Path(path), number, name or None, loaded))
    return found


def files_of_any_schema(events: list[str], mapping: str | None) -> list[FileSource]:
    """As `files`; without a mapping each file's columns say which of the ready ones it needs, if one."""
    from models.events import PURCHASE, TOPICS
    from stream.backtest.mapping import recognised
    from stream.backtest.reading import columns_of

    found = files(events, None, mapping)
    for source in found:
        columns = columns_of(source.path)
        source.mapping = source.mapping or recognised(columns)
        if source.mapping is None and columns and "topic" not in columns and "order_id" in columns:
            source.topic = source.topic or TOPICS[PURCHASE]
    return found


def variants_of(*given: tuple[str, Path | None] | None) -> tuple[Variant, ...]:
    """What is run side by side: each a definitions file and perhaps a model."""
    from stream.backtest.partition_run import Variant
    from stream.codec.definitions import load

    found = []
    for one in given:
        if one is not None:
            snapshot = _model(one[1])
            found.append(Variant(load(one[0])[0], snapshot, trained=snapshot is None))
    return tuple(found)


def _model(path: Path | None) -> Snapshot | None:
    from stream.codec.definitions import decode_snapshot

    if path is None:
        return None
    try:
        return decode_snapshot(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SegstreamError(f"{path} is no model: {error}", "give a record's value of segment-models") from None


def task_of(
    settings: Settings, variants: tuple[Variant, ...], partitions: int = 4, processes: int = 1, vectors: int = VECTORS
) -> Task:
    """The schedule and limits that the settings say."""
    from models.clusters.settings import TrainerSettings
    from stream.backtest.play import Schedule
    from stream.backtest.run import Task
    from stream.wordings import WORDINGS

    schedule = Schedule(settings.sample_interval_ms, settings.sample_rotation, settings.snapshot_interval_ms, vectors)
    a_model = vectors * settings.snapshot_interval_ms // settings.sample_interval_ms  # cut points are of the present
    trainer = TrainerSettings(
        learner=settings.learner,
        clusters=settings.clusters,
        seed=settings.seed,
        window=max(TrainerSettings().warmup_vectors, a_model),
        words=WORDINGS,
    )
    return Task(
        variants=variants,
        schedule=schedule,
        trainer=trainer,
        newest_ms=wall_ms() + settings.future_ms_max,
        partitions=partitions,
        processes=processes,
        customers_max=settings.customers_max,
        retention_ms=settings.retention_days * DAY_MS,
    )


@contextmanager
def watching(title: str) -> Iterator[Watch]:
    """How a run over past events is followed: a bar, remarks on standard error, and Ctrl-C as in Stop."""
    from stream.backtest.run import Watch

    stop = Stop()
    with share_bar(title) as progress, stop:
        yield Watch(progress or (lambda *_: None), stop.wanted, lambda text: typer.echo(text, err=True))


class Stop:
    """Ctrl-C asks to stop between two blocks; a second one stops at once."""

    def __init__(self) -> None:
        self._wanted = False
        self._before: Any = None

    def wanted(self) -> bool:
        """Whether it was asked for."""
        return self._wanted

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, *_: object) -> None:
        if self._wanted:
            raise KeyboardInterrupt
        self._wanted = True
