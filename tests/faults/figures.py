"""What a run of one seed showed, and how it is told: a line, JSON, a table by scenario."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LINE_MAX = 200  # of a failure, in a line of the list


@dataclass(slots=True)
class Figures:
    """One seed's. `failure` is empty when everything agreed at the end."""

    scenario: str
    seed: int
    events: int = 0  # sent and acknowledged, refused ones counted
    refused: int = 0  # of them, dead letters
    hits: int = 0  # kills, stops, freezes: what was done on purpose
    restarts: int = 0  # of processes that ended, by a kill or by themselves
    changes: int = 0
    copies: int = 0  # of changes on the topic, beside the first: what a subscriber drops
    recovery_s: float = 0.0  # the longest from a hit until every partition was live and events were applied again
    lost: int = 0  # events that no journal entry names, or that two name
    seconds: float = 0.0
    failure: str = ""

    def line(self) -> str:
        """One line for people."""
        verdict = "agrees" if not self.failure else f"FAILED: {self.failure.splitlines()[0][:LINE_MAX]}"
        return (
            f"seed {self.seed:>4}  {self.scenario:<31} {self.events:>7,} events {self.hits:>3} hits "
            f"{self.restarts:>3} restarts {self.copies:>5} copies  recovery {self.recovery_s:>5.1f} s  "
            f"lost {self.lost}  {self.seconds:>5.1f} s  {verdict}"
        )


@dataclass(slots=True)
class Row:
    """All runs of one scenario."""

    scenario: str
    runs: int
    events: int
    hits: int
    restarts: int
    changes: int
    copies: int
    recovery_s: float
    lost: int
    failed: int


def by_scenario(found: Iterable[Figures]) -> list[Row]:
    """Summed by scenario in the order of their first run, recovery the longest; the last row sums all."""
    groups: dict[str, list[Figures]] = {}
    for one in found:
        groups.setdefault(one.scenario, []).append(one)
    everything = [one for group in groups.values() for one in group]
    return [_row(name, group) for name, group in groups.items()] + [_row("all", everything)]


def _row(name: str, group: Sequence[Figures]) -> Row:
    def total(field: str) -> int:
        return sum(int(getattr(one, field)) for one in group)

    sums = {field: total(field) for field in ("events", "hits", "restarts", "changes", "copies", "lost")}
    longest_s = max((one.recovery_s for one in group), default=0.0)
    return Row(name, len(group), **sums, recovery_s=longest_s, failed=sum(bool(one.failure) for one in group))


HEAD = {
    "scenario": "scenario",
    "runs": "runs",
    "events": "events",
    "hits": "kills, stops",
    "restarts": "restarts",
    "changes": "changes",
    "copies": "duplicates seen downstream",
    "recovery_s": "longest recovery, s",
    "lost": "lost",
    "failed": "failed",
}


def markdown(rows: Iterable[Row], laws: Mapping[str, str]) -> str:
    """The table of docs/reliability.md; `laws` say of each scenario what is done and what must hold."""
    lines = ["| " + " | ".join(("scenario", "what is done", *list(HEAD.values())[1:])) + " |"]
    lines.append("|---|---|" + "---:|" * (len(HEAD) - 1))
    for row in rows:
        cells = [_shown(getattr(row, name)) for name in list(HEAD)[1:]]
        lines.append("| " + " | ".join((row.scenario, laws.get(row.scenario, ""), *cells)) + " |")
    return "\n".join(lines) + "\n"


def plain(rows: Iterable[Row]) -> str:
    """The same for a terminal."""
    table = [list(HEAD.values())] + [[_shown(getattr(row, name)) for name in HEAD] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    lines = []
    for line in table:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        lines.append("  ".join([line[0].ljust(widths[0]), *cells[1:]]))
    return "\n".join(lines)


def as_json(found: Sequence[Figures]) -> str:
    """Every run, and the sums."""
    rows = [dataclasses.asdict(row) for row in by_scenario(found)]
    return json.dumps({"scenarios": rows, "seeds": [dataclasses.asdict(one) for one in found]}, indent=1)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
