"""Laws of reading files: every kind gives the same events, no row is lost silently or stops the reading."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import SegstreamError
from stream.simulate import events
from stream.sources import LINE_BYTES_MAX, Coded, Misfit, Reading, SourceEvent, read_columns, read_events

CLICK = {"topic": "clicks", "event_id": "k1", "customer_id": "a", "ts": 1_700_000_000_000, "action": "view"}


def _read(path: Path, topic: str | None = None) -> tuple[list[SourceEvent], Reading]:
    reading = Reading()
    return list(read_events(path, reading, topic)), reading


def _lines(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def _json(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Events of all topics, as rows with their topic."""
    return [{"topic": event.topic, **event.payload} for event in events(3, 30, 20)]


def _as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = sorted({name for row in rows for name in row})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {name: json.dumps(v) if isinstance(v, (dict, list, bool)) else v for name, v in row.items()}
            )
    return path


def _as_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = sorted({name for row in rows for name in row})
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    return path


def test_every_kind_of_file_gives_the_same_events(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines, CSV and Parquet: same topics, keys, times and values, in the file's order."""
    from_json, reading = _read(_lines(tmp_path / "e.jsonl", *(_json(row) for row in rows)))
    assert (reading.fit_count, reading.misfit_count) == (len(rows), 0)
    plain = [(event.topic, event.customer_id, event.ts_ms, json.loads(event.value)) for event in from_json]
    assert [{"topic": topic, **value} for topic, _, _, value in plain] == rows
    for path in (_as_csv(tmp_path / "e.csv", rows), _as_parquet(tmp_path / "e.parquet", rows)):
        found, reading = _read(path)
        assert reading.misfit_count == 0
        assert [(e.topic, e.customer_id, e.ts_ms, json.loads(e.value)) for e in found] == plain


def test_rows_that_do_not_fit_are_counted_with_reason_and_row(tmp_path: Path) -> None:
    """Each is told by its line, and the good ones around it go through."""
    bad = [
        (b"{", "not JSON"),
        (b"[1]", "no JSON object"),
        (_json(CLICK | {"topic": "klicks"}), "unknown topic"),
        (_json(CLICK | {"topic": None}), "no topic: add a column `topic` or give --topic"),
        (_json(CLICK | {"event_id": None}), "event_id is missing"),
        (_json(CLICK | {"customer_id": 7}), "customer_id is not text"),
        (_json(CLICK | {"ts": "yesterday"}), "ts is no time"),
        (_json(CLICK | {"ts": True}), "ts is no time"),
        (b'{"topic": "clicks", "ts": NaN}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ]
    lines = [line for pair in bad for line in (pair[0], _json(CLICK))]
    found, reading = _read(_lines(tmp_path / "e.jsonl", *lines))
    assert len(found) == reading.fit_count == len(bad)
    assert reading.misfit_count == len(bad)
    assert reading.examples == [Misfit(2 * index + 1, reason) for index, (_, reason) in enumerate(bad[:5])]
    assert reading.misfits["not JSON"] == 3


def test_a_line_longer_than_a_record_is_one_misfit(tmp_path: Path) -> None:
    """It is skipped without being held, and the next line is read."""
    path = _lines(tmp_path / "e.jsonl", b"x" * (2 * LINE_BYTES_MAX + 10), _json(CLICK), b"", b"x" * LINE_BYTES_MAX)
    found, reading = _read(path)
    assert len(found) == 1
    assert reading.examples == [Misfit(1, "line too long"), Misfit(4, "line too long")]


def test_a_value_longer_than_a_record_does_not_fit(tmp_path: Path) -> None:
    """What Kafka would refuse is refused here, with its row."""
    wide = CLICK | {"page": "é" * (LINE_BYTES_MAX // 2)}
    path = _as_parquet(tmp_path / "e.parquet", [wide, CLICK])
    found, reading = _read(path)
    assert len(found) == 1
    assert reading.examples == [Misfit(1, "larger than a record may be")]


def test_csv_rows_that_do_not_fit_do_not_stop_the_others(tmp_path: Path) -> None:
    """Wrong numbers, words, widths, bytes."""
    path = _lines(
        tmp_path / "e.csv",
        b"topic,event_id,customer_id,ts,order_id,amount,currency,action,campaign_id,machine_open",
        b"purchases,1,a,1700000000000,o,12.50,EUR,,,",
        b"purchases,2,a,1700000000000,o,twelve,EUR,,,",
        b"purchases,3,a,1700000000000,o,nan,EUR,,,",
        b"emails,4,a,2023-11-14T22:13:20Z,,,,open,c,maybe",
        b"emails,5,a,2023-11-14T22:13:20Z,,,,open,c,TRUE",
        b"emails,6,\xff,2023-11-14T22:13:20Z,,,,open,c,",
        b"emails,7,a,2023-11-14T22:13:20Z,,,,open,c,,,,too,many",
        b"emails,8,a",
    )
    found, reading = _read(path)
    assert [json.loads(event.value)["event_id"] for event in found] == ["1", "5"]
    assert json.loads(found[0].value)["amount"] == 12.5
    assert json.loads(found[1].value)["machine_open"] is True
    assert {event.ts_ms for event in found} == {1_700_000_000_000}
    assert reading.misfits == {
        "amount is no number": 1,
        "amount is not finite": 1,
        "machine_open is neither true nor false": 1,
        "not UTF-8, or no JSON value": 1,
        "more fields than the header": 1,
        "ts is missing": 1,
    }


def test_the_topic_can_be_given_for_the_whole_file(tmp_path: Path) -> None:
    """Then no column is needed, and one that is there is not looked at."""
    row = {name: value for name, value in CLICK.items() if name != "topic"}
    found, _ = _read(_lines(tmp_path / "e.ndjson", _json(row), _json(row | {"topic": "nonsense"})), "clicks")
    assert [event.topic for event in found] == ["clicks", "clicks"]
    assert b"topic" not in found[1].value


def test_fields_of_other_topics_are_left_out(tmp_path: Path) -> None:
    """A file with all topics has columns that mean nothing to a click."""
    found, _ = _read(_lines(tmp_path / "e.jsonl", _json(CLICK | {"amount": 5, "note": "x"})))
    assert set(json.loads(found[0].value)) == {"event_id", "customer_id", "ts", "action"}


def test_parquet_types_become_json(tmp_path: Path) -> None:
    """Timestamps with and without zone, decimals, structs, maps and JSON text."""
    moment = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    order = {"event_id": ["1"], "customer_id": ["a"], "order_id": ["o"], "currency": ["EUR"]}
    items = [[{"product_id": "p", "category": None, "quantity": 2, "price": 1.5}]]
    for ts in (
        pa.array([moment], pa.timestamp("us", "UTC")),
        pa.array([moment.replace(tzinfo=None)], pa.timestamp("s")),
    ):
        table = {**order, "ts": ts, "amount": pa.array([Decimal("12.34")]), "items": items}
        pq.write_table(pa.table(table), tmp_path / "o.parquet")
        (event,), _ = _read(tmp_path / "o.parquet", "purchases")
        value = json.loads(event.value)
        assert event.ts_ms == value["ts"] == 1_700_000_000_000
        assert value["amount"] == 12.34
        assert value["items"] == [{"product_id": "p", "quantity": 2, "price": 1.5}]
    who = {"customer_id": ["a"] * 2, "ts": [1_700_000_000_000] * 2}
    mapped = pa.array([[("plan", "gold"), ("age", None)], []], pa.map_(pa.string(), pa.string()))
    for attributes in (mapped, pa.array(['{"plan": "gold", "age": null}', "{}"])):
        pq.write_table(pa.table({**who, "attributes": attributes}), tmp_path / "p.parquet")
        found, _ = _read(tmp_path / "p.parquet", "profiles")
        assert [json.loads(event.value)["attributes"] for event in found] == [
            {"plan": "gold", "age": None},
            {},
        ]


def test_nan_does_not_turn_into_null(tmp_path: Path) -> None:
    """JSON has no NaN; a row with one does not fit, at any depth."""
    rows = [
        {"customer_id": "a", "ts": 1, "attributes": {"age": float("nan")}},
        {"customer_id": "a", "ts": 1, "attributes": {"age": 40.0}},
    ]
    found, reading = _read(_as_parquet(tmp_path / "p.parquet", rows), "profiles")
    assert len(found) == 1
    assert reading.examples == [Misfit(1, "attributes is not finite")]


@pytest.mark.parametrize("name", ["missing.csv", "events.xlsx", "broken.parquet"])
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, name: str) -> None:
    """An error for a person, before or while reading."""
    if name != "missing.csv":
        (tmp_path / name).write_bytes(b"not what it says")
    with pytest.raises(SegstreamError):
        _read(tmp_path / name)


def test_an_unknown_topic_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is read."""
    with pytest.raises(SegstreamError, match="no input topic"):
        read_events(tmp_path / "e.jsonl", Reading(), "click")


def test_whole_columns_come_coded_or_as_numbers(tmp_path: Path) -> None:
    """Texts as codes (-1 for null), numbers with NaN for null, times as epoch ms."""
    moment = datetime(1970, 1, 2, tzinfo=UTC)
    pq.write_table(pa.table({"t": ["x", None, "x"], "n": [1, None, 3], "at": [moment] * 3}), tmp_path / "c.parquet")
    columns = read_columns(tmp_path / "c.parquet", ("t", "n", "at"))
    text, numbers, times = columns["t"], columns["n"], columns["at"]
    assert isinstance(text, Coded)
    assert not isinstance(numbers, Coded)
    assert not isinstance(times, Coded)
    assert (text.codes.tolist(), text.names) == ([0, -1, 0], ["x"])
    assert numbers[[0, 2]].tolist() == [1.0, 3.0]
    assert times.tolist() == [86_400_000.0] * 3
    with pytest.raises(SegstreamError):
        read_columns(tmp_path / "c.parquet", ("nope",))


@given(st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line and line.strip()), max_size=20))
def test_no_bytes_crash_the_reading(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Any lines at all: each is an event or a counted misfit, in JSON lines."""
    path = _lines(tmp_path_factory.mktemp("any") / "e.jsonl", *lines)
    found, reading = _read(path)
    assert len(found) + reading.misfit_count == len(lines)
