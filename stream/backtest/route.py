"""Route: which partition and slot a customer has, and the records of each partition, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel
from stream.backtest.directory import Directory
from stream.backtest.fitted import Fitted, Shape
from stream.errors import SegstreamError

Ints = NDArray[np.int64]


class Route:
    """Slots are given in order of first sight in time."""

    def __init__(self, directory: Directory, customers_max: int) -> None:
        self._directory = directory
        self._customers_max = customers_max
        self._slots = np.zeros(0, np.int64)  # by code of the customer; -1: none yet
        self._next = np.zeros(directory.partitions, np.int64)
        list(self.split(np.zeros(0, Shape().dtype())))  # compiled now, not when a run has begun

    def split(self, records: Fitted) -> Iterator[tuple[int, Fitted, Ints, list[str]]]:
        """(partition, its records, their slots, ids of the new customers in slot order)."""
        directory, count = self._directory, len(records)
        if len(self._slots) < len(directory):
            more = np.full(max(len(directory), len(self._slots) * 3 // 2) - len(self._slots), -1, np.int64)
            self._slots = np.concatenate([self._slots, more])
        rows, slots, fresh = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
        ends = np.zeros(directory.partitions, np.int64)
        codes = np.ascontiguousarray(records["customer"])
        news = _deal(codes, directory.partition_of, self._slots, self._next, ends, rows, slots, fresh)
        if self._next.max() > self._customers_max:
            raise SegstreamError(
                f"a partition has more than {self._customers_max} customers",
                "raise SEGSTREAM_CUSTOMERS_MAX or --partitions",
            )
        new: list[list[str]] = [[] for _ in range(directory.partitions)]
        for code in fresh[:news].tolist():
            new[directory.partition_of[code]].append(directory.ids[code])
        dealt, start = records[rows] if directory.partitions > 1 else records, 0
        for partition, end in enumerate(ends.tolist()):
            if end > start:
                yield partition, dealt[start:end], slots[start:end], new[partition]
            start = end


@kernel
def _deal(
    customers: Any, partition_of: Any, slots_of: Any, following: Any, ends: Any, rows: Any, slots: Any, fresh: Any
) -> int:
    """Order rows by partition, slots beside them; returns how many customers are new, whose codes are in `fresh`.

    `following` are the next slots of the partitions; `ends` where each partition's rows end, zeros before.
    """
    news = 0
    for i in range(len(customers)):
        code = customers[i]
        partition = partition_of[code]
        ends[partition] += 1
        if slots_of[code] < 0:
            slots_of[code] = following[partition]
            following[partition] += 1
            fresh[news] = code
            news += 1
    for partition in range(1, len(ends)):
        ends[partition] += ends[partition - 1]
    for back in range(len(customers)):  # from the last one on, so that each partition's begins as its end goes down
        i = len(customers) - 1 - back
        partition = partition_of[customers[i]]
        ends[partition] -= 1
        rows[ends[partition]] = i
        slots[ends[partition]] = slots_of[customers[i]]
    for partition in range(len(ends) - 1):
        ends[partition] = ends[partition + 1]
    ends[len(ends) - 1] = len(customers)
    return news
