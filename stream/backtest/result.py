"""Result: what came out of a backtest, as plain arrays, for words, JSON, Parquet and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.clusters.snapshot import Snapshot
from models.customers.row import DAY_MS
from models.definitions.document import CLUSTER, Definitions
from models.engine import UNASSIGNED
from models.events import MINOR_PER_MAJOR
from models.workspace import DECISIONS, DUPLICATES, HELD, LATE_EVENTS, SUPPRESSED
from stream.backtest.fitted import Fit
from stream.backtest.partition_run import Customers
from stream.backtest.periods import Calendar
from stream.backtest.tally import Codes, Totals
from stream.codec.times import iso

if TYPE_CHECKING:  # River, 37 MB, only where there is a trainer
    from models.clusters.drift import Drift

BYTES_PER_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its name, what was read of it, and the digest of the file's bytes ("" where there is no file)."""

    name: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Speed:
    """What a run took, from the first byte read to the last answer; starting and compiling are not in it."""

    seconds: float
    cpu_s: float  # of all processes
    peak_rss_bytes: int  # of all processes together

    def of(self, events: int) -> dict[str, float]:
        """Figures for programs."""
        return {
            "seconds": round(self.seconds, 3),
            "events_per_s": round(events / max(self.seconds, 1e-9)),
            "events_per_s_core": round(events / max(self.cpu_s, 1e-9)),
            "peak_rss_mb": round(self.peak_rss_bytes / BYTES_PER_MB, 1),
        }


@dataclass(slots=True)
class Outcome:
    """One variant: its documents, what its changes add up to, and a digest of every change in order.

    Attributes
    ----------
    models : the snapshots adopted, oldest first.
    codes : how segments are numbered in `totals`.
    segments, since_ms : of `Result.customers` at the end, [n, dimensions]: codes, and since when (epoch ms).
    entered, latest : [n, codes] minutes since 1970 of the first and latest entry; kept for comparisons only.
    """

    definitions: Definitions
    models: list[Snapshot]
    codes: Codes
    totals: Totals
    digest: str
    counters: NDArray[np.int64]
    segments: NDArray[np.int64]
    since_ms: NDArray[np.int64]
    entered: NDArray[np.int32]
    latest: NDArray[np.int32]

    @property
    def dimensions(self) -> list[str]:
        """Names in their order."""
        return [dimension.name for dimension in self.definitions.dimensions]

    def names(self, dimension: int) -> list[str]:
        """Segment names of a dimension by code; of clusters those that the models had. Code 0 is "none"."""
        entry = self.definitions.dimensions[dimension]
        if entry.kind != CLUSTER:
            return ["none", *(segment.name for segment in entry.segments)]
        last = max((cluster.id for model in self.models for cluster in model.clusters), default=0)
        return [UNASSIGNED, *(f"cluster-{i}" for i in range(1, last + 1))]

    def sizes(self, dimension: int) -> NDArray[np.int64]:
        """Members at the end of each day, [days, codes]; customers without an answer yet are in no column."""
        first = self.codes.first[dimension]
        grown = self.totals.sizes[:, first : first + len(self.names(dimension))]
        return np.cumsum(grown, axis=0)

    def flows(self, dimension: int) -> NDArray[np.int64]:
        """Changes from one code to another in the whole run, [codes, codes]."""
        first = self.codes.first[dimension]
        there = slice(first, first + len(self.names(dimension)))
        return self.totals.flows[there, there]

    def stay_days(self, dimension: int) -> NDArray[np.float64]:
        """Mean days of the stays that have ended, by code; NaN where none has."""
        first = self.codes.first[dimension]
        there = slice(first, first + len(self.names(dimension)))
        stays = self.totals.stays[there]
        return np.where(stays > 0, self.totals.stay_ms[there] / np.maximum(stays, 1) / DAY_MS, np.nan)

    def flaps(self, dimension: int) -> NDArray[np.int64]:
        """Returns within a week into the segment that was left, by code."""
        first = self.codes.first[dimension]
        return self.totals.flaps[first : first + len(self.names(dimension))]


@dataclass(slots=True)
class Result:
    """A whole run. `complete` is False when it was interrupted: then everything is as of `last_ms`."""

    inputs: list[Input]
    fit: Fit
    events: int
    by_kind: NDArray[np.int64]
    first_ms: int
    last_ms: int
    partitions: int
    processes: int
    customers: Customers  # at the end, partition by partition
    variants: list[Outcome]
    speed: Speed
    complete: bool = True
    at: list[tuple[int, Customers]] = field(default_factory=list)  # everybody at the moments asked for
    calendar: Calendar | None = None  # months and weeks of the first variant, where they were asked for
    drifts: list[Drift] = field(default_factory=list)  # the trainer's alarms, the latest few
    row: NDArray[np.void] | None = None  # [1], of the customer asked for, under the first variant

    def summary(self) -> dict[str, Any]:
        """What `--json` prints."""
        main = self.variants[0]
        counters = main.counters
        return {
            "events": self.events,
            **self.speed.of(self.events),
            "changes": main.totals.changes,
            "digest": main.digest,
            "segments": {name: self.segment_figures(0, d) for d, name in enumerate(main.dimensions)},
            "definition": main.definitions.digest,
            "models": len(main.models),
            "drifts": [{"at": iso(one.as_of_ms), "moved": [part.series for part in one.moved]} for one in self.drifts],
            "customers": self.customers.present,
            "first": iso(self.first_ms),
            "last": iso(self.last_ms),
            "partitions": self.partitions,
            "processes": self.processes,
            "cpu_seconds": round(self.speed.cpu_s, 3),
            "decisions": int(counters[DECISIONS]),
            "late": int(counters[LATE_EVENTS]),
            "duplicates": int(counters[DUPLICATES]),
            "suppressed": int(counters[SUPPRESSED]),
            "held": int(counters[HELD]),
            "misfits": dict(sorted(self.fit.misfits.items())),
            "inputs": [{"name": one.name, "bytes": one.size_bytes, "digest": one.digest} for one in self.inputs],
            "complete": self.complete,
        }

    def segment_figures(self, variant: int, dimension: int) -> dict[str, dict[str, float | None]]:
        """Of each segment: members at the end, their share and their spend, entries, flaps, mean days of a stay."""
        outcome = self.variants[variant]
        names, codes = outcome.names(dimension), outcome.segments[:, dimension]
        codes = np.minimum(codes, len(names) - 1)
        members = np.bincount(codes, minlength=len(names))
        spend = np.bincount(codes, weights=self.customers.spend_minor, minlength=len(names)) / MINOR_PER_MAJOR
        flows, days, flaps = outcome.flows(dimension), outcome.stay_days(dimension), outcome.flaps(dimension)
        return {
            name: {
                "customers": int(members[code]),
                "share": round(members[code] / max(len(codes), 1), 6),
                "spend": round(float(spend[code]), 2),
                "entries": int(flows[:, code].sum()),
                "flaps": int(flaps[code]),
                "stay_days": None if np.isnan(days[code]) else round(float(days[code]), 3),
            }
            for code, name in enumerate(names)
            if code > 0 or members[code] > 0
        }
