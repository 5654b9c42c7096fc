"""Verification: a report against itself, its input files, and the run made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.backtest.compare import compare
from stream.backtest.run import Watch, backtest
from stream.codec import plain_json
from stream.codec.digests import file_digest
from stream.errors import SegstreamError
from stream.report.document import FORMAT, document_of
from stream.report.page import CLOSING, OPENING, page
from stream.report.recipe import sources_of, task_of

BYTES_MAX = 64_000_000  # forty times what a report may have: more is something else
INPUTS, RUN = "inputs", "run"  # names of checks that others ask for
OF_THE_MACHINE = ("clusters", "points")  # places on the map: sums of floats, whose order is the machine's business


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `fine` is None where it could not be."""

    name: str
    told: str
    fine: bool | None = field(kw_only=True)


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """A report's text and the document in it; raises SegstreamError when it is none."""
    advice = "give a file that `segstream backtest --report` wrote"
    try:
        if path.stat().st_size > BYTES_MAX:
            raise SegstreamError(f"{path} is larger than any report", advice)
        text = path.read_bytes().decode()
        _, opening, rest = text.partition(OPENING)
        document = plain_json.decode(rest.partition(CLOSING)[0]) if opening else None
    except (OSError, ValueError) as error:
        raise SegstreamError(f"{path} cannot be read as a report: {error}", advice) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise SegstreamError(f"{path} is no report of this format", advice)
    return text, document


def verify(path: Path, folder: Path, *, again: bool = True, watch: Watch | None = None) -> Iterator[Check]:
    """Check after check; the run is made again from the files in `folder` if they are those of the report.

    Raises
    ------
    SegstreamError : the file is no report.
    """
    text, document = read(path)
    yield _page(text, document)
    inputs = _inputs(document, folder)
    yield inputs
    yield from _guarded("definitions", lambda: _definitions(document))
    if not again:
        return
    if not document.get("complete"):
        yield Check(RUN, "not made again: it was interrupted, and nobody knows at which event", fine=None)
        return
    if not inputs.fine:
        yield Check(RUN, "not made again: the inputs are not there as they were", fine=None)
        return
    yield from _guarded(RUN, lambda: _run(document, folder, watch))


def _guarded(name: str, look: Callable[[], Check]) -> Iterator[Check]:
    """What is no recipe is a finding."""
    try:
        yield look()
    except (ValueError, KeyError, TypeError, AttributeError, SegstreamError) as error:
        yield Check(name, f"cannot be made again: {error}", fine=False)


def _page(text: str, document: dict[str, Any]) -> Check:
    try:
        same = page(document) == text
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        same = False
    return Check("page", "shows its document" if same else "is not what this version makes of its document", fine=same)


def _inputs(document: dict[str, Any], folder: Path) -> Check:
    try:
        files = [str(one["file"]) for one in document["recipe"]["sources"]]
        expected = [str(one["digest"]) for one in document["inputs"]]
    except (KeyError, TypeError):
        return Check(INPUTS, "are not named", fine=False)
    if not files:
        return Check(INPUTS, "came from topics", fine=None)
    if len(files) != len(expected):
        return Check(INPUTS, "are not those that were read", fine=False)
    for file, digest in zip(files, expected, strict=True):
        place = folder / file
        try:
            if file_digest(str(place)) != digest:
                return Check(INPUTS, f"{place} has another digest", fine=False)
        except OSError as error:
            return Check(INPUTS, f"{place} cannot be read ({error.strerror}); --folder says where it is", fine=None)
    return Check(INPUTS, f"{len(files)} with the digests of the report", fine=True)


def _definitions(document: dict[str, Any]) -> Check:
    found = [one.definitions.digest for one in task_of(document["recipe"]).variants]
    same = found == [one["definitions"] for one in document["outputs"]]
    return Check("definitions", "have their digest" if same else f"have another digest: {', '.join(found)}", fine=same)


def _run(document: dict[str, Any], folder: Path, watch: Watch | None) -> Check:
    recipe = document["recipe"]
    result = backtest(sources_of(recipe, folder), task_of(recipe), watch)
    made = document_of(result, recipe, compare(result) if len(result.variants) > 1 else None)
    digests = [[one["digest"] for one in some["outputs"]] for some in (document, made)]
    if digests[0] != digests[1]:
        return Check(RUN, f"gives other changes: {', '.join(digests[1])}", fine=False)
    for key in made:
        old, new = document.get(key), made[key]
        if key == OF_THE_MACHINE[0] and isinstance(old, dict) and isinstance(new, dict):
            old, new = ({name: one for name, one in some.items() if name != OF_THE_MACHINE[1]} for some in (old, new))
        if plain_json.encode(old) != plain_json.encode(new):
            return Check(RUN, f"gives other figures for {key!r}", fine=False)
    return Check(RUN, f"gives the same {made['figures']['changes']:,} changes and figures", fine=True)
