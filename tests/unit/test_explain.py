"""Explanations: the tree is the kernel's answer, and what a counterfactual says comes true."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.engine import Engine
from models.tree import ENTERED, KEPT, LATER, NO, standings
from models.trial import DEEDS, SMALL_MINOR, Trial
from stream.cli import main
from stream.cli.times import epoch_ms as moment
from stream.codec.plain_json import encode
from stream.codec.times import iso
from stream.explanation import Subject, explain, told
from stream.simulate import events
from stream.subscriber import View
from stream.worker.standing import standing_of
from tests.golden.recording import CHANGES, SETTINGS
from tests.house.tree import REPO
from tests.unit.test_verification import lived

START_MS = 1_735_689_600_000  # 2025-01-01


@pytest.fixture(scope="module")
def view() -> View:
    """What a subscriber knows of the log of `subjects`."""
    found = View()
    for record in lived(then_die=True).shelf(CHANGES).records:
        found.take_change(0, json.loads(record.value or b""))
    return found


@pytest.fixture(scope="module")
def subjects(view: View) -> list[Subject]:
    """Everybody in a log whose journal is ahead of its checkpoint."""
    log = lived(then_die=True)
    found = [(who, asyncio.run(standing_of(log, SETTINGS, who))) for who in view.customers()]
    assert asyncio.run(standing_of(log, SETTINGS, "nobody")) is None
    return [Subject(who, *one) for who, one in found if one is not None]


def test_a_customer_is_explained_where_a_subscriber_knows_her(subjects: list[Subject], view: View) -> None:
    """Every dimension of everybody, read from checkpoint and journal beside the worker."""
    assert len(subjects) == len(view)
    for subject in subjects:
        found = explain(subject)["dimensions"]
        known = view.segments(subject.customer_id)
        assert {name: one["segment"] for name, one in found.items() if name != "behaviour"} == known


def test_the_tree_leads_to_the_segment(subjects: list[Subject]) -> None:
    """Earlier segments do not hold, the answer's condition does, later ones were not asked."""
    for subject in subjects:
        for one in standings(subject.row, subject.now_ms, engine_of(subject), subject.judge):
            verdicts = [asked.verdict for asked in one.segments]
            if not verdicts:
                continue
            assert one.follows == one.code
            place = one.code - 1
            assert set(verdicts[:place]) <= {NO}
            assert verdicts[place] in (ENTERED, KEPT)
            assert set(verdicts[place + 1 :]) <= {LATER}
            assert [asked.node.holds for asked in one.segments[: place + 1]] == [False] * place + [True]


def engine_of(subject: Subject) -> Engine:
    """An engine for outlooks."""
    return Engine(subject.judge, 1)


def test_a_move_is_the_least_that_moves(subjects: list[Subject]) -> None:
    """One time less, or a cent less, leaves the customer where she is."""
    seen = set()
    for subject in subjects:
        trial = Trial(subject.row, subject.now_ms, subject.judge)
        for d in range(len(subject.judge.definitions.dimensions)):
            here = int(subject.row[0].segment[d])
            for move in trial.moves(d):
                deed = next(one for one in DEEDS if one.name == move.deed)
                amount = move.amount_minor or SMALL_MINOR
                assert trial.after(deed, move.times, amount)[0].segment[d] == move.code != here
                if move.times > 1:
                    assert trial.after(deed, move.times - 1, amount)[0].segment[d] == here
                elif amount > SMALL_MINOR:
                    assert trial.after(deed, 1, amount - 1)[0].segment[d] == here
                seen.add((move.deed, move.times > 1, amount > SMALL_MINOR))
    assert seen >= {("purchase", False, False), ("purchase", False, True), ("visit", True, False)}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Some months of a few customers, as a file and as rows."""
    path = tmp_path_factory.mktemp("explain") / "events.jsonl"
    rows = [{"topic": one.topic, **one.payload} for one in events(11, 25, 100, START_MS)]
    path.write_bytes(b"\n".join(encode(row) for row in rows) + b"\n")
    return path, rows


def explained(capsys: pytest.CaptureFixture[str], path: Path, who: str, *more: str) -> dict[str, Any]:
    """What the command says of lifecycle."""
    assert main(["explain", who, "--events", str(path), "--dimension", "lifecycle", "--json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_is_told_comes_true(
    past: tuple[Path, list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A purchase a moment later leads to the segment that was told; one just before the deadline keeps the present."""
    path, rows = past
    for who in told_both(capsys, path, rows):
        found = explained(capsys, path, who)
        lifecycle = found["dimensions"]["lifecycle"]
        for one in lifecycle["counterfactuals"]:
            if one["deed"] != "purchase":
                continue
            then = one.get("before") or found["as_of"]
            at_ms = moment(then) + (-1 if "before" in one else 1)
            order = {
                "topic": "purchases", "event_id": "told", "customer_id": who, "ts": iso(at_ms), "order_id": "told",
                "amount": max(one.get("amount_at_least", 0.0), 0.01), "currency": "EUR",
            }  # fmt: skip
            later = tmp_path / "later.jsonl"
            later.write_bytes(b"\n".join(encode(row) for row in [*rows, order]) + b"\n")
            after = explained(capsys, later, who, "--at", iso(moment(then) + 1_000))
            assert after["dimensions"]["lifecycle"]["segment"] == one["segment"], one["words"]


def told_both(capsys: pytest.CaptureFixture[str], path: Path, rows: list[dict[str, Any]]) -> Iterator[str]:
    """A customer who would move by a purchase, and one who would stay by it."""
    wanted = {True, False}
    for who in dict.fromkeys(row["customer_id"] for row in rows):
        told_of = explained(capsys, path, who)["dimensions"]["lifecycle"]["counterfactuals"]
        kinds = {"before" in one for one in told_of if one["deed"] == "purchase"}
        if kinds & wanted:
            wanted -= kinds
            yield who
        if not wanted:
            return
    raise AssertionError(f"nobody for {wanted}")


def test_in_words_every_condition_has_value_and_verdict(subjects: list[Subject]) -> None:
    """A line each, and the counterfactuals under it; only of the dimensions that were asked for."""
    for subject in subjects:
        text = told(explain(subject, ("intent", "lifecycle")))
        assert re.search(r"^    [+-] orders == 0 \(is \d+\)$", text, re.MULTILINE)
        assert "click_intensity_1d >= " in text
        assert re.search(r"^  \* (one|\d) more ", text, re.MULTILINE)
        assert "rfm" not in text


def test_an_audience_is_spoken_of_by_its_name(
    past: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """In it or not, what enters or leaves it; nobody is told of a segment called `in`."""
    path, rows = past
    cart = next(row for row in rows if row.get("action") == "cart_add")
    asked = ["--events", str(path), "--definitions", str(REPO / "examples/audiences.yaml")]
    asked += ["--dimension", "audience:abandoned cart"]
    said = []
    for at_ms in (cart["ts"] - 1, cart["ts"] + 1):
        assert main(["explain", cart["customer_id"], *asked, "--at", iso(at_ms)]) == 0
        said.append(capsys.readouterr().out)
    before, after = said
    assert re.search(r"^audience abandoned cart: not in it; if silent, the customer is forgotten", before, re.MULTILINE)
    assert re.search(r"^  \* one more thing put into the cart enters audience `abandoned cart`$", before, re.MULTILINE)
    assert re.search(r"^audience abandoned cart: in it; if silent, it is left on ", after, re.MULTILINE)
    assert re.search(r"^  \* one more purchase of any size leads out of it$", after, re.MULTILINE)
    assert re.search(
        r"^  \* a thing put into the cart before \S+ \S+ keeps audience `abandoned cart`$", after, re.MULTILINE
    )
    assert "`in`" not in before + after


def test_who_or_what_is_unknown_is_said(
    past: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A customer, a dimension, a time without events."""
    path, rows = past
    assert main(["explain", "nobody", "--events", str(path)]) == 2
    assert "nothing is known of 'nobody'" in capsys.readouterr().err
    assert main(["explain", rows[0]["customer_id"], "--events", str(path), "--dimension", "lifecyle"]) == 2
    assert "the definitions have lifecycle" in capsys.readouterr().err
    assert main(["explain", "anybody", "--at", "2025-01-01"]) == 2
