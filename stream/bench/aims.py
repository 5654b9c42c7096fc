"""What a bench is to reach. An aim is of certain parameters, and stands only beside what was measured with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from stream.settings import Settings


class Aim(NamedTuple):
    """A bound for one figure."""

    at_least: bool
    value: float

    def reached(self, figure: float) -> bool:
        """Whether a figure keeps the bound."""
        return figure >= self.value if self.at_least else figure < self.value


class Aims(NamedTuple):
    """The aims of one bench, and the parameters that they are of."""

    bench: str
    parameters: Mapping[str, float | None]
    bounds: Mapping[str, Aim]


def _under(value: float) -> Aim:
    return Aim(at_least=False, value=value)


def _at_least(value: float) -> Aim:
    return Aim(at_least=True, value=value)


LIGHT: Final[dict[str, float]] = {"rate": 1_000.0, "customers": 20_000}  # what latency is promised at

# On one worker with all dimensions on.
TABLE: Final = (
    Aims(
        "throughput",
        {"events": 3_000_000, "customers": 100_000},
        {
            "worker_events_per_s": _at_least(120_000),
            "ratio": _at_least(50),
            "cpu_us_per_event": _under(7),
            "changes_per_event": _at_least(0.15),  # of the load: less would be easier
            "checkpoints": _at_least(10),  # in the run: fewer would hide what they cost
        },
    ),
    Aims(
        "latency",
        LIGHT | {"checkpoint_seconds": Settings().checkpoint_seconds},
        {"p99_ms": _under(15), "core_share": _under(0.25)},
    ),
    Aims("latency", LIGHT | {"checkpoint_seconds": 2.0}, {"p99_ms": _under(20)}),  # 15, and checkpoints add at most 5
    Aims("training", LIGHT, {"p99_ratio": _under(1.1)}),  # with training at full rate over without
    Aims("sweep", {"customers": 1_000_000}, {"seconds": _under(0.3)}),
    Aims("recovery", {"customers": 1_000_000, "debt": None}, {"seconds": _under(10)}),  # with a full debt
    Aims("checkpoint", {"events": 400_000, "customers": 100_000}, {"us_per_event": _under(0.5)}),
    Aims("checkpoint", {"events": 400_000, "customers": 1_000_000}, {"us_per_event": _under(1.5)}),
    Aims("memory", {"customers": 1_000_000}, {"rss_mb": _under(1000)}),  # at the peak
    # the dearest event of all sizes over the cheapest
    Aims("scaling", {"events": 1_200_000, "points": None}, {"cpu_ratio": _under(1.5)}),
)


def aims_of(bench: str, parameters: Mapping[str, object]) -> Mapping[str, Aim]:
    """The bounds for figures that were measured with these parameters; none where there is no aim for them."""
    for one in TABLE:
        if one.bench == bench and all(parameters[name] == value for name, value in one.parameters.items()):
            return one.bounds
    return {}


def with_aims(figures: Mapping[str, object], bounds: Mapping[str, Aim]) -> dict[str, object]:
    """The figures and, under `aims`, of those that have one: its bound, and whether it was reached."""
    aims = {
        name: {"at_least" if aim.at_least else "under": aim.value, "reached": aim.reached(figure)}
        for name, aim in bounds.items()
        if isinstance(figure := figures.get(name), int | float)
    }
    return {**figures, "aims": aims} if aims else dict(figures)


def verdict(aim: Aim | None, figure: object) -> str:
    """What stands beside a figure for people."""
    if aim is None or not isinstance(figure, int | float):
        return ""
    bound = f"aim {'at least' if aim.at_least else 'under'} {aim.value:,g}"
    return f"{bound}: {'reached' if aim.reached(figure) else 'missed'}"
