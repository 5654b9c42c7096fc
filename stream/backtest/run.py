"""A whole backtest: sources, variants and a schedule in; a Result out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from models.clusters.settings import TrainerSettings
from models.definitions.document import CLUSTER
from stream.backtest.crew import Crew, crew
from stream.backtest.directory import Directory
from stream.backtest.fitted import Fitted, Shape
from stream.backtest.fitting import Fitter
from stream.backtest.order import NotInOrderError, in_order, sorted_runs
from stream.backtest.partition_run import Ended, Options, Variant
from stream.backtest.periods import joined as periods_of
from stream.backtest.play import Learning, Played, Schedule, Source, joined, learning, play
from stream.backtest.reading import FileSource
from stream.backtest.result import Input, Outcome, Result, Speed
from stream.backtest.route import Route
from stream.backtest.tally import codes_of
from stream.backtest.target import Target
from stream.backtest.usage import Usage, usage
from stream.clock import monotonic_s
from stream.codec.digests import Digest, file_digest
from stream.errors import SegstreamError


@dataclass(frozen=True, slots=True)
class Task:
    """What to run, and how.

    Attributes
    ----------
    variants : the definitions to run side by side; the first is the one that is asked about.
    partitions : logical ones: the outcome hangs on their number, and not on that of `processes`.
    newest_ms : events after this time are refused: no clock is so far ahead.
    since_ms, until_ms : events before the one are left out; the run ends at the other.
    moments : times (epoch ms, ascending) at which everybody is written down.
    changes_folder : where the change log of the first variant goes; "" for nowhere.
    periods : whether months and weeks of the first variant are counted, for the report.
    customer : whose row is kept, for an explanation; "" for nobody.
    target : what is counted of each customer, for a score; None for nothing.
    """

    variants: tuple[Variant, ...]
    schedule: Schedule
    trainer: TrainerSettings
    newest_ms: int
    partitions: int = 4
    processes: int = 1
    customers_max: int = 2_000_000
    moments: tuple[int, ...] = ()
    until_ms: int | None = None
    retention_ms: int = 0
    since_ms: int = 0
    keep_entries: bool = False
    changes_folder: str = ""
    periods: bool = False
    customer: str = ""
    target: Target | None = None

    @property
    def shape(self) -> Shape:
        """What is kept of each event: every attribute that some definitions declare."""
        declared = dict.fromkeys(one for variant in self.variants for one in variant.definitions.attributes)
        categories = dict.fromkeys(one for variant in self.variants for one in variant.definitions.categories)
        return Shape(tuple(declared), bool(self.changes_folder), tuple(categories))


@dataclass(slots=True)
class Watch:
    """Who looks on: told the share done (0 to 1) and the events so far; asked whether to stop; told remarks."""

    progress: Callable[[float, int], None] = lambda *_: None
    stopped: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda _: None


def span(sources: Sequence[Source], task: Task) -> tuple[int, int]:
    """The times of the first and the last event of all sources: a reading of its own, before the run."""
    fitter = Fitter(task.shape, Directory(task.partitions), task.newest_ms)
    times = [
        (int(records["ts_ms"].min()), int(records["ts_ms"].max()))
        for source in sources
        for records in source.records(fitter)
        if len(records)
    ]
    if not times:
        raise _no_event(sources, fitter)
    first_ms, last_ms = min(first for first, _ in times), max(last for _, last in times)
    return max(first_ms, task.since_ms), last_ms if task.until_ms is None else min(last_ms, task.until_ms)


@dataclass(slots=True)
class _Ran:
    fitter: Fitter
    played: Played
    ended: list[Ended]
    learner: Learning | None
    first_ms: int
    speed: Speed


def backtest(sources: Sequence[Source], task: Task, watch: Watch | None = None) -> Result:
    """Run the task over the sources.

    Raises
    ------
    SegstreamError : a source cannot be read, or there is no event that fits.
    """
    watch = watch or Watch()
    try:
        ran = _run(sources, task, watch, None)
    except NotInOrderError as error:
        name = sources[error.source].name
        watch.say(f"{name} is not in time order: sorting it first, on disk")
        folder = Path(tempfile.mkdtemp(prefix="segstream-sort-"))
        try:
            ran = _run(sources, task, watch, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return _result(sources, task, ran)


def _run(sources: Sequence[Source], task: Task, watch: Watch, folder: Path | None) -> _Ran:
    """One pass; with a folder every source is sorted there first."""
    fitter = Fitter(task.shape, Directory(task.partitions), task.newest_ms)
    blocks, first = _first(_since(_ordered(sources, fitter, folder), task.since_ms))
    if first is None:
        raise _no_event(sources, fitter)
    first_ms = int(first["ts_ms"][0])
    options = Options(
        task.variants,
        task.shape,
        first_ms,
        task.customers_max,
        task.retention_ms,
        task.keep_entries,
        task.changes_folder,
        task.periods,
        task.partitions,
        task.customer,
        task.target,
    )
    team = crew(options, task.partitions, task.processes)
    try:
        return _played(sources, task, watch, fitter, team, blocks, first_ms)
    finally:
        team.close()


def _played(
    sources: Sequence[Source], task: Task, watch: Watch, fitter: Fitter, team: Crew, blocks: Iterator[Fitted],
    first_ms: int,
) -> _Ran:  # fmt: skip
    wants_model = any(
        variant.trained and dimension.kind == CLUSTER
        for variant in task.variants
        for dimension in variant.definitions.dimensions
    )
    learner = learning(task.schedule, task.trainer) if wants_model or _uses_cuts(task) else None
    before, started_s = [usage(), *team.usages()], monotonic_s()
    total = sum(source.total for source in sources)
    played = play(
        blocks,
        team,
        Route(fitter.directory, task.customers_max),
        learner,
        task.schedule,
        moments=task.moments,
        until_ms=task.until_ms,
        stopped=watch.stopped,
        on_progress=lambda events: watch.progress(sum(s.done for s in sources) / max(total, 1), events),
    )
    end_ms = played.last_ms if task.until_ms is None or not played.complete else task.until_ms
    ended = [answer.result() for answer in team.ask("end", end_ms)]
    seconds, after = monotonic_s() - started_s, [usage(), *team.usages()]
    played.last_ms = end_ms
    return _Ran(fitter, played, ended, learner, first_ms, _speed(seconds, before, after))


def _uses_cuts(task: Task) -> bool:
    """Quintiles and tiers come from the model too, also where no dimension is of clusters."""
    return any(variant.trained for variant in task.variants)


def _speed(seconds: float, before: list[Usage], after: list[Usage]) -> Speed:
    cpu_s = sum(one.cpu_s for one in after) - sum(one.cpu_s for one in before)
    return Speed(seconds, cpu_s, sum(one.peak_rss_bytes for one in after))


def _ordered(sources: Sequence[Source], fitter: Fitter, folder: Path | None) -> Iterator[Fitted]:
    if folder is None:
        return in_order([source.records(fitter) for source in sources])
    runs: list[Iterator[Fitted]] = []
    for i, source in enumerate(sources):
        place = folder / str(i)
        place.mkdir()
        runs += sorted_runs(source.records(fitter), place, fitter.shape.dtype())
    return in_order(runs)


def _since(blocks: Iterator[Fitted], since_ms: int) -> Iterator[Fitted]:
    for block in blocks:
        yield block if block["ts_ms"][0] >= since_ms else block[block["ts_ms"] >= since_ms]


def _first(blocks: Iterator[Fitted]) -> tuple[Iterator[Fitted], Fitted | None]:
    """The first block that holds anything, and all of them with it."""
    for block in blocks:
        if len(block):
            return chain([block], blocks), block
    return iter(()), None


def _no_event(sources: Sequence[Source], fitter: Fitter) -> SegstreamError:
    return SegstreamError(
        f"no event fits in {', '.join(source.name for source in sources)}: {_reasons(fitter)}",
        "give --topic where the rows do not say it, or --mapping for a foreign schema",
    )


def _reasons(fitter: Fitter) -> str:
    found = fitter.found.misfits.items()
    return ", ".join(f"{count:,} x {reason}" for reason, count in found) or "there are no rows"


def _result(sources: Sequence[Source], task: Task, ran: _Ran) -> Result:
    ended = ran.ended
    customers = joined([one.customers for one in ended])
    models = ran.learner.snapshots if ran.learner else []
    outcomes = []
    for v, variant in enumerate(task.variants):
        totals = ended[0].totals[v]
        for one in ended[1:]:
            totals = totals.add(one.totals[v])
        digest = Digest()
        for one in ended:
            digest.update(one.digests[v])
        outcomes.append(
            Outcome(
                definitions=variant.definitions,
                models=list(models) if variant.trained else [variant.snapshot] if variant.snapshot else [],
                codes=codes_of(variant.definitions),
                totals=totals,
                digest=digest.hexdigest(),
                counters=np.sum([one.counters[v] for one in ended], axis=0),
                segments=customers.segments[v],
                since_ms=customers.since_ms[v],
                entered=np.concatenate([one.entered[v] for one in ended]),
                latest=np.concatenate([one.latest[v] for one in ended]),
            )
        )
    return Result(
        inputs=[_input(source) for source in sources],
        fit=ran.fitter.found,
        events=ran.played.events,
        by_kind=np.sum([one.by_kind for one in ended], axis=0),
        first_ms=ran.first_ms,
        last_ms=ran.played.last_ms,
        partitions=task.partitions,
        processes=task.processes,
        customers=customers,
        variants=outcomes,
        speed=ran.speed,
        complete=ran.played.complete,
        at=ran.played.at,
        calendar=periods_of([one.calendar for one in ended]),
        drifts=ran.learner.trainer.drifts if ran.learner else [],
        row=next((one.row for one in ended if one.row is not None), None),
    )


def _input(source: Source) -> Input:
    if isinstance(source, FileSource):
        return Input(source.name, source.path.stat().st_size, file_digest(str(source.path)))
    return Input(source.name, 0, "")
