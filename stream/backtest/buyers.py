"""Buyers: of each customer when the last order was, how many there were and what they came to. No kernel is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.events import PURCHASE
from stream.backtest.directory import Directory
from stream.backtest.fitted import Fit, Shape
from stream.backtest.fitting import Fitter
from stream.backtest.reading import FileSource
from stream.errors import SegstreamError

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Buyers:
    """Customers with an order before a time, in the order of their ids: numbers by value, other ids as text."""

    ids: list[str]
    last_order_ms: Ints
    orders: Ints
    spend_minor: Ints  # refunds not taken off
    fit: Fit

    def __len__(self) -> int:
        return len(self.ids)


def read_buyers(sources: Sequence[FileSource], newest_ms: int, before_ms: int | None) -> Buyers:
    """Read whole files; orders from `before_ms` (epoch ms) on are left out; None takes all.

    Raises
    ------
    SegstreamError : a file cannot be read, or there is no order that fits.
    """
    fitter = Fitter(Shape(), Directory(1), newest_ms)
    parts = []
    for source in sources:
        for records in source.records(fitter):
            wanted = (records["kind"] == PURCHASE) & (records["amount_minor"] > 0)
            if before_ms is not None:
                wanted &= records["ts_ms"] < before_ms
            parts.append(records[wanted][["customer", "ts_ms", "amount_minor"]])
    found = np.concatenate(parts) if parts else np.zeros(0, Shape().dtype())
    if not len(found):
        raise SegstreamError(
            f"there is no order in {', '.join(source.name for source in sources)}",
            "give --mapping for a foreign schema, or a later --at",
        )
    count, customer = len(fitter.directory), found["customer"].astype(np.int64)
    last, spend = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.maximum.at(last, customer, found["ts_ms"])
    np.add.at(spend, customer, found["amount_minor"])
    orders = np.bincount(customer, minlength=count)
    ids = fitter.directory.ids
    known = np.flatnonzero(orders).tolist()
    numeric = all(ids[code].isdecimal() for code in known)
    codes = sorted(known, key=lambda code: (int(ids[code]) if numeric else 0, ids[code]))
    return Buyers([ids[code] for code in codes], last[codes], orders[codes], spend[codes], fitter.found)
