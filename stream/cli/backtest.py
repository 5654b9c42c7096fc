"""`segstream backtest EVENTS...`: what would have been, under these definitions."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.options import Brokers, Json, Prefix
from stream.cli.past import files, task_of, variants_of, watching
from stream.cli.times import epoch_ms, span_ms
from stream.errors import SegstreamError
from stream.settings import Settings, help_of

if TYPE_CHECKING:
    from stream.backtest.compare import Comparison
    from stream.backtest.limits import Verdict
    from stream.backtest.partition_run import Variant
    from stream.backtest.result import Result
    from stream.backtest.run import Task
    from stream.backtest.score import Score
    from stream.backtest.target import Target

app = typer.Typer()

EXIT_FINDINGS = 1
EXIT_INTERRUPTED = 130  # the shell's word for "ended by Ctrl-C"
DAY_MS = 86_400_000
WITHIN = "30d"


class Format(enum.StrEnum):
    """How the answer is printed: for people, for programs, for a pull request."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Events = Annotated[
    list[str] | None,
    typer.Argument(metavar="EVENTS...", help="Parquet, CSV or JSON-lines files; TOPIC=FILE says a file's topic."),
]
DefinitionsFile = Annotated[str | None, typer.Option("--definitions", metavar="A.yaml", help=help_of("definitions"))]
Against = Annotated[
    str | None, typer.Option("--against", metavar="B.yaml", help="Definitions to compare with: those you think of.")
]
Model = Annotated[
    Path | None, typer.Option("--model", metavar="FILE", help="A snapshot that stays; without it one is trained.")
]
AgainstModel = Annotated[
    Path | None, typer.Option("--against-model", metavar="FILE", help="The same for what it is compared with.")
]
Mapping = Annotated[
    str | None,
    typer.Option("--mapping", metavar="NAME|FILE", help="Fields of a foreign schema: a ready mapping, or a file."),
]
Topic = Annotated[str | None, typer.Option("--topic", help="Topic of every row, if there is no such column.")]
FromTopic = Annotated[bool, typer.Option("--from-topic", help="Read the input topics of Kafka instead of files.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Leave out events before it (ISO 8601).")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="End there; later than the last event too.")]
Partitions = Annotated[
    int, typer.Option("--partitions", min=1, max=1024, help="Logical partitions: the outcome hangs on them.")
]
Processes = Annotated[
    int, typer.Option("--processes", min=1, help="Processes to spread them over: the outcome does not hang on it.")
]
Vectors = Annotated[int, typer.Option("--vectors", min=1, help="Customers the trainer looks at a day, at most.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="The moment of --members and --outcome.")]
Members = Annotated[
    Path | None, typer.Option("--members", metavar="FILE.parquet", help="Write everybody's segments at that moment.")
]
Changes = Annotated[
    Path | None, typer.Option("--changes", metavar="FOLDER", help="Write every change as the worker publishes it.")
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE.html", help="Write the whole answer as one page for a browser.")
]
OutcomeName = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="WHAT",
        help="Score how well segments tell to whom it happens after --at: purchase, 'purchase >= 50', click, open and "
        "more, or a segment that is entered, as lifecycle.dormant.",
    ),
]
Within = Annotated[str, typer.Option("--within", metavar="SPAN", help="How soon after: 30d, 39w, 12h.")]
FailIf = Annotated[
    list[str] | None,
    typer.Option("--fail-if", metavar="LIMIT", help='Exit 1 if it holds: "vip.size_change > 20%"; may be repeated.'),
]
Form = Annotated[Format, typer.Option("--format", help="How to print the answer.")]


@app.command()
def backtest(
    events: Events = None,
    *,
    definitions: DefinitionsFile = None,
    against: Against = None,
    model: Model = None,
    against_model: AgainstModel = None,
    mapping: Mapping = None,
    topic: Topic = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    partitions: Partitions = 4,
    processes: Processes = 1,
    vectors: Vectors = 64,
    at: At = None,
    members: Members = None,
    changes: Changes = None,
    report: Report = None,
    outcome: OutcomeName = None,
    within: Within = WITHIN,
    fail_if: FailIf = None,
    form: Form = Format.TEXT,
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Run past events through the kernel, with the trainer on their own time, and say what came of it.

    Files are in the words of the input schemas, or --mapping says how. The same events and definitions give the same
    digest, whatever the number of processes. Exit code 1 if a limit is broken or no row fits, 130 after Ctrl-C, which
    leaves a partial answer that says so.
    """
    from stream.backtest.target import parse

    settings = Settings.load(definitions=definitions, brokers=brokers, prefix=prefix)
    second = None if against is None and against_model is None else (against or settings.definitions, against_model)
    variants = variants_of((settings.definitions, model), second)
    limits = _limits(fail_if or [], variants)
    questions = _Questions(epoch_ms(at) if at else None, members, span_ms(within), changes, report)
    if not from_topic and not events:
        raise SegstreamError("there are no events", "name files, or give --from-topic")
    task = task_of(settings, variants, settings.partitions if from_topic else partitions, processes, vectors)
    task = dataclasses.replace(
        task,
        since_ms=epoch_ms(since) if since else 0,
        until_ms=epoch_ms(until) if until else None,
        keep_entries=second is not None,
        changes_folder=str(changes or ""),
        periods=report is not None,
        target=parse(outcome, variants[0].definitions) if outcome is not None else None,
    )
    with _sources(settings, events or [], topic, mapping, from_topic=from_topic) as sources:
        result, moments = _run(sources, task, questions)
    if report is not None:
        given = [(settings.definitions, model), *([second] if second else [])]
        _write_report(report, result, task, sources, given, mapping)
    _answer(result, task.target, moments, questions, limits, Format.JSON if as_json else form)


@dataclass(frozen=True, slots=True)
class _Questions:
    at_ms: int | None
    members: Path | None
    within_ms: int
    changes: Path | None
    report: Path | None


def _run(sources: list[Any], task: Task, asked: _Questions) -> tuple[Result, list[int]]:
    """Run; returns the result and the moments at which everybody was written down for the scores."""
    from stream.backtest.run import backtest as run
    from stream.backtest.run import span
    from stream.backtest.score import moments_for

    moments: list[int] = []
    if task.target is not None:
        first_ms, last_ms = span(sources, task)
        at_ms = last_ms - asked.within_ms if asked.at_ms is None else asked.at_ms
        moments = moments_for(first_ms, at_ms, asked.within_ms)
        if at_ms + asked.within_ms > last_ms + DAY_MS:
            _say(f"the events end before {asked.within_ms // DAY_MS} days after --at have passed")
    wanted = {*moments, *([asked.at_ms] if asked.at_ms is not None else [])}
    task = dataclasses.replace(task, moments=tuple(sorted(wanted)))
    with watching("backtest") as watch:
        return run(sources, task, watch), moments


def _answer(
    result: Result, target: Target | None, moments: list[int], asked: _Questions,
    limits: tuple[list[Any], list[Any]], form: Format,
) -> None:  # fmt: skip
    """Print and write everything that was asked, and exit with the code that says how it went."""
    from stream.backtest.compare import compare
    from stream.backtest.limits import verdicts
    from stream.backtest.score import score
    from stream.backtest.words import told

    found = compare(result) if len(result.variants) > 1 else None
    scores = []
    if target is not None and result.complete:
        scores = [score(result, one, v, moments, target) for v, one in enumerate(result.variants)]
    judged = verdicts(result, found, *limits)
    if asked.members is not None:
        _write_members(result, asked)
    if form is Format.JSON:
        typer.echo(json.dumps(_plain(result, found, scores, judged)))
    else:
        typer.echo(told(result, found, scores, judged, markdown=form is Format.MARKDOWN))
    if not result.complete:
        raise typer.Exit(EXIT_INTERRUPTED)
    if any(one.broken for one in judged):
        raise typer.Exit(EXIT_FINDINGS)


def _plain(result: Result, found: Comparison | None, scores: list[Score], judged: list[Verdict]) -> dict[str, Any]:
    plain = result.summary()
    if found is not None:
        from stream.backtest.compare import in_words

        plain["comparison"] = {**found.plain(), "words": in_words(found)}
    if scores:
        plain["scores"] = [one.plain() for one in scores]
    if judged:
        plain["limits"] = [dataclasses.asdict(one) for one in judged]
    return plain


def _write_members(result: Result, asked: _Questions) -> None:
    from stream.backtest.export import write_members

    at_ms = result.last_ms if asked.at_ms is None else asked.at_ms
    customers = dict(result.at).get(at_ms, result.customers)
    if asked.members is not None:
        count = write_members(asked.members, customers, result.variants[0], 0, at_ms)
        _say(f"{count:,} customers written to {asked.members}")


def _write_report(
    path: Path, result: Result, task: Task, sources: list[Any], given: list[Any], mapping: str | None
) -> None:
    """`given` are the definitions file and the model file of each variant."""
    from stream.backtest.compare import compare
    from stream.backtest.mapping import text_of as mapping_text
    from stream.codec.definitions import text_of
    from stream.report.document import document_of
    from stream.report.page import page
    from stream.report.recipe import Texts, recipe_of

    texts = Texts(
        tuple(text_of(definitions) for definitions, _ in given),
        tuple(model.read_text(encoding="utf-8") if model else "" for _, model in given),
        mapping_text(mapping) if mapping else "",
    )
    found = compare(result) if len(result.variants) > 1 else None
    content = page(document_of(result, recipe_of(task, sources, texts, result.fit), found))
    try:
        path.write_bytes(content.encode())
    except OSError as error:
        raise SegstreamError(f"{path} cannot be written ({error.strerror})", "give another path") from error
    _say(f"the report is {path}")


def _say(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def _sources(
    settings: Settings, events: list[str], topic: str | None, mapping: str | None, *, from_topic: bool
) -> Iterator[list[Any]]:
    if not from_topic:
        yield files(events, topic, mapping)
        return
    from stream.backtest.topics import topic_sources
    from stream.kafka.log import KafkaLog

    async def opened() -> KafkaLog:
        log = KafkaLog(settings)
        await log.start()
        return log

    with asyncio.Runner() as runner:
        log = runner.run(opened())
        try:
            yield topic_sources(settings, runner, log)
        finally:
            runner.run(log.stop())


def _limits(fail_if: list[str], variants: tuple[Variant, ...]) -> tuple[list[Any], list[Any]]:
    from stream.backtest.limits import parse

    return [parse(one) for one in fail_if], [parse(one) for one in variants[-1].definitions.budget]
