"""Each dimension as figures: sizes over time, who went where, how likely each step is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.definitions.document import CLUSTER
from stream.backtest.periods import MONTH, WEEK, Period, first_day
from stream.backtest.result import Outcome, Result

POINTS_MAX = 400  # of a curve: a pixel each on a wide page; longer runs show every so manieth day
STEPS_SHOWN = 4  # columns of the flow chart: more do not fit on a phone
MONTHS_MIN = 3  # whole months from which on a run is told by months, else by weeks
WHERE_NEW = "not seen yet"


def periods_of(result: Result) -> tuple[str, list[Period]]:
    """("month" | "week", the periods), the last of which may not be whole."""
    if result.calendar is None:
        return MONTH, []
    months = result.calendar.months
    return (MONTH, months) if len(months) > MONTHS_MIN else (WEEK, result.calendar.weeks)


def name_of(kind: str, number: int) -> str:
    """A period for people: 2011-03, or the day its week begins."""
    day = first_day(kind, number)
    return f"{day:%Y-%m}" if kind == MONTH else f"{day:%Y-%m-%d}"


def dimensions(result: Result) -> list[dict[str, Any]]:
    """Every dimension of the first variant."""
    outcome = result.variants[0]
    kind, periods = periods_of(result)
    return [_dimension(result, outcome, d, kind, periods) for d in range(len(outcome.dimensions))]


def _dimension(result: Result, outcome: Outcome, d: int, kind: str, periods: list[Period]) -> dict[str, Any]:
    entry, names = outcome.definitions.dimensions[d], outcome.names(d)
    figures = result.segment_figures(0, d)
    labels = labels_of(outcome) if entry.kind == CLUSTER else {}
    matrices = [_moves(one, outcome, d, len(names)) for one in periods]
    used = [code for code, name in enumerate(names) if name in figures and (code or name not in names[1:])]
    before = _members_before(outcome, d, matrices)
    return {
        "name": entry.name,
        "description": entry.description,
        "kind": entry.kind,
        "period": kind,
        "since": name_of(kind, periods[-1].number - 1) if periods else "",
        "segments": [
            {
                "name": names[code],
                "label": labels.get(names[code], ""),
                "meaning": entry.segments[code - 1].description if 0 < code <= len(entry.segments) else "",
                "change": int(figures[names[code]]["customers"] or 0) - int(before[code]),
                **figures[names[code]],
            }
            for code in used
        ],
        "sizes": _sizes(outcome, d, used, result),
        "flows": _flows(names, kind, periods, matrices),
        "transitions": _transitions(names, used, matrices),
    }


def labels_of(outcome: Outcome) -> dict[str, str]:
    """What clusters are called, by the newest model that has them."""
    return {f"cluster-{one.id}": one.label for model in outcome.models for one in model.clusters}


def _moves(period: Period, outcome: Outcome, d: int, width: int) -> NDArray[np.int64]:
    """[width, width]: who was in a segment of the dimension at the period's start, and where at its end."""
    first, total = outcome.codes.first[d], outcome.codes.total
    end = outcome.codes.first[d + 1] if d + 1 < len(outcome.codes.first) else total
    old, new = np.divmod(period.keys, total)
    own = (old >= first) & (old < end)
    found = np.zeros((width, width), np.int64)
    np.add.at(
        found, (np.minimum(old[own] - first, width - 1), np.minimum(new[own] - first, width - 1)), period.counts[own]
    )
    return found


def _members_before(outcome: Outcome, d: int, matrices: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Members when the last period began; nobody where there is none."""
    return matrices[-1].sum(axis=1) if matrices else np.zeros(len(outcome.names(d)), np.int64)


def _sizes(outcome: Outcome, d: int, used: list[int], result: Result) -> dict[str, Any]:
    days = result.last_ms // 86_400_000 - outcome.totals.first_day + 1
    sizes = outcome.sizes(d)
    sizes = np.pad(sizes, ((0, max(0, days - len(sizes))), (0, 0)), mode="edge")[:days]
    step = max(1, -(-len(sizes) // POINTS_MAX))
    picked = np.arange((len(sizes) - 1) % step, len(sizes), step)  # the last day is always among them
    shown = [code for code in used if code > 0 or outcome.definitions.dimensions[d].kind == CLUSTER]
    return {
        "days": [int(outcome.totals.first_day + day) for day in picked],
        "values": {outcome.names(d)[code]: sizes[picked, code].tolist() for code in shown},
    }


def _flows(names: list[str], kind: str, periods: list[Period], matrices: list[NDArray[np.int64]]) -> dict[str, Any]:
    """Links between the ends of the latest periods: [step, from, to, customers]."""
    latest = list(zip(periods, matrices, strict=True))[-STEPS_SHOWN + 1 :]
    links = []
    for step, (_, moves) in enumerate(latest):
        for old, new in zip(*np.nonzero(moves), strict=True):
            origin = names[old] if old else WHERE_NEW
            links.append([step, origin, names[new] if new else WHERE_NEW, int(moves[old, new])])
    steps = [f"end of {name_of(kind, one.number - 1)}" for one, _ in latest]
    steps += ["end of the run"] if latest else []
    return {"steps": steps, "links": [one for one in links if one[1:3] != [WHERE_NEW, WHERE_NEW]]}


def _transitions(names: list[str], used: list[int], matrices: list[NDArray[np.int64]]) -> dict[str, Any]:
    """Mean share of a segment's members who are in each segment a period later; the last period may not be whole."""
    whole = matrices[1:-1]
    total = np.sum(whole, axis=0) if whole else np.zeros((len(names), len(names)), np.int64)
    codes = [code for code in used if code > 0]
    part = total[np.ix_(codes, codes)]
    shares = part / np.maximum(part.sum(axis=1, keepdims=True), 1)
    return {
        "names": [names[code] for code in codes],
        "members": part.sum(axis=1).tolist(),
        "shares": np.round(shares, 4).tolist(),
        "periods": len(whole),
    }
