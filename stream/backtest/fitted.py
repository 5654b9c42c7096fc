"""An event that fits, as a fixed record: everything the kernel needs, before the customer has a slot.

Records of this type are read, sorted, spilled to disk and merged; nothing else of an event is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.codec.schemas import ID_LENGTH_MAX
from stream.sources import Misfit

EVENT_ID_BYTES_MAX = 4 * ID_LENGTH_MAX  # UTF-8 has up to four bytes a sign
ROWS_OF_A_SOURCE = 1 << 40  # row numbers of the second source begin here: more than any has rows
EXAMPLES_MAX = 5  # rows that do not fit, shown by number; the rest are only counted

Fitted = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is kept beside the usual of each event.

    Attributes
    ----------
    attributes : (name, "number" | "string") of the profile attributes that definitions declare.
    categories : those that definitions declare.
    keep_ids : whether the texts of event ids are kept, for the change log; else only their hashes are.
    """

    attributes: tuple[tuple[str, str], ...] = ()
    keep_ids: bool = False
    categories: tuple[str, ...] = ()

    def dtype(self) -> np.dtype[np.void]:
        """The record type."""
        fields: list[tuple[object, ...]] = [
            ("ts_ms", "i8"),
            ("amount_minor", "i8"),
            ("id_hash", "u8"),
            ("row", "i8"),  # number of the row among all inputs, from 1: names the event where nothing else does
            ("customer", "i4"),  # code in the Directory
            ("kind", "i1"),
            ("action", "i1"),
            ("machine_open", "i1"),
            ("category", "u1"),  # place among the categories, from 1; 0: none of them
        ]
        if self.attributes:
            fields.append(("values", "f8", (len(self.attributes),)))
        if self.keep_ids:
            fields.append(("event_id", f"S{EVENT_ID_BYTES_MAX}"))
        return np.dtype(fields)


@dataclass(slots=True)
class Fit:
    """What a reading found: rows that became events, by kind, and those that do not fit, by reason."""

    rows: int = 0
    misfits: dict[str, int] = field(default_factory=dict)
    examples: list[Misfit] = field(default_factory=list)

    @property
    def misfit_count(self) -> int:
        """Rows that did not fit."""
        return sum(self.misfits.values())

    def reject(self, rows: NDArray[np.int64], reason: str) -> None:
        """Count rows (by number) that do not fit; the first few are kept as examples."""
        if not len(rows):
            return
        self.misfits[reason] = self.misfits.get(reason, 0) + len(rows)
        for row in rows[: EXAMPLES_MAX - len(self.examples)].tolist():
            self.examples.append(Misfit(row, reason))
