"""Field mappings: foreign schemas in the words of ours, from a small YAML.

name: plain orders
events:
  - topic: purchases
    when: {type: [order, refund]}         # rows whose column has one of these texts; without it, every row
    without: [currency]                   # required fields that this source does without
    fields:
      customer_id: customer               # a column; a dot leads into a nested one
      event_id: [order_no, id]            # the first that has a value
      ts: {column: placed, pattern: "%d/%m/%Y %H:%M"}
      amount: {product: [quantity, price], scale: 0.01}
      action: {column: event, values: {ProductViewed: view}}
      currency: {constant: EUR}
combine: true                             # consecutive rows of one order are lines of it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.events import TOPICS
from stream.backtest import columns as c
from stream.codec.definitions import plain
from stream.codec.definitions import text_of as file_text
from stream.errors import SegstreamError
from stream.sources import FIELDS

SOURCE_WORDS = {"column", "constant", "join", "product", "scale", "unit", "pattern", "values"}


@dataclass(frozen=True, slots=True)
class Rule:
    """How some of the rows become events of one topic."""

    topic: str
    fields: Mapping[str, Any]
    when: Mapping[str, tuple[str, ...]]
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A mapping file, checked."""

    name: str
    rules: tuple[Rule, ...]
    combine: bool = False

    @property
    def columns(self) -> set[str]:
        """The top-level columns it reads."""
        found: set[str] = set()
        for rule in self.rules:
            found |= {name.split(".")[0] for name in rule.when}
            for source in rule.fields.values():
                found |= {name.split(".")[0] for name in _columns_of(source)}
        return found


def shipped() -> list[str]:
    """The names of the ready mappings."""
    folder = files("stream.backtest") / "mappings"
    return sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml"))


def text_of(name: str) -> str:
    """The text of a ready mapping by its name, or of a file; raises SegstreamError where there is neither."""
    if name in shipped():
        return (files("stream.backtest") / "mappings" / f"{name}.yaml").read_text("utf-8")
    if Path(name).is_file():
        return file_text(name)
    raise SegstreamError(f"there is no field mapping {name!r}", f"give a file, or one of {', '.join(shipped())}")


def load(name: str) -> FieldMapping:
    """A ready mapping by its name, or one from a file; raises SegstreamError with what is wrong."""
    text = text_of(name)
    try:
        return parse(plain(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SegstreamError(
            f"the field mapping {name} is wrong: {error}", "see docs/backtest.md for its form"
        ) from None


def parse(document: Any) -> FieldMapping:
    """A mapping from plain values; raises ValueError for the first mistake."""
    if not isinstance(document, dict) or set(document) - {"name", "description", "events", "combine"}:
        raise ValueError("it has name, description, events and combine, and nothing else")
    rules = tuple(_rule(entry, f"events[{i}]") for i, entry in enumerate(document["events"]))
    if not rules:
        raise ValueError("events is empty")
    return FieldMapping(str(document.get("name", "mapping")), rules, bool(document.get("combine", False)))


def _rule(entry: Any, place: str) -> Rule:
    if unknown := set(entry) - {"topic", "when", "fields", "without"}:
        raise ValueError(f"{place}: unknown {', '.join(sorted(unknown))}")
    topic = entry["topic"]
    if topic not in TOPICS:
        raise ValueError(f"{place}.topic: one of {', '.join(TOPICS)}, not {topic!r}")
    fields = dict(entry["fields"])
    if unknown := set(fields) - set(FIELDS[topic]):
        raise ValueError(f"{place}.fields: {topic} has no {', '.join(sorted(unknown))}")
    for name, source in fields.items():
        if isinstance(source, dict) and (unknown := set(source) - SOURCE_WORDS):
            raise ValueError(f"{place}.fields.{name}: unknown {', '.join(sorted(unknown))}")
    when = {name: tuple(map(str, _listed(given))) for name, given in entry.get("when", {}).items()}
    return Rule(topic, fields, when, tuple(entry.get("without", ())))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _columns_of(source: Any) -> list[str]:
    if isinstance(source, str):
        return [source]
    if isinstance(source, list):
        return [str(one) for one in source]
    return [str(one) for key in ("column", "join", "product") for one in _listed(source.get(key, []))]


def mapped(mapping: FieldMapping, batch: Any) -> Iterator[tuple[Rule | None, dict[str, Any], Any]]:
    """(rule, columns of our fields, places of the rows) for each rule that some rows of a RecordBatch follow.

    A row follows the first rule whose `when` it satisfies; with rule None come the rows that follow none.
    """
    left = pa.array([True] * len(batch)) if len(mapping.rules) > 1 or mapping.rules[0].when else None
    for rule in mapping.rules:
        chosen, places = batch, None
        if left is not None:
            fits = reduce(pc.and_, [_is_one_of(batch, name, texts) for name, texts in rule.when.items()], left)
            left = pc.and_not(left, fits)
            places = pc.indices_nonzero(fits)
            if not len(places):
                continue
            chosen = batch.take(places)
        yield rule, {field: _column(chosen, source, field) for field, source in rule.fields.items()}, places
    if left is not None and pc.any(left).as_py():
        yield None, {}, pc.indices_nonzero(left)


def _is_one_of(batch: Any, name: str, texts: tuple[str, ...]) -> Any:
    column = _reached(batch, name)
    if column is None:
        return pa.array([False] * len(batch))
    return pc.is_in(_as_text(column), value_set=pa.array(texts, pa.string()))


def _reached(batch: Any, path: str) -> Any:
    """The column at the end of a dotted path, None where there is none."""
    name, *inner = path.split(".")
    if name not in batch.schema.names:
        return batch.column(path) if path in batch.schema.names else None
    column = c.plain(batch.column(name))
    for part in inner:
        if not pa.types.is_struct(column.type) or column.type.get_field_index(part) < 0:
            return None
        column = pc.struct_field(column, part)
    return column


def _column(batch: Any, source: Any, field: str) -> Any:
    if not isinstance(source, dict):
        found = [one for path in _listed(source) if (one := _reached(batch, path)) is not None]
        if not found:
            return pa.nulls(len(batch), pa.string())
        if len(found) > 1:
            return pc.coalesce(*[_as_text(one) for one in found])
        return _as_text(found[0]) if field.endswith("_id") or field in ("action", "currency") else found[0]
    if "constant" in source:
        return pa.array([source["constant"]] * len(batch))
    if "join" in source:
        parts = [_as_text(_column(batch, path, "")) for path in source["join"]]
        return pc.binary_join_element_wise(*parts, "-")
    if "product" in source:
        factors = [_column(batch, path, "") for path in source["product"]]
        column = reduce(pc.multiply, [_doubles(one) for one in factors])
    else:
        column = _column(batch, source["column"], field)
    return _changed(column, source)


def _changed(column: Any, source: Mapping[str, Any]) -> Any:
    if "values" in source:
        names = list(source["values"])
        places = pc.index_in(_as_text(column), value_set=pa.array(names, pa.string()))
        return pa.array([str(one) for one in source["values"].values()]).take(places)
    if "unit" in source or "pattern" in source:
        times, valid = c.times_ms(column, source.get("unit", "ms"), source.get("pattern", ""))
        return pa.array(times, mask=~valid)
    return pc.multiply(_doubles(column), float(source["scale"])) if "scale" in source else column


def _doubles(column: Any) -> Any:
    values, valid = c.numbers(column)
    return pa.array(values, mask=~valid)


def _as_text(column: Any) -> Any:
    """Ids may be numbers elsewhere: 17850.0 and 17850 are the text 17850."""
    column = c.plain(column)
    if c.is_text(column.type):
        return column
    if pa.types.is_floating(column.type):
        whole = pc.equal(column, pc.round(column))
        if pc.all(pc.fill_null(whole, True)).as_py():  # noqa: FBT003 - arrow's signature
            column = column.cast(pa.int64(), safe=False)
    return column.cast(pa.string())


def recognised(columns: Collection[str]) -> FieldMapping | None:
    """The ready mapping for a file of these columns: one that reads them all, where our own words are not there."""
    if "customer_id" in columns and "ts" in columns:
        return None
    found = [one for name in shipped() if (one := load(name)).columns <= set(columns)]
    return max(found, key=lambda one: len(one.columns)) if found else None
