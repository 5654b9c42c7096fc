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
        ("category", "u8"),  # clicks only: hash of the category's text; 0: none
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decoded:
    """Events as rows, and the texts that the rows point to."""

    rows: Any  # DECODED [events]
    text: NDArray[np.uint8]  # customer ids and event ids
    attributes: list[dict[str, Any]]

    def customer_id(self, i: int) -> bytes:
        """The customer of the event in row i, in UTF-8."""
        return self._text("customer", i)

    def event_id(self, i: int) -> str:
        """The event id of row i."""
        return self._text("event", i).decode()

    def _text(self, name: str, i: int) -> bytes:
        start, length = self.rows[name][i].tolist()
        return self.text[start : start + length].tobytes()

    def texts(self, name: str) -> list[str]:
        """The ids of all rows; `name` is `customer` or `event`."""
        text = self.text.tobytes()
        return [text[start : start + length].decode() for start, length in self.rows[name].tolist()]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Columns(Decoded):
    """A block with what was decoded of it, in offset order; refused records have no row."""

    kind: int
    block: Block
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
        return Columns(
            kind=self.kind,
            block=self.block.part(start, end),
            rows=rows,
            text=self.text,
            attributes=attributes,
            refused=refused,
        )


def stacked(parts: Sequence[Decoded]) -> Decoded:
    """The rows of several blocks one after the other; `record` stays the place in each one's own block."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    done = texts = profiles = 0
    for part in parts:
        mine = rows[done : done + len(part.rows)]
        mine["customer"][:, 0] += texts
        mine["event"][:, 0] += texts
        mine["attributes"] += profiles
        done, texts, profiles = done + len(part.rows), texts + len(part.text), profiles + len(part.attributes)
    return Decoded(
        rows=rows,
        text=np.concatenate([part.text for part in parts]),
        attributes=[attributes for part in parts for attributes in part.attributes],
    )


def together(parts: Sequence[Columns]) -> Columns:
    """Consecutive parts of one topic as one."""
    if len(parts) == 1:
        return parts[0]
    whole = stacked(parts)
    done = blocks = 0
    refused: list[tuple[int, Refusal]] = []
    for part in parts:
        whole.rows["record"][done : done + len(part.rows)] += blocks
        refused.extend((place + blocks, refusal) for place, refusal in part.refused)
        done, blocks = done + len(part.rows), blocks + len(part.block)
    return Columns(
        kind=parts[0].kind,
        block=joined([part.block for part in parts]),
        rows=whole.rows,
        text=whole.text,
        attributes=whole.attributes,
        refused=refused,
    )
