"""What differs between two definitions documents, and which segment ids are spent.

It compares documents as they are written (plain values), so it knows every key of the language without a list of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.definitions.document import AUDIENCE, Definitions
from models.definitions.language import IN, NOT_JUDGED_BY

ADDED, REMOVED, RENAMED, CHANGED, MOVED = "added", "removed", "renamed", "changed", "moved"
WITHOUT_EFFECT = (*NOT_JUDGED_BY, "name", "description")  # nobody is judged by them
_SCORES = re.compile(r"\w+_score\b|%")  # what compares with others, by cut points


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that differs: a dimension, a segment, or a field of either; of the document where neither is named."""

    kind: str
    dimension: str = ""
    segment: str = ""  # its id
    field: str = ""
    before: Any = None
    after: Any = None


def edits(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Edit]:
    """Everything that differs, in the order of the new document, then what is no more."""
    found = []
    for part, theirs, ours in _by_key(old, new):
        if part in {"dimensions", "audiences"}:
            continue
        if isinstance(theirs or {}, Mapping) and isinstance(ours or {}, Mapping):
            parts = _by_key(theirs or {}, ours or {})
            found += [Edit(CHANGED, field=f"{part}.{key}", before=was, after=now) for key, was, now in parts]
        else:
            found.append(Edit(CHANGED, field=part, before=theirs, after=ours))
    return found + list(_dimensions(dimensions_of(old), dimensions_of(new)))


def dimensions_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The dimensions by the names they are published under; an audience is one of a single segment."""
    audiences = {
        f"{AUDIENCE}{entry.get('id', name)}": {"segments": [{**entry, "id": IN, "name": name}]}
        for name, entry in (document.get("audiences") or {}).items()
    }
    return {**(document.get("dimensions") or {}), **audiences}


def _dimensions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Edit]:
    renamed = {
        name: was
        for name in new.keys() - old.keys()
        for was in old.keys() - new.keys()
        if _asks(name, new[name]) == _asks(was, old[was])
    }
    for name, dimension in new.items():
        if name in renamed:
            yield Edit(RENAMED, name, before=renamed[name], after=name)
        elif name not in old:
            yield Edit(ADDED, name, after=dimension)
        else:
            yield from _dimension(name, old[name], dimension)
    for name, dimension in old.items():
        if name not in new and name not in renamed.values():
            yield Edit(REMOVED, name, before=dimension)


def _asks(name: str, dimension: Mapping[str, Any]) -> Any:
    """What is the same in two dimensions of which only the name differs; an audience's is also that of its segment."""
    if not name.startswith(AUDIENCE):
        return dimension
    return AUDIENCE, {key: value for key, value in dimension["segments"][0].items() if key != "name"}


def _dimension(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Edit]:
    for key, was, now in _by_key(old, new):
        if key != "segments":
            yield Edit(CHANGED, name, field=key, before=was, after=now)
    theirs, ours = ({id_of(one): one for one in side.get("segments", ())} for side in (old, new))
    for segment, entry in ours.items():
        if segment in theirs:
            yield from _segment(name, segment, theirs[segment], entry)
        else:
            yield Edit(ADDED, name, segment, after=entry)
    for segment, entry in theirs.items():
        if segment not in ours:
            yield Edit(REMOVED, name, segment, before=entry)
    orders = [[one for one in side if one in theirs and one in ours] for side in (theirs, ours)]
    if orders[0] != orders[1]:
        yield Edit(MOVED, name, before=orders[0], after=orders[1])


def _segment(dimension: str, segment: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Edit]:
    for key, was, now in _by_key(old, new):
        if key == "name":
            yield Edit(RENAMED, dimension, segment, before=was, after=now)
        elif key != "id":
            yield Edit(CHANGED, dimension, segment, key, was, now)


def _by_key(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(key, before, after) of what differs."""
    for key in {**new, **old}:
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def id_of(segment: Mapping[str, Any]) -> str:
    """What a segment is known by: its id, or its name when it has none."""
    return str(segment.get("id", segment["name"]))


def touched(new: Mapping[str, Any], found: Sequence[Edit]) -> list[str]:
    """The dimensions of the new document in which somebody may move: edited, or comparing with what was edited."""
    dimensions = dimensions_of(new)
    effective = [one for one in found if one.field not in WITHOUT_EFFECT and not (one.kind == RENAMED and one.segment)]
    moved = {one.dimension for one in effective if one.dimension}
    named = [f"profile.{one.field.partition('.')[2]}" for one in effective if one.field.startswith("attributes.")]
    named += [
        str(name) for one in effective if isinstance(one.after, list) for name in _other(one) if not one.dimension
    ]
    cuts_differ = any(one.field.startswith("cuts.") for one in effective)
    texts = {name: " ".join(_leaves(dimension)) for name, dimension in dimensions.items()}
    for name, text in texts.items():
        if (cuts_differ and _SCORES.search(text)) or any(one in text for one in named):
            moved.add(name)
    while further := {  # conditions may name dimensions that name dimensions
        name
        for name, text in texts.items()
        if name not in moved
        and any(re.search(rf"\b{re.escape(_called(other, dimensions))}\b", text) for other in moved)
    }:
        moved |= further
    return [name for name in dimensions if name in moved]


def _called(name: str, dimensions: Mapping[str, Any]) -> str:
    """What conditions name a dimension by: an audience that has an id by its present name."""
    if name.startswith(AUDIENCE) and name in dimensions:
        return str(dimensions[name]["segments"][0]["name"])
    return name.removeprefix(AUDIENCE)


def _other(edit: Edit) -> list[Any]:
    """What is in one of two lists."""
    before, after = edit.before or [], edit.after or []
    return [one for one in [*before, *after] if (one in before) != (one in after)]


def _leaves(value: Any) -> Iterator[str]:
    """Every text of a value, without descriptions and names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in {"description", "name", "id"}:
                yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value


def spent(past: Sequence[Definitions], present: Definitions, new: Definitions) -> list[tuple[str, str]]:
    """(dimension, id) of the segments of `new` that an earlier document had and the present one has no more.

    An id that was retired is never given to another segment: subscribers would take one for the other.
    """
    if any(one.digest == new.digest for one in past):
        return []  # back to a document that was in force: its ids mean what they meant
    living = _ids(present)
    retired = {one for document in past for one in _ids(document)} - living
    return sorted(_ids(new) & retired)


def _ids(definitions: Definitions) -> set[tuple[str, str]]:
    return {(dimension.name, segment.name) for dimension in definitions.dimensions for segment in dimension.segments}
