"""The page: whole, bounded, escaped, the same for the same document; and verified by recomputing it."""

from __future__ import annotations

import html
import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.cli import main
from stream.codec import plain_json
from stream.report.markup import Markup, script_json, tag
from stream.report.page import OPENING, page
from stream.report.verify import read
from tests.house.tree import REPO
from tests.report.conftest import Made
from tests.report.hostile import HOSTILE, poisoned

PAGE_BYTES_MAX = 1_600_000  # as e-mail takes it, and a phone opens it at once


class Elements(HTMLParser):
    """Which elements, attributes and texts a page has, as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102 - the parser's own
        self.found[tag] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:  # noqa: D102 - as above
        self.texts.append(data)


def test_a_page_is_small_and_alone(made: Made) -> None:
    """It fits into a message, and names nothing that would have to be fetched."""
    text = page(made.document)
    assert len(text.encode()) < PAGE_BYTES_MAX
    read = Elements(text)
    assert not {"src", "srcset", "action"} & read.attributes
    assert not {"link", "img", "iframe", "object"} & set(read.found)
    assert "default-src 'none'" in html.unescape(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_document_becomes_html(made: Made, text: str) -> None:
    """Whatever names, labels, files and texts say, the page has the elements that it has with harmless ones."""
    harmless, hostile = (Elements(page(poisoned(made.document, one))) for one in ("x", text))
    assert hostile.found == harmless.found
    assert hostile.attributes == harmless.attributes
    assert sum(text in one for one in hostile.texts) > 100


@given(st.text('<>&/"\\\u2028\u2029 a!-é\x00😀'))
def test_json_in_a_script_stays_in_it(text: str) -> None:
    """It reads back as it was, and has no sign that a parser of HTML looks at."""
    try:
        written = script_json({"text": text})
    except (TypeError, ValueError):  # a lone surrogate: no JSON, no page
        return
    assert plain_json.decode(str(written)) == {"text": text}
    assert not set("<>&") & set(written)


@given(st.text("<>&;\"' a#x27é😀"))
def test_an_escaped_text_reads_back(text: str) -> None:
    """In an element and in an attribute."""
    read = Elements(tag("p", text, title=text))
    assert "".join(read.texts) == text
    assert set(read.found) == {"p"}
    assert tag("p", Markup("<b>x</b>")) == "<p><b>x</b></p>"


@pytest.fixture(scope="module")
def report(made: Made) -> Path:
    """Written by the command."""
    path = made.path.parent / "report.html"
    options = ["--report", str(path), "--partitions", "2"]
    assert main(["backtest", str(made.path), *options, "--format", "json"]) == 0
    return path


def verified(report: Path, folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, bool | None]:
    """What `report verify` says of each check."""
    capsys.readouterr()
    code = main(["report", "verify", str(report), "--folder", str(folder), "--json", *more])
    found = {one["name"]: one["fine"] for one in json.loads(capsys.readouterr().out)}
    assert code == (0 if all(found.values()) else 1)
    return found


def test_a_report_is_verified(made: Made, report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Page, inputs, definitions and the run made again: all as the file says."""
    assert verified(report, made.path.parent, capsys) == {
        "page": True,
        "inputs": True,
        "definitions": True,
        "run": True,
    }


def test_the_same_run_gives_the_same_bytes(made: Made, report: Path) -> None:
    """At any time: the page tells of events and definitions, and not of the clock or the machine."""
    again = report.with_name("again.html")
    assert main(["backtest", str(made.path), "--report", str(again), "--partitions", "2"]) == 0
    assert again.read_bytes() == report.read_bytes()


def edited(report: Path, old: str, new: str, place: Path) -> Path:
    """A copy in which the first of some text is another."""
    text = report.read_text("utf-8")
    assert old in text
    path = place / "edited.html"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


def test_an_edited_report_is_found_out(
    made: Made, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A figure in the page, a figure in the page and its document alike, a definition, an input."""
    document: dict[str, Any] = plain_json.decode(
        report.read_text("utf-8").partition(OPENING)[2].partition("</script>")[0]
    )
    folder = made.path.parent
    shown = edited(report, f"{document['figures']['orders']:,}</dd>", "9,999,999</dd>", tmp_path)
    assert verified(shown, folder, capsys, "--no-run") == {"page": False, "inputs": True, "definitions": True}

    document["rfm"]["spend"][4][4] += 1.0
    both = tmp_path / "both.html"
    both.write_text(page(document), "utf-8")
    assert verified(both, folder, capsys) == {"page": True, "inputs": True, "definitions": True, "run": False}

    variant = document["recipe"]["variants"][0]
    variant["definitions"] = variant["definitions"].replace("< 45", "< 46", 1)
    both.write_text(page(document), "utf-8")
    assert verified(both, folder, capsys, "--no-run")["definitions"] is False

    (tmp_path / made.path.name).write_bytes(made.path.read_bytes() + b"\n")
    assert verified(report, tmp_path, capsys) == {"page": True, "inputs": False, "definitions": True, "run": None}


def test_the_report_in_the_documents_is_one() -> None:
    """docs/report.html is what this version makes of its document; if this fails: `make report`."""
    text, document = read(REPO / "docs" / "report.html")
    assert page(document) == text
    assert (document["complete"], document["figures"]["customers"] > 0) == (True, True)


def test_what_is_no_report_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a sentence, whatever it holds."""
    path = tmp_path / "other.html"
    for content in (b"", b"<html>", OPENING.encode() + b"{", OPENING.encode() + b"[]</script>", b"\xff\xfe"):
        path.write_bytes(content)
        assert main(["report", "verify", str(path)]) == 2
    assert "report" in capsys.readouterr().err
