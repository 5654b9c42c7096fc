"""An aim stands beside the figures it is of, says whether it was reached, and nowhere else."""

from __future__ import annotations

import inspect
import json

import pytest

from stream.bench.aims import TABLE, Aim, aims_of, verdict, with_aims
from stream.cli import bench
from stream.settings import Settings

OTHER: dict[str, dict[str, object]] = {
    "throughput": {"customers": 20_000}, "latency": {"rate": 10_000.0}, "training": {"rate": 300.0},
    "sweep": {"customers": 50_000}, "recovery": {"debt": 5_000}, "checkpoint": {"customers": 50_000},
    "memory": {"customers": 50_000}, "scaling": {"points": [10_000]},
}  # fmt: skip


def defaults(name: str) -> dict[str, object]:
    """What the command measures with when it is told nothing."""
    given = {key: one.default for key, one in inspect.signature(getattr(bench, name)).parameters.items()}
    return {**given, "points": given["customers"]}  # the bench of scaling has several


@pytest.mark.parametrize("name", sorted({one.bench for one in TABLE}))
def test_an_aim_is_of_the_parameters_a_command_has_by_itself(name: str) -> None:
    """`segstream bench NAME` has aims; with another load it has none."""
    assert aims_of(name, defaults(name))
    assert not aims_of(name, defaults(name) | OTHER[name])


def test_a_larger_checkpoint_has_an_aim_of_its_own() -> None:
    """A million customers cost more than a hundred thousand; checkpoints every 2 s may cost latency."""
    of = defaults("checkpoint")
    assert aims_of("checkpoint", of)["us_per_event"].value == 0.5
    assert aims_of("checkpoint", of | {"customers": 1_000_000})["us_per_event"].value == 1.5
    assert aims_of("latency", defaults("latency"))["p99_ms"].value == 15
    assert aims_of("latency", defaults("latency") | {"checkpoint_seconds": 2.0})["p99_ms"].value == 20
    assert defaults("latency")["checkpoint_seconds"] == Settings().checkpoint_seconds


@pytest.mark.parametrize(
    ("aim", "figure", "words"),
    [
        (Aim(at_least=False, value=15), 14.99, "aim under 15: reached"),
        (Aim(at_least=False, value=15), 15, "aim under 15: missed"),
        (Aim(at_least=True, value=120_000), 120_000, "aim at least 120,000: reached"),
        (Aim(at_least=True, value=50), 49.9, "aim at least 50: missed"),
        (Aim(at_least=False, value=0.25), None, ""),
        (None, 3, ""),
    ],
)
def test_a_figure_is_told_reached_or_missed(aim: Aim | None, figure: float | None, words: str) -> None:
    """One word; a figure that is not known has no verdict."""
    assert verdict(aim, figure) == words
    shown = with_aims({"x": figure}, {"x": aim} if aim else {})
    assert ("aims" in shown) == bool(words)
    if words:
        aims = shown["aims"]
        assert isinstance(aims, dict)
        assert aims["x"]["reached"] == words.endswith("reached")


def test_the_verdict_is_shown_in_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """For people beside the figure, for programs under `aims`; of a smaller table neither."""
    for customers, count in ((1_000_000, 1), (50_000, 0)):
        bench._show("sweep", {"seconds": 0.31}, {"customers": customers}, as_json=False)
        bench._show("sweep", {"seconds": 0.31}, {"customers": customers}, as_json=True)
        text, shown = capsys.readouterr().out.splitlines()
        assert text.count("aim under 0.3: missed") == count
        assert json.loads(shown).get("aims", {}) == ({"seconds": {"under": 0.3, "reached": False}} if count else {})
