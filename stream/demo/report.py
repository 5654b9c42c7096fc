"""The end of the demo: does everything add up, and what came of the year, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.engine import UNASSIGNED
from stream.demo.screen import LATENCY, date, milliseconds
from stream.words import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.demo.run import Standing

SNAPSHOTS_MIN = 1  # a year played in a second may bring no second one: samples are taken once a fetch
NAME_WIDTH = 12  # of the first column


@dataclass(frozen=True, slots=True)
class Result:
    """The year in figures, all read from outside the worker: its metrics, its topics, and what was sent.

    `kept` is what a subscriber finds in the memberships topic after the worker's last checkpoint; None when the
    worker still runs.
    """

    sent: dict[str, int]
    applied: dict[str, int]
    refused: dict[str, int]
    expected_refused: dict[str, int]
    duplicates: int
    expected_duplicates: int
    late: int
    customers: int
    changes: dict[tuple[str, str], int]
    told: int
    counted_changes: int
    snapshots: int
    model_version: int
    segments: dict[str, dict[str, int]]
    kept: dict[str, dict[str, int]] | None
    exit_code: int | None
    latency_p50_s: float | None
    latency_p99_s: float | None
    seconds: float

    @property
    def events(self) -> int:
        """Records sent to the input topics, good and bad."""
        return sum(self.sent.values())

    @property
    def applied_count(self) -> int:
        """Events applied, duplicates included."""
        return sum(self.applied.values())

    @property
    def refused_count(self) -> int:
        """Dead letters."""
        return sum(self.refused.values())

    @property
    def accounted(self) -> int:
        """Records of which it is known what became of them."""
        return self.applied_count + self.refused_count

    @property
    def events_per_s(self) -> float:
        """Records sent and accounted for in a second, from the first sent to the last."""
        return self.events / self.seconds if self.seconds else 0.0

    def findings(self) -> list[str]:
        """What is not as it should be; empty means that the demo succeeded."""
        parts = f"{self.applied_count:,} were applied and {self.refused_count:,} refused"
        published = f"the worker published {self.counted_changes:,}"
        checks = [
            (self.accounted == self.events, f"of {self.events:,} records {parts}: that does not add up"),
            (self.refused == self.expected_refused, f"dead letters {self.refused}, expected {self.expected_refused}"),
            (
                self.duplicates == self.expected_duplicates,
                f"{self.duplicates} duplicates were seen, but {self.expected_duplicates} were sent",
            ),
            (self.told == self.counted_changes, f"{self.told:,} changes were received, but {published}"),
            (self.snapshots >= SNAPSHOTS_MIN, f"{self.snapshots} model snapshots adopted, not {SNAPSHOTS_MIN}"),
            (not self.disagreements(), f"memberships and changes disagree: {'; '.join(self.disagreements())}"),
            (not self.exit_code, f"the worker's exit code at SIGTERM was {self.exit_code}"),
        ]
        empty = [f"nobody is in any segment of {name}" for name, sizes in self.segments.items() if not sizes]
        return [text for holds, text in checks if not holds] + empty

    def disagreements(self) -> list[str]:
        """Segments whose size is another in the memberships than by all changes."""
        if self.kept is None:
            return []
        return [
            f"{dimension} {segment} {kept:,} and {counted:,}"
            for dimension in self.kept | self.segments
            for segment in self.kept.get(dimension, {}) | self.segments.get(dimension, {})
            if (kept := self.kept.get(dimension, {}).get(segment, 0))
            != (counted := self.segments.get(dimension, {}).get(segment, 0))
        ]

    def document(self) -> dict[str, Any]:
        """The result for programs."""
        return {
            "events": self.events,
            "customers": self.customers,
            "changes": sum(self.changes.values()),
            "dead_letters": self.refused_count,
            "duplicates": self.duplicates,
            "late_events": self.late,
            "snapshots": self.snapshots,
            "model_version": self.model_version,
            "events_per_s": round(self.events_per_s, 1),
            "latency_p50_ms": _rounded_ms(self.latency_p50_s),
            "latency_p99_ms": _rounded_ms(self.latency_p99_s),
            "seconds": round(self.seconds, 1),
            "segments": self.segments,
            "findings": self.findings(),
        }


def result_of(standing: Standing, kept: dict[str, dict[str, int]] | None, clustered: Iterable[str] = ()) -> Result:
    """Collect the result when the last change has been received; `clustered` are the dimensions of clusters."""
    found, player, tally = standing.figures, standing.player, standing.tally
    adopted = found.total("segstream_adoptions_total", document="model")
    customers, segments = int(found.total("segstream_customers")), tally.populated()
    for dimension in clustered:
        segments[dimension] = _with_unassigned(segments[dimension], customers)
    return Result(
        sent=dict(player.sent),
        applied=_whole(found.by("segstream_events_applied_total", "topic")),
        refused=_whole(found.by("segstream_dead_letters_total", "reason")),
        expected_refused=dict(player.refusals),
        duplicates=int(found.total("segstream_duplicate_events_total")),
        expected_duplicates=player.duplicate_count,
        late=int(found.total("segstream_late_events_total")),
        customers=customers,
        changes=dict(tally.changes),
        told=standing.told_count,
        counted_changes=int(found.total("segstream_changes_total")),
        snapshots=int(adopted) // player.partitions,  # every partition adopts each
        model_version=int(found.most("segstream_model_version")),
        segments=segments,
        kept=kept,
        exit_code=standing.exit_code,
        latency_p50_s=found.quantile(LATENCY, 0.5),
        latency_p99_s=found.quantile(LATENCY, 0.99),
        seconds=(standing.accounted_s or player.ended_s or 0.0) - (player.started_s or 0.0),
    )


def _with_unassigned(sizes: dict[str, int], customers: int) -> dict[str, int]:
    """Sizes of clusters with everybody: nobody is told of beginning as `unassigned`, so changes do not count them."""
    found = {name: size for name, size in sizes.items() if name != UNASSIGNED}
    rest = customers - sum(found.values())
    return found | {UNASSIGNED: rest} if rest else found


def summary(result: Result, standing: Standing) -> str:
    """The result for people."""
    player, tally = standing.player, standing.tally
    lines = [
        f"{date(player.start_ms)} to {date(player.end_ms)} in {result.seconds:.0f} s",
        "",
        *_events(result),
        "",
        *_changes(result),
        "",
        "Customers in each segment at the end",
        *(_row(name, _counts(_labelled(sizes, tally.labels))) for name, sizes in result.segments.items()),
        "",
        f"Ada, whom the demo followed ({tally.untold_count} changes of intent, rfm and behaviour are left out)",
    ]
    for change in tally.story:
        told = sentence(change).removeprefix(f"{change['customer_id']} ")
        lines.append(f"  {change['decided_at'][:10]}  {told}")
    findings = result.findings()
    if findings:
        lines += ["", "Not as it should be:", *(f"  {finding}" for finding in findings)]
    return "\n".join(lines)


def _events(result: Result) -> Iterable[str]:
    yield "Events"
    yield _row("sent", f"{result.events:,} = " + _counts(result.sent))
    yield _row("applied", f"{result.applied_count:,}, {result.duplicates} of them duplicates, {result.late:,} late")
    yield _row("dead letters", f"{result.refused_count:,} = " + _counts(result.refused))
    yield _row("together", f"{result.accounted:,}" + (": none is missing" if result.accounted == result.events else ""))
    yield _row("customers", f"{result.customers:,}")
    yield _row("speed", f"{result.events_per_s:,.0f} events a second: the pace of this demo, no limit")


def _changes(result: Result) -> Iterable[str]:
    by_dimension, by_trigger = Counter[str](), Counter[str]()
    for (dimension, trigger), count in result.changes.items():
        by_dimension[dimension] += count
        by_trigger[trigger] += count
    yield "Changes"
    yield _row("published", f"{by_dimension.total():,} = " + _counts(dict(by_dimension.most_common())))
    yield _row("because of", _counts(dict(by_trigger.most_common())))
    yield _row(
        "latency",
        f"p50 {milliseconds(result.latency_p50_s)}, p99 {milliseconds(result.latency_p99_s)} "
        "from an event in Kafka to its acknowledged changes",
    )
    yield _row("model", f"{result.snapshots} snapshots adopted, now version {result.model_version}")


def _row(name: str, text: str) -> str:
    return f"  {name:<{NAME_WIDTH}}  {text}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _labelled(sizes: dict[str, int], labels: dict[str, str]) -> dict[str, int]:
    return {f"{segment} ({labels[segment]})" if segment in labels else segment: n for segment, n in sizes.items()}


def _whole(figures: dict[str, float]) -> dict[str, int]:
    return {name: int(count) for name, count in figures.items() if count}


def _rounded_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
