"""The definitions documents of a file: the whole of a YAML file, or the fences of a Markdown page."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.definitions.language import parse
from stream.codec.definitions import Finding, Places, check, plain, remarks, text_of
from stream.errors import SegstreamError

MARKDOWN = (".md", ".markdown")
SHIPPED = "shipped definitions"
_FENCE = re.compile(r"^(?P<indent>[ ]*)```ya?ml[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
_HAS_DIMENSIONS = re.compile(r"^[ ]*(?:dimensions|audiences):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Snippet:
    """One definitions document of a file, and where in the file it begins (lines and columns from 0)."""

    text: str
    line: int = 0
    column: int = 0

    def findings(self) -> list[Finding]:
        """What is wrong with it or, where nothing is, what is odd about it; at the places of the file."""
        return self.placed(check(self.text) or [*_of_budget(self.text), *remarks(self.text)])

    def placed(self, found: list[Finding]) -> list[Finding]:
        """Findings of the document at the places of the file."""
        return [dataclasses.replace(one, line=one.line + self.line, column=one.column + self.column) for one in found]


def snippets_of(file: str) -> list[Snippet]:
    """Return the definitions documents of a file.

    Raises
    ------
    SegstreamError : the file cannot be read, or it is Markdown without any.
    """
    text = text_of(file)
    if Path(file).suffix.lower() not in MARKDOWN:
        return [Snippet(text)]
    found = list(_fenced(text))
    if not found:
        raise SegstreamError(
            f"{file} holds no definitions",
            "put them in a ```yaml fence with a `dimensions:` or `audiences:` key, or give a YAML file",
        )
    return found


def _of_budget(text: str) -> list[Finding]:
    """Limits of the budget that are none: a backtest would refuse them, long after they were written."""
    budget = parse(plain(text)).budget
    if not budget:
        return []
    from stream.backtest.limits import parse as limit_of  # noqa: PLC0415 - brings pyarrow, which only a budget needs

    places, found = Places(text), []
    for i, limit in enumerate(budget):
        try:
            limit_of(limit)
        except SegstreamError as error:
            line, column, path = places.of(f"budget[{i}]")
            found.append(Finding(path, f"{error.message}: {error.advice}", line, column))
    return found


def _fenced(text: str) -> Iterator[Snippet]:
    for match in _FENCE.finditer(text):
        if _HAS_DIMENSIONS.search(match["text"]):
            indent = len(match["indent"])
            yield Snippet(textwrap.dedent(match["text"]), text.count("\n", 0, match.start("text")), indent)
