"""Arrow columns in the words of the input schemas into Fitted records. A row that does not fit is counted by reason.

The rules and their order are those of stream.codec.events, for whole columns: what live refuses, a backtest refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.definitions.strings import attribute_value
from models.events import (
    AMOUNT_MINOR_MAX,
    CLICK,
    EMAIL,
    MINOR_PER_MAJOR,
    PROFILE,
    PURCHASE,
    TOPICS,
    TS_MS_MIN,
)
from stream.backtest import columns as c
from stream.backtest.directory import Directory
from stream.backtest.fitted import Fit, Fitted, Shape
from stream.backtest.hashing import hash_texts
from stream.codec import plain_json
from stream.codec.columns import Columns
from stream.codec.events import ATTRIBUTE_MAX, CLICK_CODES, EMAIL_CODES, RESERVED_ID, TS_MS_MAX, category_places
from stream.codec.schemas import ID_LENGTH_MAX
from stream.sources import REQUIRED

Batch = Mapping[str, Any]
"""Arrow columns by field name, all of one length."""

ID_SEED = 0xE7E47  # of event identities; any constant does
KINDS = {topic: kind for kind, topic in enumerate(TOPICS)}
CURRENCY_LENGTH = 3


class Fitter:
    """Makes records of columns; `fit` counts what it saw."""

    def __init__(self, shape: Shape, directory: Directory, newest_ms: int) -> None:
        self.shape = shape
        self.directory = directory
        self.found = Fit()
        self._newest_ms = newest_ms
        self._reserved = -1  # code of the id that is a key of our own, once somebody has it

    def fit(
        self, batch: Batch, rows: NDArray[np.int64], topic: str | None = None, lent: Sequence[str] = (),
        *, combined: bool = False,
    ) -> Fitted:  # fmt: skip
        """Records of the rows that fit, in their order.

        Parameters
        ----------
        batch : columns in the words of the schemas; with `topic` None, one of them says it row by row.
        rows : the numbers of the rows among all inputs.
        lent : required fields that this source does without, because its mapping says so.
        combined : rows of one order follow each other and are to be added up later (`combine`).
        """
        made = _Columns(batch, rows, self.found)
        made.kinds(topic)
        made.require(lent)
        self._identify(made, lent)
        made.times(self._newest_ms)
        made.actions()
        made.amounts(combined=combined)
        made.machine_opens()
        made.categories(self.shape.categories)
        values = self._attributes(made)
        return self._records(made, values)

    def fit_decoded(self, decoded: Columns, rows: NDArray[np.int64]) -> Fitted:
        """Records of what the codec has decoded: from Kafka, or line by line."""
        count = len(decoded.rows)
        made = _Columns({}, rows, self.found)
        made.kind = np.full(count, decoded.kind, np.int64)
        made.count, made.alive = count, np.ones(count, np.bool_)
        made.batch = {
            "customer_id": pa.array(decoded.texts("customer"), pa.string()),
            "event_id": pa.array(decoded.texts("event"), pa.string()),
            "attributes": decoded.attributes,
        }
        made.ts_ms, made.action = decoded.rows["ts_ms"], decoded.rows["action"]
        made.amount_minor, made.machine_open = decoded.rows["amount_minor"], decoded.rows["machine_open"]
        made.category = category_places(decoded.rows["category"], self.shape.categories)
        made.drop(made.ts_ms > self._newest_ms, "future")
        values = None
        if self.shape.attributes and decoded.kind == PROFILE:
            values = _values(self.shape.attributes, decoded.attributes)
        return self._records(made, values)

    def _identify(self, made: _Columns, lent: Sequence[str]) -> None:
        """Ids are texts of 1 to 128 characters."""
        made.check_text("customer_id", ID_LENGTH_MAX)
        for name in ("event_id", "order_id", "campaign_id"):
            if name not in lent:
                made.check_text(name, ID_LENGTH_MAX)
        if "currency" not in lent:
            made.check_text("currency", CURRENCY_LENGTH, least=CURRENCY_LENGTH)

    def _attributes(self, made: _Columns) -> NDArray[np.float64] | None:
        """Declared attributes of the profiles among the rows, one row of values for each record."""
        if not self.shape.attributes:
            return None
        values = np.full((made.count, len(self.shape.attributes)), np.nan)
        places = np.flatnonzero(made.alive & (made.kind == PROFILE))
        if len(places):
            column = c.plain(made.batch["attributes"]).take(pa.array(places))
            given = [_mapping(one) for one in column.to_pylist()]
            bad = np.array([not isinstance(one, dict) or not _sound(one) for one in given], np.bool_)
            wrong = np.zeros(made.count, np.bool_)
            wrong[places[bad]] = True
            made.drop(wrong, "wrong_type")
            sound = [one if isinstance(one, dict) else {} for one in given]
            values[places] = _values(self.shape.attributes, sound)
        return values

    def _records(self, made: _Columns, values: NDArray[np.float64] | None) -> Fitted:
        kept = np.flatnonzero(made.alive)
        records = np.zeros(len(kept), self.shape.dtype())
        self.found.rows += len(kept)
        if not len(kept):
            return records
        whole = len(kept) == made.count
        taken = slice(None) if whole else kept
        customer_ids = made.batch["customer_id"]
        records["customer"] = self._codes(customer_ids if whole else customer_ids.take(pa.array(kept)))
        records["row"], records["ts_ms"], records["kind"] = made.rows[taken], made.ts_ms[taken], made.kind[taken]
        records["action"], records["amount_minor"] = made.action[taken], made.amount_minor[taken]
        records["machine_open"], records["category"] = made.machine_open[taken], made.category[taken]
        event_ids = made.batch.get("event_id")
        if event_ids is not None:
            hashes = hash_texts(c.texts(event_ids), ID_SEED)
            hashes[(made.kind == PROFILE) | ~c.valid_of(event_ids)] = 0
            records["id_hash"] = hashes[taken]
            if self.shape.keep_ids:
                names = [text.encode() if text else b"" for text in c.plain(event_ids).to_pylist()]
                records["event_id"] = np.array(names, records.dtype["event_id"])[taken]
        if values is not None:
            records["values"] = values[taken]
        own = records["customer"] == self._reserved
        if own.any():
            self.found.rows -= int(own.sum())
            self.found.reject(records["row"][own], "wrong_type")
        return records[~own] if own.any() else records

    def _codes(self, ids: Any) -> NDArray[np.int64]:
        """Codes of ids without nulls; of a dictionary each different one is looked up once."""
        known = len(self.directory)
        if pa.types.is_dictionary(ids.type) and len(ids.dictionary) < len(ids):
            indices = ids.indices.to_numpy()
            used = np.flatnonzero(np.bincount(indices, minlength=len(ids.dictionary)))
            codes = np.full(len(ids.dictionary), -1, np.int64)
            codes[used] = self.directory.codes(c.texts(ids.dictionary.take(pa.array(used))))
            codes = codes[indices]
        else:
            codes = self.directory.codes(c.texts(ids))
        if RESERVED_ID in self.directory.ids[known:]:
            self._reserved = self.directory.ids.index(RESERVED_ID)
        return codes


class _Columns:
    """One batch on its way: numpy columns, and which rows are still alive."""

    def __init__(self, batch: Batch, rows: NDArray[np.int64], found: Fit) -> None:
        self.batch: Batch = batch
        self.rows = rows
        self.found = found
        self.count = len(rows)
        self.alive = np.ones(self.count, np.bool_)
        self.kind = self.ts_ms = self.action = self.amount_minor = np.zeros(self.count, np.int64)
        self.machine_open = self.category = np.zeros(self.count, np.int64)

    def drop(self, wrong: NDArray[np.bool_], reason: str) -> None:
        """The first reason counts."""
        gone = self.alive & wrong
        if gone.any():
            self.found.reject(self.rows[gone], reason)
            self.alive &= ~wrong

    def kinds(self, topic: str | None) -> None:
        if topic is not None:
            self.kind = np.full(self.count, KINDS[topic], np.int64)
            return
        column = self.batch.get("topic")
        self.kind = np.full(self.count, -1, np.int64) if column is None else c.coded(column, KINDS)
        self.drop(self.kind < 0, "unknown_topic")

    def require(self, lent: Sequence[str]) -> None:
        for kind, topic in enumerate(TOPICS):
            of_kind = self.kind == kind
            if not of_kind.any():
                continue
            for name in REQUIRED[topic]:
                if name in lent:
                    continue
                column = self.batch.get(name)
                self.drop(of_kind if column is None else of_kind & ~c.valid_of(column), "missing_field")

    def check_text(self, name: str, most: int, least: int = 1) -> None:
        """Texts of a length in characters, for the kinds of event that need the field."""
        column = self.batch.get(name)
        if column is None:
            return
        fits = c.within(column, least, most) if c.is_text(c.value_type(column)) else np.zeros(self.count, np.bool_)
        if fits is not None:
            concerned = np.isin(self.kind, [kind for kind, topic in enumerate(TOPICS) if name in REQUIRED[topic]])
            self.drop(concerned & ~fits, "wrong_type")

    def times(self, newest_ms: int) -> None:
        self.ts_ms, valid = c.times_ms(self.batch["ts"]) if "ts" in self.batch else (self.ts_ms, self.alive)
        self.drop(~valid, "bad_time")
        self.drop(self.ts_ms < TS_MS_MIN, "too_old")
        self.drop(self.ts_ms > TS_MS_MAX, "bad_time")
        self.drop(self.ts_ms > newest_ms, "future")

    def actions(self) -> None:
        clicks, mails = self.kind == CLICK, self.kind == EMAIL
        if "action" not in self.batch or not (clicks | mails).any():
            return
        column = self.batch["action"]
        if not c.is_text(c.value_type(column)):
            self.drop(clicks | mails, "wrong_type")
            return
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        click, mail = c.coded(encoded, CLICK_CODES), c.coded(encoded, EMAIL_CODES)
        self.action = np.where(clicks, click, np.where(mails, mail, 0))
        self.drop(self.action < 0, "wrong_type")

    def amounts(self, *, combined: bool) -> None:
        orders = self.kind == PURCHASE
        if "amount" not in self.batch or not orders.any():
            return
        amount, valid = c.numbers(self.batch["amount"])
        self.drop(orders & ~valid, "wrong_type")
        with np.errstate(over="ignore", invalid="ignore"):  # such amounts are refused in the next line
            minor = np.rint(amount * MINOR_PER_MAJOR)
        self.drop(orders & ~(np.abs(minor) <= AMOUNT_MINOR_MAX), "amount_out_of_range")
        if not combined:  # an invoice line may be free of charge
            self.drop(orders & (minor == 0), "zero_amount")
        self.amount_minor = np.where(orders & self.alive, minor, 0).astype(np.int64)

    def machine_opens(self) -> None:
        mails = self.kind == EMAIL
        if "machine_open" not in self.batch or not mails.any():
            return
        truth, valid = c.truths(self.batch["machine_open"])
        given = c.valid_of(self.batch["machine_open"])
        self.drop(mails & given & ~valid, "wrong_type")
        self.machine_open = np.where(mails, truth, 0)

    def categories(self, declared: Sequence[str]) -> None:
        """Of clicks; what is no text is no category, and no reason to refuse."""
        column = self.batch.get("category") if declared else None
        if column is not None and c.is_text(c.value_type(column)):
            places = {name: k + 1 for k, name in enumerate(declared)}
            self.category = np.where(self.kind == CLICK, np.maximum(c.coded(column, places), 0), 0)


def combine(records: Fitted, held: Fitted | None, found: Fit, *, last: bool) -> tuple[Fitted, Fitted | None]:
    """One purchase for consecutive rows of one customer and identity: amounts added up, the rest from the first row.

    Returns (orders that are complete, the last one, which may go on in the next batch). An order that comes to zero
    is no event.
    """
    rows = records if held is None else np.concatenate([held, records])
    if not len(rows):
        return rows, None
    same = (rows["id_hash"][1:] == rows["id_hash"][:-1]) & (rows["customer"][1:] == rows["customer"][:-1])
    first = np.flatnonzero(np.concatenate([[True], ~(same & (rows["kind"][1:] == PURCHASE))]))
    sums = np.add.reduceat(rows["amount_minor"], first)
    orders = rows[first]
    orders["amount_minor"] = sums
    tail = None if last else orders[-1:].copy()
    orders = orders if last else orders[:-1]
    free = (orders["kind"] == PURCHASE) & (orders["amount_minor"] == 0)
    found.reject(orders["row"][free], "zero_amount")
    return orders[~free], tail


def _mapping(value: Any) -> Any:
    """Attributes as a dict: from a struct (null is absent), a map, or a JSON text; anything else as it is."""
    if isinstance(value, str):
        try:
            value = plain_json.decode(value)
        except ValueError:
            return None
    if isinstance(value, list):
        value = dict(value) if all(isinstance(one, tuple) for one in value) else None
    return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def _sound(attributes: Mapping[str, Any]) -> bool:
    """Numbers are finite and no larger than anything people have attributes for."""
    return all(not isinstance(one, int | float) or abs(one) < ATTRIBUTE_MAX for one in attributes.values())


def _values(declared: Sequence[tuple[str, str]], given: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """One row of values for each profile."""
    found = [[attribute_value(one.get(name), kind) for name, kind in declared] for one in given]
    return np.array(found, np.float64).reshape(len(given), len(declared))
