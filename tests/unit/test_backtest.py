"""Backtest: what comes out hangs on the events and the definitions, and on nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from models.clusters.settings import TrainerSettings
from models.events import TOPICS
from stream.backtest.mapping import load as load_mapping
from stream.backtest.mapping import shipped
from stream.backtest.partition_run import Variant
from stream.backtest.play import Schedule
from stream.backtest.reading import FileSource, Record
from stream.backtest.result import Result
from stream.backtest.run import Task, Watch, backtest
from stream.cli import main
from stream.codec import journal
from stream.codec.block import block_of
from stream.codec.definitions import load
from stream.codec.events import decode
from stream.codec.plain_json import encode
from stream.errors import SegstreamError
from stream.kafka.partitioner import partition_of
from stream.simulate import events, retail_path
from stream.simulate.retail_orders import read_orders
from stream.sources import FIELDS, REQUIRED
from stream.worker.replica import Replica, Rule

DAY_MS = 86_400_000
SCHEDULE = Schedule(DAY_MS, 7, 30 * DAY_MS, 64)
TRAINER = TrainerSettings(warmup_vectors=100)
START_MS = 1_735_689_600_000  # 2025-01-01
NEWEST_MS = START_MS + 1_000 * DAY_MS


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Some thousand simulated events in time order."""
    return [{"topic": one.topic, **one.payload} for one in events(7, 60, 120, START_MS)]


@pytest.fixture(scope="module")
def jsonl(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as JSON lines."""
    return lines(tmp_path_factory.mktemp("backtest") / "events.jsonl", rows)


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_bytes(b"\n".join(encode(row) for row in rows) + b"\n")
    return path


def task(**more: Any) -> Task:
    """The shipped definitions with a trainer."""
    return dataclasses.replace(Task((Variant(load("")[0]),), SCHEDULE, TRAINER, NEWEST_MS), **more)


def run(path: Path, mapping: str | None = None, **more: Any) -> Result:
    """Backtest a file."""
    source = FileSource(path, mapping=load_mapping(mapping) if mapping else None)
    return backtest([source], task(**more), Watch())


def test_the_digest_does_not_hang_on_processes_or_format(
    rows: list[dict[str, Any]], jsonl: Path, tmp_path: Path
) -> None:
    """One process or two, JSON lines, Parquet or CSV: the same changes."""
    expected = run(jsonl)
    assert expected.events == len(rows)
    assert len(expected.variants[0].models) > 1
    assert run(jsonl, processes=2).variants[0].digest == expected.variants[0].digest
    columns = ["topic", *dict.fromkeys(name for names in FIELDS.values() for name in names)]
    texts = [{name: _text(row[name]) for name in columns if row.get(name) is not None} for row in rows]
    table = pa.Table.from_pylist(texts, schema=pa.schema([(name, pa.string()) for name in columns]))
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=1000)
    pa_csv.write_csv(table, tmp_path / "events.csv")
    for name in ("events.parquet", "events.csv"):
        assert run(tmp_path / name).variants[0].digest == expected.variants[0].digest, name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def test_what_is_not_in_time_order_is_sorted_first(rows: list[dict[str, Any]], jsonl: Path, tmp_path: Path) -> None:
    """Every customer ends where the sorted file puts them, and it is said that something was sorted."""
    remarks: list[str] = []
    source = FileSource(lines(tmp_path / "shuffled.jsonl", rows[1000:] + rows[:1000]))
    shuffled = backtest([source], task(), Watch(say=remarks.append))
    assert members(shuffled) == members(run(jsonl))
    assert "not in time order" in remarks[0]


def members(result: Result) -> dict[str, list[int]]:
    """Each customer's segments at the end."""
    return dict(zip(result.customers.ids, result.variants[0].segments.tolist(), strict=True))


def test_several_files_are_merged_by_time(rows: list[dict[str, Any]], jsonl: Path, tmp_path: Path) -> None:
    """A file for each topic is the same as one for all."""
    sources = [
        FileSource(lines(tmp_path / f"{topic}.jsonl", [row for row in rows if row["topic"] == topic]), number, topic)
        for number, topic in enumerate(TOPICS)
    ]
    assert members(backtest(sources, task())) == members(run(jsonl))


def test_it_is_what_a_worker_would_publish(rows: list[dict[str, Any]], jsonl: Path, tmp_path: Path) -> None:
    """A replica that executes a journal of the same events gives each customer the same changes."""
    definitions, _ = load("")
    untrained = (Variant(definitions, trained=False),)
    result = run(jsonl, variants=untrained, partitions=1, changes_folder=str(tmp_path / "log"))
    written = pq.read_table(tmp_path / "log").to_pylist()
    replica = Replica(0, Rule(1, 2**60, 10_000, DAY_MS, 7), lambda _: definitions, partition_of)
    replica.execute(0, journal.Adopt(0, "definitions", "", 0, 0), {})
    published = []
    for start in range(0, len(rows), 500):
        batch = list(enumerate(rows[start : start + 500], start))
        inputs = {
            kind: decode(kind, block_of([Record(n, None, encode(row), 0) for n, row in batch if row["topic"] == topic]))
            for kind, topic in enumerate(TOPICS)
        }
        published += replica.execute(1 + start, journal.Batch(0, (), rows[0]["ts"], NEWEST_MS), inputs).changes
    published += replica.execute(10**6, journal.Tick(0, result.last_ms, 10**6, 0), {}).changes
    mine: dict[str, list[Any]] = {}
    theirs: dict[str, list[Any]] = {}
    for row in written:
        mine.setdefault(row["customer_id"], []).append(_content(row["value"]))
    for key, value in published:
        theirs.setdefault(key.decode(), []).append(_content(value))
    assert mine == theirs


def _content(value: bytes) -> dict[str, Any]:
    """A change without its running numbers, which hang on when silence was looked at."""
    change = json.loads(value)
    return {name: change[name] for name in change if name not in ("event_id", "seq", "previous_seq")}


def test_rows_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    """By the reasons that live gives, and the rest goes on."""
    good = {"event_id": "e1", "customer_id": "c1", "ts": START_MS, "order_id": "o", "amount": 5, "currency": "EUR"}
    bad: list[tuple[str, dict[str, Any]]] = [
        ("wrong_type", {"customer_id": None}),
        ("wrong_type", {"customer_id": "x" * 200}),
        ("wrong_type", {"currency": "EURO"}),
        ("too_old", {"ts": 5}),
        ("future", {"ts": NEWEST_MS + 1}),
        ("zero_amount", {"amount": 0.001}),
        ("amount_out_of_range", {"amount": 1e15}),
    ]
    others = [{**good, "ts": "soon"}, {name: good[name] for name in good if name != "amount"}]
    path = lines(tmp_path / "purchases.jsonl", [good, *({**good, **wrong} for _, wrong in bad), *others])
    result = backtest([FileSource(path, topic="purchases")], task())
    expected = [reason for reason, _ in bad] + ["bad_time", "missing_field"]
    assert result.fit.misfits == {reason: expected.count(reason) for reason in expected}
    assert result.events == 1
    with pytest.raises(SegstreamError, match="no event fits"):
        backtest([FileSource(path)], task())


def test_an_interrupted_run_says_how_far_it_came(jsonl: Path) -> None:
    """What was applied until then is answered for."""
    result = backtest([FileSource(jsonl)], task(), Watch(stopped=lambda: True))
    assert not result.complete
    assert 0 < result.events <= run(jsonl).events


@pytest.mark.parametrize("name", shipped())
def test_ready_mappings_are_right(name: str) -> None:
    """They load, and have every field that their topic needs or say that they do without."""
    for rule in load_mapping(name).rules:
        assert set(REQUIRED[rule.topic]) <= {*rule.fields, *rule.without}


def test_invoice_lines_become_orders(capsys: pytest.CaptureFixture[str]) -> None:
    """Online Retail by its ready mapping: one order an invoice, as the demo reads them."""
    code = main(["backtest", str(retail_path()), "--mapping", "online-retail", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert code == 0
    assert figures["misfits"]["missing_field"] == 135_080  # a quarter of the lines have no customer
    assert figures["events"] == len(read_orders().invoice) + 1  # the lines of one invoice lie in two places
