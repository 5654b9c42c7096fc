"""More than two hundred faulty definitions files: each refused with the line and the cause, and none crashes.

Each line of the gallery that says something is spoilt in a way of its own, one file for each fault; other faults are
written by hand. Hypothesis spoils the text of a file anywhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.cli import main
from stream.codec.definitions import check, gallery_names, gallery_text, remarks
from tests.unit.test_definitions_cli import GOOD
from tests.unit.test_definitions_test_cli import CASES

FAULTS_MIN = 200  # what the issue asks for
CONDITION = re.compile(r"^(?P<head>\s+(?:when|stay): )(?P<value>.+?)(?P<comment>\s+#.*)?$")
NAME = re.compile(r"^(?P<head>\s+- name: )(?P<name>.+)$")
# What a condition is replaced with, and what the message then says.
CONDITIONS = (
    ("days_since_ordr >= 3", "unknown feature 'days_since_ordr'; did you mean 'days_since_order'?"),
    ("orders >> 3", "is not a number"),
    ("orders >= three", "'three' is not a number"),
    ("orders", "cannot read 'orders'"),
    ("7", "must be a mapping"),
    ("{all: []}", "must be a list of conditions"),
    ("{all: [always], any: [always]}", "must have exactly one of all, any, not"),
    ("{every: [always]}", "is not known here"),
    ("recent_orders >= 2", "needs a window"),
    ("orders in 30 apples >= 2", "cannot read"),
    ("recent_orders in 30 days >= 7", "is exact up to 6"),
    ("profile.shoe_size >= 40", "is not declared under attributes"),
    ("click_intensity_1d >= 0", "only nears zero"),
    ("spend between 9 and 3", "nothing is between 9 and 3"),
    ("spend >= 99999999999999999", "is not a number"),
    ("top 13 % by spend", "not 13 %"),
    ("no parcel for 3 days", "a row keeps no time of 'parcel'"),
    ("click, then no click within 2 hours", "nothing of its kind can follow it"),
    ("dimension weather is fine", "unknown dimension 'weather'"),
    ("null", "must be a mapping"),
)
BY_HAND: list[tuple[str, str, int, str]] = [
    ("empty", "", 1, "must be a mapping"),
    ("null", "null\n", 1, "must be a mapping"),
    ("a list", "- a\n- b\n", 1, "must be a mapping"),
    ("a word", "segments\n", 1, "must be a mapping"),
    ("a tab", GOOD.replace("  buying:", "\tbuying:"), 10, "not YAML"),
    ("an open bracket", GOOD.replace("[1, 2, 3, 5]", "[1, 2, 3, 5"), 7, "not YAML"),
    ("an open quote", GOOD.replace("name: shop", 'name: "shop'), 16, "not YAML"),
    ("a key twice", GOOD + "name: again\n", 18, "not YAML"),
    ("a segment's key twice", GOOD.replace("when: always", "when: always\n        when: orders >= 1"), 18, "not YAML"),
    ("an unknown anchor", GOOD.replace("when: always", "when: *nothing"), 17, "not YAML"),
    ("an unknown tag", GOOD.replace("when: always", "when: !!python/object:os.system always"), 17, "not YAML"),
    ("two documents", GOOD + "---\n" + GOOD, 18, "not YAML"),
    ("a number as a key", GOOD.replace("  buying:", "  7:"), 9, "lower-case letters"),
    ("a list as a key", GOOD.replace("name: shop", "? [a]\n: b"), 1, ""),
    ("nested deeply", "a: " + "[" * 1000, 1, "not YAML"),
    ("version 2", GOOD.replace("version: 1", "version: 2"), 1, "must be 1"),
    ("version text", GOOD.replace("version: 1", 'version: "1"'), 1, "must be 1"),
    ("version true", GOOD.replace("version: 1", "version: true"), 1, "must be 1"),
    ("no cuts", GOOD.replace("cuts:", "cutz:"), 4, "did you mean 'cuts'?"),
    ("cuts that fall", GOOD.replace("[1, 2, 3, 5]", "[5, 3, 2, 1]"), 6, "must not fall"),
    ("cuts below zero", GOOD.replace("[14, 33", "[-14, 33"), 5, "must not fall, from 0"),
    ("endless cuts", GOOD.replace("2100]", ".inf]"), 7, "must be a list of 4 numbers"),
    ("cuts that are none", GOOD.replace("2050", ".nan"), 8, "must be a list of 3 numbers"),
    ("a cut too many", GOOD.replace("5800]", "5800, 9000]"), 8, "must be a list of 3 numbers"),
    ("an attribute's kind", GOOD.replace("plan: string", "plan: text"), 3, 'must be "number" or "string"'),
    ("an attribute's name", GOOD.replace("{plan: string}", "{pl-an: string}"), 3, "is no name"),
    ("nine attributes", GOOD.replace("{plan: string}", str({f"a{i}": "number" for i in range(9)})), 3, "a row keeps 8"),
    ("no dimension", GOOD[: GOOD.index("dimensions:")] + "dimensions: {}\n", 9, "must be 1 to 16"),
    ("dimensions as a list", GOOD.replace("  buying:", "  - buying:"), 9, "must be a mapping"),
    ("segments as a mapping", GOOD.replace("    segments:\n", "    segments: {a: b}\n    unused:\n"), 0, "not known"),
    ("an unknown kind", GOOD.replace("    segments:", "    kind: rule\n    segments:"), 11, 'must be "rules" or'),
    ("a name twice", GOOD.replace("name: rarely", "name: often"), 14, "'often' is there twice"),
    ("a name too long", GOOD.replace("name: rarely", f"name: {'r' * 41}"), 14, "is no name"),
    ("a dwell of years", GOOD.replace("    segments:", "    dwell_days: 400\n    segments:"), 11, "from 0 to 365"),
    ("a dwell of text", GOOD.replace("    segments:", "    dwell_days: long\n    segments:"), 11, "must be a number"),
    ("a description", GOOD.replace("    segments:", "    description: [a]\n    segments:"), 11, "must be text"),
    ("an open quote in a text", GOOD.replace('"pro"', '"pro'), 15, "has a quote without its partner"),
    ("another quote at the end", GOOD.replace('"pro"', "\"pro'"), 15, "has a quote without its partner"),
    ("a quote alone", GOOD.replace('"pro"', '"'), 15, "has a quote without its partner"),
    (
        "an open quote in a set",
        GOOD.replace("when: always", "when: profile.plan in (a, 'b)"),
        17,
        "without its partner",
    ),
    ("a quote in quotes", GOOD.replace('"pro"', '"p"ro"'), 15, "holds its own quotes"),
    ("a budget", GOOD + "budget: vip.share <= 10%\n", 18, "must be a list of at most"),
    ("a budget's limit", GOOD + "budget:\n  - total.changes_per_day <= 9\n  - vip.beauty <= 3\n", 20, "is no limit"),
    ("a date for a condition", GOOD.replace("when: always", "when: 2026-01-01"), 17, "cannot read '2026-01-01'"),
    ("too much nesting", GOOD.replace("always", "{not: " * 9 + "always" + "}" * 9), 17, "nested deeper than 8"),
    ("a circle", GOOD.replace("when: always", "when: dimension buying is often"), 10, "hangs on itself"),
    ("tests as a mapping", GOOD + "tests: {a: b}\n", 18, "must be a list of at most"),
    ("a case's fault", GOOD + CASES.replace("purchase: 9.90}", "purchase: free}"), 21, "must be an amount of money"),
    ("a case's segment", GOOD + CASES.replace("{buying: rarely}", "{buying: raerly}"), 24, "did you mean 'rarely'?"),
]
PIECES = ("", ":", "\n", "- ", "{", "]", "'", "&a ", "*a", "!x ", "\0", "\t", "#", "7")


def spoilt() -> Iterator[tuple[str, str, int, str]]:
    """(id, text, line of the fault, words of the message) of each line of the gallery that can be wrong."""
    kinds = itertools.cycle(CONDITIONS)
    for name in sorted({*gallery_names()} - {"shipped"}):  # whose size would only take time
        lines = gallery_text(name).splitlines()
        for i, line in enumerate(lines):
            condition, named = CONDITION.match(line), NAME.match(line)
            found: list[tuple[str, str]] = []
            if condition:
                value, words = next(kinds)
                found.append((condition["head"] + value, words))
                found.append((line.replace("when:", "whem:").replace("stay:", "stey:"), "is not known here; did you"))
            elif named:
                found.append((named["head"] + named["name"].strip("'\"").title(), "is no name"))
            elif re.match(r"^(version|cuts|attributes|dimensions):", line):
                found.append((line.replace(":", "s:", 1), "is not known here; did you mean"))
            for k, (faulty, words) in enumerate(found):
                text = "\n".join([*lines[:i], faulty, *lines[i + 1 :]])
                yield f"{name}:{i + 1}:{k}", text, i + 1, words


SPOILT = list(spoilt())


def test_there_are_enough() -> None:
    """Two hundred and more, each another text."""
    assert len({text for _, text, _, _ in [*SPOILT, *BY_HAND]}) >= FAULTS_MIN


@pytest.mark.parametrize(("text", "line", "words"), [one[1:] for one in SPOILT], ids=[one[0] for one in SPOILT])
def test_a_spoilt_line_is_refused_where_it_is(text: str, line: int, words: str) -> None:
    """The finding is on the line that was spoilt, and says what is wrong with it."""
    (found,) = check(text)
    assert found.line == line
    assert words in found.problem


@pytest.mark.parametrize(("text", "line", "words"), [one[1:] for one in BY_HAND], ids=[one[0] for one in BY_HAND])
def test_a_fault_by_hand_is_refused_where_it_is(
    text: str, line: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the command: exit code 1, `file:line:column: error:`, and the cause."""
    file = tmp_path / "segments.yaml"
    file.write_text(text, "utf-8")
    assert main(["definitions", "check", str(file)]) == 1
    shown = capsys.readouterr().out
    place = re.match(re.escape(str(file)) + r":(\d+):(\d+): error: (.*)", shown)
    assert place is not None
    assert line in (int(place[1]), 0)
    assert words in shown


@settings(max_examples=150)
@given(st.data())
def test_a_text_spoilt_anywhere_is_refused_with_its_place_or_works(data: st.DataObject) -> None:
    """Pieces cut out, doubled or replaced: findings lie in the file and say something; what is right gets remarks."""
    text = GOOD + CASES
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 30, len(text))))
        instead = data.draw(
            st.sampled_from(["", text[start:end] * 2, ":", "\n", "- ", "{", "]", "'", "&a", "*a", "!", "\0"])
        )
        text = text[:start] + instead + text[end:]
    found = check(text)
    lines = text.count("\n") + 1
    for one in found or remarks(text):
        assert one.problem
        assert 1 <= one.line <= lines + 1
        assert one.column >= 1
