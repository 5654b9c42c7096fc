"""What each bench is to reach: the aims stand beside the figures, reached or not."""

from __future__ import annotations

from typing import Final, NamedTuple


class Aim(NamedTuple):
    """A bound for one figure."""

    at_least: bool
    value: float

    def __str__(self) -> str:
        return f"aim {'at least' if self.at_least else 'under'} {self.value:,g}"


# On one worker with all dimensions on. Sweep, recovery and memory: for a million customers.
AIMS: Final[dict[str, dict[str, Aim]]] = {
    "throughput": {
        "worker_events_per_s": Aim(at_least=True, value=120_000),
        "ratio": Aim(at_least=True, value=50),
        "cpu_us_per_event": Aim(at_least=False, value=7),
    },
    "latency": {"p99_ms": Aim(at_least=False, value=15), "core_share": Aim(at_least=False, value=0.25)},  # at 1,000/s
    "training": {"p99_ratio": Aim(at_least=False, value=1.1)},  # with training at full rate over without
    "sweep": {"seconds": Aim(at_least=False, value=0.3)},
    "recovery": {"seconds": Aim(at_least=False, value=10)},  # with a full debt
    "checkpoint": {"us_per_event": Aim(at_least=False, value=0.5)},  # at 100,000 customers; 1.5 at a million
    "memory": {"rss_mb": Aim(at_least=False, value=1000)},  # at the peak
    "scaling": {"cpu_ratio": Aim(at_least=False, value=1.5)},  # the dearest event of all sizes over the cheapest
}


def with_aims(bench: str, figures: dict[str, object]) -> dict[str, object]:
    """The figures of a bench and, under `aims`, a bound for some of them: [">=" or "<", value]."""
    aims = {name: [">=" if aim.at_least else "<", aim.value] for name, aim in AIMS.get(bench, {}).items()}
    return {**figures, "aims": aims} if aims else figures
