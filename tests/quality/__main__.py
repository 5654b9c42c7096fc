"""`make quality`: the clusters measured on real and simulated customers; `--json` for programs."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.clusters.registry import LEARNERS
from models.clusters.settings import TrainerSettings
from models.clusters.shape import Snapshot
from models.customers.row import DAY_MS
from stream.codec.definitions import encode_snapshot
from stream.simulate.archetypes import ARCHETYPES
from stream.wordings import WORDINGS
from tests.quality.courses import REAL, SHIFTED, Course, simulated, steady
from tests.quality.labelled import measure, streams
from tests.quality.walk import Seen, Walker, walk

FOUND_DAYS = 3  # a known change is to be found within
NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `aim` as people read it, empty where there is none."""

    data: str
    measure: str
    value: float | str
    aim: str = ""


def rows_of(seen: Seen) -> Iterator[Row]:
    """The figures of a course."""
    course, name = seen.course, seen.course.name
    lasting = [s for s in seen.snapshots if s.as_of_ms >= course.from_ms]
    ours, batch = seen.silhouettes[-1]
    fresh = seen.inertia_ratios[:-1]
    yield Row(name, "inertia / batch, new snapshots, median", round(float(np.median(fresh)), 3), "<= 1.05")
    yield Row(name, "inertia / batch, new snapshots, worst", round(max(fresh), 3))
    yield Row(name, "inertia / batch, just before the next, median", round(float(np.median(seen.stale_ratios)), 3))
    yield Row(name, "silhouette, batch's", f"{ours:.3f}, {batch:.3f}")
    yield Row(
        name, "clusters, first and last", f"{len(seen.snapshots[0].clusters)}, {len(seen.snapshots[-1].clusters)}"
    )
    if course.labels is not None:
        yield Row(name, "adjusted Rand index at the end", round(seen.aris[-1], 3), "> 0.8")
    moved = seen.moved / max(seen.customer_weeks, 1.0)
    yield Row(name, "customers moved a week by new models", round(moved, 4), "< 0.01" if course.calm else "")
    yield Row(name, "flaps a thousand customer-weeks", round(1_000 * seen.flaps / max(seen.customer_weeks, 1.0), 2))
    kinds = [one.kind for snapshot in lasting for one in snapshot.lineage]
    yield Row(name, "snapshots, held", f"{len(seen.snapshots)}, {sum(s.held for s in seen.snapshots)}")
    yield Row(name, "ids kept, merged, disappeared", f"{kinds.count('survived')}, {_gone(lasting)}")
    yield from _alarms(seen)


def _gone(snapshots: list[Snapshot]) -> str:
    merged = gone = 0
    for snapshot in snapshots:
        for one in snapshot.lineage:
            merged += len(set(one.from_ids) - set(one.to_ids)) if one.kind == "merged" else 0
            gone += one.kind == "disappeared"
    return f"{merged}, {gone}"


def _alarms(seen: Seen) -> Iterator[Row]:
    course, alarms = seen.course, [one.as_of_ms for one in seen.drifts]
    if course.calm:
        yield Row(course.name, "false alarms", len(alarms), "0")
        return
    for change in course.changes_ms:
        delays = [(at - change) // DAY_MS + 1 for at in alarms if change <= at < change + 21 * DAY_MS]
        found: float | str = delays[0] if delays else NOT_FOUND
        yield Row(course.name, "days until the change was found", found, f"<= {FOUND_DAYS}")
    early = [at for at in alarms if not any(0 <= at - change < 21 * DAY_MS for change in course.changes_ms)]
    yield Row(course.name, "other alarms", len(early))


def rows(folder: Path, wanted: str, seeds: Sequence[int]) -> Iterator[Row]:
    """Every figure, over all seeds; a data set that is not there is said so."""
    for make in REAL:
        if wanted in make.__name__:
            yield from _real(make, folder, seeds)
    for name, of in (("simulated", _simulated), ("shifted", _shifted)):
        if wanted in name:
            yield from merged([list(of(folder, seed)) for seed in seeds])
    for name in streams() if wanted in "labelled" else ():
        for learner in sorted(LEARNERS):
            found = measure(name, learner)
            yield Row(name, f"{learner}: ARI, batch's", f"{found.ari:.3f}, {found.batch_ari:.3f}")
            yield Row(name, f"{learner}: inertia / batch", round(found.inertia_ratio, 3))


def _real(make: Callable[[Path], Course], folder: Path, seeds: Sequence[int]) -> Iterator[Row]:
    try:
        course = make(folder)
    except FileNotFoundError as error:
        yield Row(make.__name__.replace("_", " "), "cannot be had", str(error.filename or error))
        return
    yield from merged([list(_told(walk(course, _settings(seed)), folder)) for seed in seeds])


def _simulated(folder: Path, seed: int) -> Iterator[Row]:
    """The archetypes, found, and with their number told."""
    course = simulated(seed)
    yield from _told(walk(course, _settings(seed)), folder)
    seen = walk(course, _settings(seed, len(ARCHETYPES)))
    yield Row(course.name, f"adjusted Rand index, {len(ARCHETYPES)} clusters given", round(seen.aris[-1], 3), "> 0.8")


def _shifted(folder: Path, seed: int) -> Iterator[Row]:
    """The calm run, and from the day of the change on those in which one thing changes."""
    courses = [make(seed) for make in SHIFTED]
    calm = Walker(steady(seed), _settings(seed))
    calm.until(min(courses[0].changes_ms))
    changed = [calm.turned(course) for course in courses]
    for walker in (calm, *changed):
        yield from _told(walker.end(), folder)


def _settings(seed: int, clusters: int = 0) -> TrainerSettings:
    return TrainerSettings(clusters=clusters, seed=seed, words=WORDINGS)


def _told(seen: Seen, folder: Path) -> Iterator[Row]:
    """The figures of a course; its last model is kept, for `segstream personas`."""
    name = seen.course.name.replace(", ", "_").replace(" ", "_")
    (folder / f"{name}.model.json").write_bytes(encode_snapshot(seen.snapshots[-1]))
    return rows_of(seen)


def merged(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """One row of each figure: the middle of its numbers, the least and the most."""
    return [_merged(several) for several in zip(*runs, strict=True)]


def _merged(several: Sequence[Row]) -> Row:
    values = [row.value for row in several]
    one = several[0]
    if len(values) == 1 or (any(isinstance(value, str) for value in values) and NOT_FOUND not in values):
        return Row(one.data, one.measure, "; ".join(map(str, values)) if len(values) > 1 else values[0], one.aim)
    ranked = sorted(values, key=lambda value: math.inf if isinstance(value, str) else value)
    return Row(one.data, one.measure, f"{ranked[len(ranked) // 2]} ({ranked[0]} to {ranked[-1]})", one.aim)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="make quality", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the data packages are")
    parser.add_argument("--only", default="", help="a part of a course's name")
    parser.add_argument(
        "--seeds", default="7", help="of the simulation and the trainer, as 1,2,3: middle, least and most"
    )
    parser.add_argument("--json", action="store_true", help="a list of {data, measure, value, aim}")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for row in rows(given.folder, given.only, [int(seed) for seed in given.seeds.split(",")]):
        found.append({"data": row.data, "measure": row.measure, "value": row.value, "aim": row.aim})
        if not given.json:
            sys.stdout.write(f"{row.data:<26} {row.measure:<46} {row.value!s:>22}  {row.aim}\n")
            sys.stdout.flush()
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
