"""Columns: a block of one topic with what was decoded of it, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.codec.block import Block, joined

DECODED = np.dtype(
    [
        ("ts_ms", "i8"),
        ("action", "i8"),
        ("amount_minor", "i8"),
        ("id_hash", "u8"),
        ("machine_open", "i8"),
        ("record", "i8"),  # its place in the block
        ("attributes", "i8"),  # profiles only: place in `attributes`; -1: none
        ("customer", "i8", (2,)),  # [first byte, length] in `text`
        ("event", "i8", (2,)),  # the same, of the event id
    ]
)
NOTHING = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record is no event: `reason` is one of a bounded set, `detail` says it for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A block with what was decoded of it, in offset order; refused records have no row."""

    kind: int
    block: Block
    rows: Any  # DECODED [events]
    text: NDArray[np.uint8]  # customer ids and event ids
    attributes: list[dict[str, Any]]
    refused: list[tuple[int, Refusal]]  # place in the block, and why

    def part(self, start: int, end: int) -> Columns:
        """What belongs to the records [start, end) of the block."""
        first, last = np.searchsorted(self.rows["record"], (start, end))
        rows = self.rows[first:last].copy()
        rows["record"] -= start
        refused = [(place - start, refusal) for place, refusal in self.refused if start <= place < end]
        attributes = self.attributes
        if attributes:
            attributes = [attributes[i] for i in rows["attributes"].tolist()]
            rows["attributes"] = np.arange(len(rows))
        return Columns(self.kind, self.block.part(start, end), rows, self.text, attributes, refused)

    def customer_id(self, i: int) -> bytes:
        """The customer of the event in row i, in UTF-8."""
        start, length = self.rows["customer"][i].tolist()
        return self.text[start : start + length].tobytes()

    def texts(self, name: str) -> list[str]:
        """The ids of all rows; `name` is `customer` or `event`."""
        text = self.text.tobytes()
        return [text[start : start + length].decode() for start, length in self.rows[name].tolist()]

    def event_id(self, i: int) -> str:
        """The event id of row i."""
        start, length = self.rows["event"][i].tolist()
        return self.text[start : start + length].tobytes().decode()


def empty(kind: int) -> Columns:
    """Nothing of a topic."""
    return Columns(kind, joined([]), np.zeros(0, DECODED), NOTHING, [], [])


def together(parts: Sequence[Columns]) -> Columns:
    """Consecutive parts of one topic as one."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    done = texts = blocks = profiles = 0
    refused: list[tuple[int, Refusal]] = []
    for part in parts:
        mine = rows[done : done + len(part.rows)]
        mine["customer"][:, 0] += texts
        mine["event"][:, 0] += texts
        mine["record"] += blocks
        mine["attributes"] += profiles
        refused.extend((place + blocks, refusal) for place, refusal in part.refused)
        done, texts = done + len(part.rows), texts + len(part.text)
        blocks, profiles = blocks + len(part.block), profiles + len(part.attributes)
    return Columns(
        parts[0].kind,
        joined([part.block for part in parts]),
        rows,
        np.concatenate([part.text for part in parts]),
        [attributes for part in parts for attributes in part.attributes],
        refused,
    )
