"""What would move a customer: hypothetical events, applied to a copy of the row by the kernel itself.

A border says what must be otherwise; whether one more purchase crosses it, and where that leads, only the whole of the
definitions knows. So it is tried: the event goes through the same door as a real one, and the answer is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.customers.row import NEVER_MS
from models.engine import Engine, Judge, judge_of
from models.events import ATTRIBUTES_MAX, CART_ADD, CLICK, EMAIL, EVENT, OPEN, PURCHASE, VIEW

TIMES_MAX = 6  # as many orders as a row keeps; more is no advice
AMOUNT_MINOR_MOST = 10**7  # a hundred thousand: larger purchases are not advised
SMALL_MINOR = 1  # the least purchase there is


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a customer can do."""

    name: str  # "purchase" | "visit" | "cart" | "open"
    kind: int
    action: int = 0


PURCHASE_DEED = Deed("purchase", PURCHASE)
DEEDS = (PURCHASE_DEED, Deed("visit", CLICK, VIEW), Deed("cart", CLICK, CART_ADD), Deed("open", EMAIL, OPEN))


@dataclass(frozen=True, slots=True)
class Found:
    """So many of a deed, at once, lead from where the customer is to `code`; purchases of at least `amount_minor`."""

    deed: str
    times: int
    code: int
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """One of a deed before the present deadline moves that to `until_ms` (None: for good)."""

    deed: str
    until_ms: int | None


class Trial:
    """Tries on one row (a record array of length 1), settled up to `now`."""

    def __init__(self, row: Any, now: int, judged: Judge) -> None:
        self._row, self._now = row, now
        # retention is left out: who is silent for years may be asked about too
        self._engine = Engine(judge_of(judged.definitions, judged.snapshot), 1)
        self._engine.table.add(["somebody"])
        self._judge = self._engine.judge

    def after(self, deed: Deed, times: int, amount_minor: int = SMALL_MINOR) -> Any:
        """The row after so many of a deed within as many milliseconds: a record array of length 1."""
        table = self._engine.table
        table.rows[:1] = self._row
        table.rows["generation"][0] = 0
        table.due_ms[0] = NEVER_MS
        table.calm_ms[0] = 0
        events = np.zeros(times, EVENT)
        events["kind"], events["action"], events["attributes"] = deed.kind, deed.action, -1
        events["ts_ms"] = self._now + np.arange(1, times + 1)
        events["amount_minor"] = amount_minor if deed.kind == PURCHASE else 0
        events["id_hash"] = np.arange(1, times + 1)
        self._engine.apply(events, np.full((1, ATTRIBUTES_MAX), np.nan))
        return table.rows[:1]

    def moves(self, d: int) -> Iterator[Found]:
        """For each deed the least that leads dimension d elsewhere; what leads nowhere is left out."""
        current = self._standing(self._row, d)
        for deed in DEEDS:
            for times in range(1, TIMES_MAX + 1):
                found = self._found(d, deed, times, current)
                if found is not None:
                    yield found
                    break

    def _found(self, d: int, deed: Deed, times: int, current: int) -> Found | None:
        code = self._code(d, deed, times, SMALL_MINOR)
        if code != current:
            return Found(deed.name, times, code, SMALL_MINOR if deed is PURCHASE_DEED else 0)
        if deed is not PURCHASE_DEED or times > 1 or self._code(d, deed, 1, AMOUNT_MINOR_MOST) == current:
            return None
        low, high = SMALL_MINOR, AMOUNT_MINOR_MOST
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._code(d, deed, 1, middle) == current else (low, middle)
        return Found(deed.name, 1, self._code(d, deed, 1, high), high)

    def _code(self, d: int, deed: Deed, times: int, amount_minor: int) -> int:
        return self._standing(self.after(deed, times, amount_minor), d)

    def keeps(self, d: int, until_ms: int) -> Iterator[Kept]:
        """Deeds that leave dimension d as it is and move its deadline."""
        current = self._standing(self._row, d)
        for deed in DEEDS:
            row = self.after(deed, 1)
            later = int(self._outlook(row)[0, d])
            if self._standing(row, d) == current and later > until_ms + 1:  # one later is only when it was asked
                yield Kept(deed.name, later if later < NEVER_MS else None)

    def _standing(self, row: Any, d: int) -> int:
        return int(self._judge.codes(row)[0, d])

    def _outlook(self, row: Any) -> NDArray[np.int64]:
        return self._engine.outlook_of(row, self._judge)[0]
