"""The real purchases of UCI Online Retail, an order a row: one per invoice that has a customer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream.errors import SegstreamError
from stream.simulate.payloads import CATEGORIES
from stream.sources import Coded, read_columns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MILLS = 1000  # the file has unit prices of 0.001: whole thousandths make every sum exact

# Product category by a word of its description, first match wins; the rest is `home`.
_WORDS = (
    ("christmas", ("CHRISTMAS", "XMAS", "ADVENT", "SANTA", "REINDEER")),
    ("lighting", ("LIGHT", "LAMP", "LANTERN", "CANDLE")),
    ("bags", ("BAG", "PURSE", "SHOPPER")),
    (
        "kitchen",
        ("MUG", "CUP", "PLATE", "BOWL", "TEA", "CAKE", "KITCHEN", "LUNCH", "BAKING", "JAR", "BOTTLE"),
    ),
    ("stationery", ("CARD", "PAPER", "WRAP", "PEN", "NOTEBOOK", "STICKER", "RIBBON", "BOOK")),
    ("toys", ("TOY", "GAME", "PLAY", "DOLL", "CHILD", "SPACEBOY", "DOLLY", "PUZZLE")),
    ("garden", ("GARDEN", "PLANT", "FLOWER", "BIRD", "HERB")),
)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders as columns: whose (index into `customers`), when (epoch ms), how much (minor units, negative =
    refund).

    The lines of order i are `product[line_from[i] : line_from[i] + line_count[i]]` and so on; products and
    their categories are indices into `products` and entries of `categories`. Prices are in major units.
    """

    invoice: list[str]
    customer: Ints
    ts_ms: Ints
    amount_minor: Ints
    line_from: Ints
    line_count: Ints
    product: Ints
    quantity: Ints
    price: Floats
    customers: list[str]
    country: list[str]
    products: list[str]
    categories: list[str]
    zero_amount_count: int


def retail_path() -> Path:
    """Where the data set lies in the repository; it does not travel in the wheel.

    Raises
    ------
    SegstreamError
        When it is not there.

    """
    path = Path(__file__).resolve().parents[2] / "examples" / "data" / "online_retail.parquet"
    if not path.is_file():
        raise SegstreamError(
            f"the data set {path} is missing",
            "run from a clone of the repository: the installed package does not hold it",
        )
    return path


def read_orders(path: Path | None = None) -> Orders:
    """Every invoice that has a customer and an amount, in time order; an invoice over several minutes has its
    first.

    An invoice's amount is the sum of quantity times unit price over all of its lines, exact in thousandths,
    rounded to whole minor units at the end. Invoices that come to zero are left out and counted.
    """
    columns = read_columns(
        path or retail_path(),
        (
            "InvoiceNo",
            "StockCode",
            "Description",
            "Quantity",
            "InvoiceDate",
            "UnitPrice",
            "CustomerID",
            "Country",
        ),
    )
    invoice_of, stock = _coded(columns, "InvoiceNo"), _coded(columns, "StockCode")
    buyer = _numbers(columns, "CustomerID")
    known = np.nonzero(~np.isnan(buyer))[0]
    row_invoice = invoice_of.codes[known]
    price, quantity = (
        _numbers(columns, "UnitPrice")[known],
        _numbers(columns, "Quantity")[known].astype(np.int64),
    )
    amount_minor = _sums(row_invoice, quantity, price, len(invoice_of.names))
    first_ms = np.full(len(invoice_of.names), np.iinfo(np.int64).max)
    np.minimum.at(first_ms, row_invoice, _numbers(columns, "InvoiceDate")[known].astype(np.int64))
    seen = np.unique(row_invoice)
    kept = seen[amount_minor[seen] != 0]
    kept = kept[np.lexsort((kept, first_ms[kept]))]
    rank = np.full(len(invoice_of.names), -1)
    rank[kept] = np.arange(len(kept))
    order_of_line = rank[row_invoice]
    lines = np.argsort(order_of_line, kind="stable")[int((order_of_line < 0).sum()) :]
    numbers, first_row, customer_of_line = np.unique(
        buyer[known][lines].astype(np.int64), return_index=True, return_inverse=True
    )
    line_count = np.bincount(order_of_line[lines], minlength=len(kept))
    line_from = np.concatenate([[0], np.cumsum(line_count)[:-1]]).astype(np.int64)
    country = _coded(columns, "Country")
    return Orders(
        invoice=[invoice_of.names[code] for code in kept.tolist()],
        customer=customer_of_line[line_from].astype(np.int64),
        ts_ms=first_ms[kept],
        amount_minor=amount_minor[kept],
        line_from=line_from,
        line_count=line_count.astype(np.int64),
        product=stock.codes[known][lines],
        quantity=quantity[lines],
        price=price[lines],
        customers=[f"c{number}" for number in numbers.tolist()],
        country=[country.names[code] for code in country.codes[known][lines][first_row].tolist()],
        products=stock.names,
        categories=_categories(stock, _coded(columns, "Description")),
        zero_amount_count=len(seen) - len(kept),
    )


def _coded(columns: dict[str, Coded | Floats], name: str) -> Coded:
    column = columns[name]
    if not isinstance(column, Coded):
        raise TypeError(name)
    return column


def _numbers(columns: dict[str, Coded | Floats], name: str) -> Floats:
    column = columns[name]
    if isinstance(column, Coded):
        raise TypeError(name)
    return column


def _sums(invoice: Ints, quantity: Ints, price: Floats, invoices: int) -> Ints:
    mills = np.zeros(invoices, np.int64)
    np.add.at(mills, invoice, quantity * np.rint(price * MILLS).astype(np.int64))
    return np.rint(mills / (MILLS // 100)).astype(np.int64)  # thousandths to hundredths; below 2**53, so exact


def _categories(stock: Coded, description: Coded) -> list[str]:
    """The category of every product, by the first description it is sold under."""
    by_description = [_category(text) for text in description.names]
    codes, first = np.unique(stock.codes, return_index=True)
    found = [CATEGORIES[0]] * len(stock.names)
    for code, text in zip(codes.tolist(), description.codes[first].tolist(), strict=True):
        if text >= 0:
            found[code] = by_description[text]
    return found


def _category(description: str) -> str:
    for category, words in _WORDS:
        if any(word in description for word in words):
            return category
    return CATEGORIES[0]
