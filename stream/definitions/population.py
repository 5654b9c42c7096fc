"""Definitions over past events: the backtest that says whether they make too many segments."""

from __future__ import annotations

from collections.abc import Callable

from models.definitions.analysis.population import Limits, over_segmented
from models.definitions.language import parse
from stream.backtest.partition_run import Variant
from stream.backtest.reading import FileSource
from stream.backtest.run import Task, Watch, backtest
from stream.codec.definitions import Finding, Places, plain
from stream.errors import SegstreamError
from stream.health.measured import health_of


def found_in(
    text: str, sources: list[FileSource], task: Callable[[tuple[Variant, ...]], Task], limits: Limits, watch: Watch
) -> list[Finding]:
    """Run the definitions of a YAML text over the sources and return what is beyond the limits, at its place.

    Raises
    ------
    SegstreamError : a source cannot be read, or there is no event that fits.
    """
    definitions, places = parse(plain(text)), Places(text)
    result = backtest(sources, task((Variant(definitions, None, trained=True),)), watch)
    if not result.complete:
        raise SegstreamError("interrupted before the end of the events", "nothing is said of a part of them")
    health = health_of(result.customers, result.variants[0], result.first_ms, result.last_ms)
    found = []
    for one in over_segmented(definitions, health, limits):
        line, column, path = places.of(one.path)
        found.append(Finding(path, one.problem, line, column, one.level, one.rule))
    return found
