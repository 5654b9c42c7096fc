"""Edits of definitions in words, as JSON and as Markdown: what will be otherwise, and for whom."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.definitions.document import AUDIENCE
from models.definitions.edits import (
    ADDED,
    MOVED,
    REMOVED,
    RENAMED,
    WITHOUT_EFFECT,
    Edit,
    dimensions_of,
    edits,
    id_of,
    touched,
)
from models.definitions.language import IN

WHEN, STAY = "when", "stay"
SAYS = {WHEN: "enters when", STAY: "stays while", "dwell_days": "least days in it"}
_COMPARISON = re.compile(r"(?P<head>.*?(?:>=|<=|==|!=|>|<))\s*(?P<value>.*)")


@dataclass(frozen=True, slots=True)
class Difference:
    """Two documents (plain values), each with its name and digest, and what differs."""

    before: tuple[str, str]
    after: tuple[str, str]
    old: Mapping[str, Any]
    new: Mapping[str, Any]

    @property
    def edits(self) -> list[Edit]:
        """What differs."""
        return edits(self.old, self.new)

    @property
    def touched(self) -> list[str]:
        """The dimensions of the new document in which customers may move."""
        return touched(self.new, self.edits)

    def values(self) -> dict[str, Any]:
        """For programs."""
        return {
            "before": {"name": self.before[0], "digest": self.before[1]},
            "after": {"name": self.after[0], "digest": self.after[1]},
            "edits": [{**dataclasses.asdict(one), "words": sentence(one)} for one in self.edits],
            "dimensions_touched": self.touched,
            "hints": self.hints(),
            "effect": self.effect(),
        }

    def text(self) -> str:
        """For people."""
        lines = [self._title()]
        for group, sentences in self._groups().items():
            lines += [group, *(f"  {one}" for one in sentences)]
        return "\n".join([*lines, *(f"hint: {one}" for one in self.hints()), *self.effect()])

    def markdown(self) -> str:
        """For a pull request."""
        lines = [f"### {self._title()}", ""]
        for group, sentences in self._groups().items():
            lines += [f"**{group}**", "", *(f"- {one}" for one in sentences), ""]
        lines += [f"> {one}" for one in self.hints()]
        return "\n".join([*lines, *self.effect()])

    def _title(self) -> str:
        return f"{self.before[0]} ({self.before[1]}) -> {self.after[0]} ({self.after[1]})"

    def _groups(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for edit in self.edits:
            found.setdefault(edit.dimension or "document", []).append(sentence(edit))
        return found

    def hints(self) -> list[str]:
        """What may have been meant otherwise: a segment that left under one name and came under another."""
        gone = [one for one in self.edits if one.kind == REMOVED and one.segment]
        come = [one for one in self.edits if one.kind == ADDED and one.segment]
        return [
            f"if {new.segment!r} of {new.dimension} is {old.segment!r} under another name, "
            f"give it `id: {old.segment}`: then its customers stay"
            for old in gone
            for new in come
            if old.dimension == new.dimension and old.before[WHEN] == new.after[WHEN]
        ] + [
            f"give {one.dimension.removeprefix(AUDIENCE)!r} the `id: {str(one.before).removeprefix(AUDIENCE)}`: "
            "then its customers stay"
            for one in self.edits
            if one.kind == RENAMED and not one.segment and one.dimension.startswith(AUDIENCE)
        ]

    def effect(self) -> list[str]:
        """Who is judged anew, and who may move."""
        if self.before[1] == self.after[1]:
            return ["The same document: nobody is judged anew."]
        dimensions = self.touched
        still = [name for name in dimensions_of(self.new) if name not in dimensions]
        gone = [one.dimension for one in self.edits if one.kind == REMOVED and not one.segment]
        gone += [str(one.before) for one in self.edits if one.kind == RENAMED and not one.segment]
        found = ["Every customer is judged anew, some thousand at a time, beside live events."]
        found.append(f"Customers may move in: {', '.join(dimensions) or 'no dimension'}.")
        if gone:
            found.append(f"Everybody leaves: {', '.join(gone)}.")
        if still:
            found.append(f"Nobody moves in: {', '.join(still)}.")
        return found


def sentence(edit: Edit) -> str:  # noqa: PLR0911 - one return a kind of edit
    """One edit in words; whose it is stands before it."""
    who = f"{edit.segment}: " if edit.segment and not edit.dimension.startswith(AUDIENCE) else ""
    if edit.kind == ADDED:
        return who + ("added, " + _says(edit.after) if edit.segment else "added, " + _segments(edit.after))
    if edit.kind == REMOVED and edit.segment:
        return f"{who}removed (it {_says(edit.before)}): who is in it leaves it with a change"
    if edit.kind == REMOVED:
        return f"removed ({_segments(edit.before)}): everybody in it gets a last change, to no segment"
    if edit.kind == RENAMED and edit.segment:
        return f"{who}is now called {edit.after!r}, was {edit.before!r}: the id stays, nobody gets a change"
    if edit.kind == RENAMED:
        return f"was called {edit.before}: to subscribers one dimension ends and another begins"
    if edit.kind == MOVED:
        return f"order: {', '.join(edit.after)} (was {', '.join(edit.before)}): the first whose condition holds counts"
    return who + _changed(edit.field, edit.before, edit.after)


def _changed(field: str, before: Any, after: Any) -> str:
    if field in WITHOUT_EFFECT and field != "name":
        return f"{field}: other than before; nobody is judged by it"
    says = SAYS.get(field, field)
    if before is None:
        return f"{says} {condition(after)} (said nothing before)"
    if after is None:
        return f"{says} is no longer said (was {condition(before)})"
    moved = thresholds(before, after)
    if moved:
        return f"{says} " + "; ".join(f"{head} {now} (was {was})" for head, was, now in moved)
    return f"{says} {condition(after)} (was {condition(before)})"


def thresholds(before: Any, after: Any) -> list[tuple[str, str, str]]:
    """(comparison, threshold before, after) when two conditions differ in nothing else; else nothing."""
    theirs, ours = _comparisons(before), _comparisons(after)
    if [one[:2] for one in theirs] != [one[:2] for one in ours]:
        return []
    return [(head, was, now) for (_, head, was), (_, _, now) in zip(theirs, ours, strict=True) if was != now]


def _comparisons(value: Any, path: str = "") -> list[tuple[str, str, str]]:
    """(where, all up to the operator, what it is compared with) of every text in a condition."""
    if isinstance(value, Mapping):
        return [one for key, inner in value.items() for one in _comparisons(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [one for i, inner in enumerate(value) for one in _comparisons(inner, f"{path}[{i}]")]
    match = _COMPARISON.fullmatch(str(value))
    return [(path, match["head"], match["value"]) if match else (path, str(value), "")]


def condition(value: Any) -> str:
    """A condition, or another value, on one line."""
    if isinstance(value, Mapping) and len(value) == 1:
        key, inner = next(iter(value.items()))
        parts = inner if isinstance(inner, Sequence) and not isinstance(inner, str) else [inner]
        return f"{key}({', '.join(condition(one) for one in parts)})"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _says(segment: Mapping[str, Any]) -> str:
    said = f"{SAYS[WHEN]} {condition(segment[WHEN])}"
    return said + (f", {SAYS[STAY]} {condition(segment[STAY])}" if STAY in segment else "")


def _segments(dimension: Mapping[str, Any]) -> str:
    names = [id_of(one) for one in dimension.get("segments", ())]
    if names == [IN]:  # an audience: what it is called is said before
        return _says(dimension["segments"][0])
    return f"segments {', '.join(names)}" if names else "clusters"
