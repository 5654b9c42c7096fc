"""The formula of docs/operations.md against the table of customers itself."""

from __future__ import annotations

import re
import tracemalloc

from models.customers import names
from models.customers.row import ROW
from models.customers.table import Copy, Table
from tests.house.tables import BESIDE_BYTES
from tests.house.tree import REPO

CUSTOMERS = 100_000
BEHIND_MAX = (
    80  # bytes a customer that a recovery leaves behind at most: measured 722 in all, less the 651 of a table then
)
DIRTY = 20_000  # customers that changed since the last checkpoint
BESIDE_COPY_BYTES = 40  # a customer's slot and due time in the copy, and slots while they are gathered


def test_a_customer_takes_what_the_page_says() -> None:
    """Row, due time, id and index take less than the formula gives a customer, and nearly all of it."""
    formula = re.search(r"customers x (\d+) bytes", (REPO / "docs/operations.md").read_text("utf-8"))
    assert formula is not None
    names.warm()  # compiled code takes memory too
    tracemalloc.start()
    try:
        table = Table(CUSTOMERS)
        table.add([f"{number:08}" for number in range(CUSTOMERS)])
        held = tracemalloc.get_traced_memory()[0] / CUSTOMERS
        table.dirty[:DIRTY] = True
        before = tracemalloc.get_traced_memory()[0]
        copied = Copy(table, slice(DIRTY, DIRTY + CUSTOMERS // 16))
        in_copy = (tracemalloc.get_traced_memory()[0] - before) / len(copied.slots)
    finally:
        tracemalloc.stop()
    assert ROW.itemsize < held < int(formula[1]) == ROW.itemsize + BESIDE_BYTES
    assert int(formula[1]) - held < BEHIND_MAX
    assert len(copied.slots) == DIRTY + CUSTOMERS // 16
    assert ROW.itemsize <= in_copy < ROW.itemsize + BESIDE_COPY_BYTES  # a checkpoint: once as copied, once as packed
