"""The tables of the documents that are written from the program: `python -m tests.house.tables` writes them anew."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from models.customers.row import ROW
from models.definitions.comparison import FORMS
from models.definitions.document import CLUSTER, Definitions, Dimension
from models.definitions.language import parse
from models.features.catalogue import CLUSTER_FEATURES, FEATURES
from models.health import Health
from stream.codec.definitions import gallery_names, gallery_text, plain, shipped_text
from stream.codec.events import REASONS
from stream.codec.schemas import Click, Email, Profile, Purchase
from stream.explanation import told as in_words
from stream.health.words import told
from tests.house.tree import REPO

# Of a customer beside the row: `segstream bench memory` measured 722 bytes in all with rows of 600 (2026-11-22), before
# the 8 of `calm_ms`, and tests/unit/test_memory_formula.py holds it against the table itself.
BESIDE_BYTES = 133
REASON_MEANINGS: Mapping[str, str] = {
    "malformed": "not JSON, not UTF-8, nested deeper than 256, or no value where there must be one",
    "missing_field": "a required field is not there",
    "wrong_type": "a field has another type or an unknown value; an attribute that is no finite number, or beyond 64 "
    "bits; the customer id `_checkpoint`, which is ours",
    "too_large": "the value is larger than 256 KiB",
    "bad_time": "`ts` is neither ISO 8601 nor epoch milliseconds, has no time zone, or is after the year 9999",
    "too_old": "`ts` is before 1990: an unset clock, or seconds where milliseconds were meant",
    "future": "`ts` is more than `SEGSTREAM_FUTURE_MS_MAX` ahead of the worker's clock",
    "zero_amount": "a purchase of nothing is neither an order nor a refund",
    "amount_out_of_range": "not a finite number, or beyond a million million",
    "wrong_partition": "the customer belongs to another partition: the producer uses another partitioner or key",
    "table_full": "the partition holds `SEGSTREAM_CUSTOMERS_MAX` customers, and this would be one more",
}
FIELD_MEANINGS: Mapping[str, str] = {
    "event_id": "names the event; a second one with the same id is a duplicate",
    "customer_id": "who",
    "ts": "when it happened",
    "order_id": "the order",
    "amount": "in units of the currency, such as 19.99; negative is a refund",
    "currency": "three letters; amounts are added whatever it says",
    "campaign_id": "the campaign",
    "category": "what kind of product; counts for those that [definitions](definitions.md) declare",
    "machine_open": "an open by a machine (a privacy proxy): it does not count as the customer's",
    "attributes": "names (at most 128 characters) and values: numbers, strings, booleans, null; at most 64; "
    "replaces all that was known",
}
SCHEMAS: Mapping[str, type[msgspec.Struct]] = {
    "clicks": Click,
    "purchases": Purchase,
    "emails": Email,
    "profiles": Profile,
}


def features() -> str:
    """Every feature a condition can name."""
    rows = [
        (f"`{one.name}`" + (" in ..." if one.windowed else ""), one.unit or "number", one.meaning) for one in FEATURES
    ]
    return _table(("feature", "unit", "meaning"), rows)


def forms() -> str:
    """Every form of a comparison."""
    return _table(("comparison", "meaning"), [(f"`{one}`", meaning) for one, meaning in FORMS.items()])


def gallery() -> str:
    """The documents that come along, with what each says of itself in its first lines."""
    rows = []
    for name in gallery_names():
        told = " ".join(line.removeprefix("#").strip() for line in gallery_text(name).split("version:")[0].splitlines())
        rows.append(
            (f"`{name}`", told.strip(), ", ".join(one.name for one in parse(plain(gallery_text(name))).dimensions))
        )
    return _table(("name", "what it says", "dimensions"), rows)


def shipped() -> str:
    """The shipped dimensions with their segments in order."""
    definitions: Definitions = parse(plain(shipped_text()))
    rows = [(f"`{one.name}`", one.description, _segments(one)) for one in definitions.dimensions]
    return _table(("dimension", "what it says", "segments, the first that holds counts"), rows)


def _segments(dimension: Dimension) -> str:
    if dimension.kind == CLUSTER:
        return "`cluster-<id>`, `unassigned`"
    return ", ".join(segment.name for segment in dimension.segments)


def clusters() -> str:
    """What a cluster is made of."""
    return ", ".join(f"`{name}`" for name in CLUSTER_FEATURES) + ".\n"


def reasons() -> str:
    """Why a record is refused."""
    return _table(("reason", "meaning"), [(f"`{name}`", REASON_MEANINGS.get(name, "")) for name in REASONS])


def schema(topic: str) -> Callable[[], str]:
    """The fields of an input that are decoded."""

    def fields() -> str:
        rows = [
            (f"`{one.name}`", "yes" if one.required else "no", _meaning(topic, one))
            for one in msgspec.structs.fields(SCHEMAS[topic])
        ]
        return _table(("field", "required", "meaning"), rows)

    return fields


def _meaning(topic: str, one: msgspec.structs.FieldInfo) -> str:
    if one.name == "action":
        schemas = msgspec.json.schema(SCHEMAS[topic])["$defs"]
        values = schemas[SCHEMAS[topic].__name__]["properties"]["action"]["enum"]
        return "one of " + ", ".join(f"`{value}`" for value in values)
    return FIELD_MEANINGS.get(one.name, "")


def year() -> str:
    """What `segstream health` says of the demo's year, from the figures beside the page."""
    found = msgspec.json.decode((REPO / "docs/health.json").read_bytes(), type=Health)
    return f"```text\n{told(found)}\n```\n"


def customer() -> str:
    """What `segstream explain` says of a customer of the demo's year."""
    return f"```text\n{in_words(_explained())}\n```\n"


def customer_json() -> str:
    """The same of one dimension, as an object for programs."""
    found = _explained()
    found["dimensions"] = {"value": found["dimensions"]["value"]}
    return f"```json\n{json.dumps(found, indent=2)}\n```\n"


def _explained() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPO / "docs/explain.json").read_text("utf-8"))
    return found


def speed() -> str:
    """What `make bench-backtest` has measured, from the figures beside the page."""
    heads = ("file", "processes", "events", "changes", "s", "events/s", "a core", "MB, all processes", "digest")
    rows = []
    for one in json.loads((REPO / "docs/backtest.json").read_text("utf-8")):
        figures = [f"{round(one[name]):,}" for name in ("events_per_s", "events_per_s_core", "peak_rss_mb")]
        counts = [f"{one[name]:,}" for name in ("events", "changes")]
        name, processes = one["command"].split()[2], str(one["processes"])
        rows.append((name, processes, *counts, f"{one['seconds']:.1f}", *figures, f"`{one['digest'][:12]}`"))
    return _table(heads, rows)


def memory() -> str:
    """The formula of a worker's memory."""
    formula = f"MB = BASE + customers x {ROW.itemsize + BESIDE_BYTES} bytes + CHECKPOINT"
    beside = f"at most {BESIDE_BYTES} beside it: id, due time and index with ids of 8 characters, and what a recovery"
    return f"```text\n{formula}\n```\n\nA customer takes a row of {ROW.itemsize} bytes and {beside}\nleaves behind.\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *map(tuple, rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/definitions.md": {
        "features": features,
        "forms": forms,
        "gallery": gallery,
        "shipped": shipped,
        "clusters": clusters,
    },
    "docs/health.md": {"year": year, "customer": customer, "customer-json": customer_json},
    "docs/backtest.md": {"speed": speed},
    "docs/operations.md": {"memory": memory},
    "docs/events.md": {"reasons": reasons, **{topic: schema(topic) for topic in SCHEMAS}},
}


def rewritten(page: str) -> str:
    """Return a page with its tables as the program has them."""
    text = (REPO / page).read_text("utf-8")
    for name, table in TABLES[page].items():
        between = re.compile(rf"(<!-- {name}: [^>]* -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not between.search(text):
            raise ValueError(f"{page} has no place for the table {name}")
        text = between.sub(lambda found, table=table: f"{found[1]}{table()}{found[2]}", text)  # type: ignore[misc]  # mypy does not infer lambdas with defaults
    return text


if __name__ == "__main__":
    for page in TABLES:
        (REPO / page).write_text(rewritten(page), "utf-8")
