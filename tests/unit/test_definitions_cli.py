"""`segstream definitions`: mistakes with their place, what a document declares, Markdown, formats, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from stream.cli import main
from stream.codec.definitions import check, shipped_text
from stream.definitions.formats import Verdict, junit_of

GOOD = """\
version: 1
name: shop
attributes: {plan: string}
cuts:
  recency_days: [14, 33, 72, 180]
  orders: [1, 2, 3, 5]
  spend: [250, 500, 950, 2100]
  value: [670, 2050, 5800]
dimensions:
  buying:
    segments:
      - name: often
        when: recent_orders in 30 days >= 2
      - name: rarely
        when: {all: [orders >= 1, profile.plan == "pro"]}
      - name: rest
        when: always
"""
BAD = GOOD.replace("orders >= 1", "ordrs >= 1")
BAD_LINE = 1 + BAD[: BAD.index("when: {all")].count("\n")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file with one misspelt feature."""
    file = tmp_path / "segments.yaml"
    file.write_text(BAD, "utf-8")
    return file


def test_the_shipped_definitions_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the shipped document is checked; the summary names what it declares."""
    assert main(["definitions", "check"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("shipped definitions: 6 dimensions, ")
    for word in ("lifecycle", "champions", "clusters", "days_since_order"):
        assert word in shown


def test_a_mistake_is_shown_with_line_column_and_the_nearest_name(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line an editor can jump to, and exit code 1."""
    assert main(["definitions", "check", str(written)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 1
    assert shown[0].startswith(f"{written}:{BAD_LINE}:")
    assert "dimensions.buying.segments[1].when.all[0]: unknown feature 'ordrs'; did you mean 'orders'?" in shown[0]


def test_broken_yaml_is_a_finding_at_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the parser cannot read is a mistake of the file, not a crash."""
    file = tmp_path / "segments.yaml"
    file.write_text("name: x\ndimensions: {a: [}\n", "utf-8")
    assert main(["definitions", "check", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"{file}:2:")


def test_markdown_is_checked_fence_by_fence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines count from the top of the Markdown file; fences without `dimensions:` are none of ours."""
    before = "# Title\n\n```yaml\nunrelated: [1, 2\n```\n\n"
    page = f"{before}```yaml\n{GOOD}```\n\nand\n\n```yaml\n{BAD}```\n"
    file = tmp_path / "page.md"
    file.write_text(page, "utf-8")
    assert main(["definitions", "check", str(file)]) == 1
    line = 1 + page[: page.index("ordrs")].count("\n")
    assert capsys.readouterr().out.startswith(f"{file}:{line}:")


def test_a_fence_in_a_list_keeps_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The indentation of the fence is part of the column."""
    indented = "".join(f"    {line}\n" for line in ["```yaml", *BAD.splitlines(), "```"])
    file = tmp_path / "page.md"
    file.write_text(f"- a list\n\n{indented}", "utf-8")
    flat = tmp_path / "flat.yaml"
    flat.write_text(BAD, "utf-8")
    assert main(["definitions", "check", str(flat)]) == 1
    column = int(capsys.readouterr().out.removeprefix(f"{flat}:{BAD_LINE}:").split(":")[0])
    assert main(["definitions", "check", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"{file}:{BAD_LINE + 3}:{column + 4}:")


def test_markdown_without_definitions_is_broken_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to check is not the same as nothing wrong."""
    file = tmp_path / "page.md"
    file.write_text("# Nothing here\n", "utf-8")
    assert main(["definitions", "check", str(file)]) == 2
    assert "holds no definitions" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_broken_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, told with what to give."""
    assert main(["definitions", "check", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_json_holds_findings_or_what_is_declared(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object on one line, the same keys in both cases."""
    assert main(["definitions", "check", str(written), "--format", "json"]) == 1
    wrong = json.loads(capsys.readouterr().out)
    assert [(one["line"], one["path"]) for one in wrong["findings"]] == [
        (BAD_LINE, "dimensions.buying.segments[1].when.all[0]")
    ]
    assert wrong["documents"] == []
    good = tmp_path / "good.yaml"
    good.write_text(GOOD, "utf-8")
    assert main(["definitions", "check", str(good), "--format", "json"]) == 0
    right = json.loads(capsys.readouterr().out)
    assert right.keys() == wrong.keys()
    assert right["findings"] == []
    assert right["documents"][0]["dimensions"] == {"buying": ["often", "rarely", "rest"]}
    assert right["documents"][0]["features"] == ["orders", "profile.plan", "recent_orders"]
    assert right["documents"][0]["attributes"] == {"plan": "string"}


def test_github_annotations_are_one_line_each(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pull request shows the finding at its line."""
    assert main(["definitions", "check", str(written), "--format", "github"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 1
    assert shown[0].startswith(f"::error file={written},line={BAD_LINE},col=")


def test_an_unknown_format_is_broken_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The formats there are, are told."""
    assert main(["definitions", "check", "--format", "xml"]) == 2
    assert "github" in capsys.readouterr().err


ODD = GOOD.replace("recent_orders in 30 days >= 2", "{any: [orders >= 2, orders < 0]}")
NOBODY = GOOD.replace("orders >= 1, ", "recent_orders in 60 days >= 3, recent_orders in 30 days >= 4, ")


def test_a_condition_without_effect_warns_and_fails_when_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Valid but odd: told with its place, and what is declared beside it; exit code 1 only with --strict."""
    file = tmp_path / "odd.yaml"
    file.write_text(ODD, "utf-8")
    assert main(["definitions", "check", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    line = 1 + ODD[: ODD.index("when: {any")].count("\n")
    column = ODD.splitlines()[line - 1].index("orders < 0") + 1
    place = "dimensions.buying.segments[0].when.any[1]"
    assert shown[0] == f"{file}:{line}:{column}: warning: {place}: can never hold: orders is at least 0"
    assert shown[1].startswith(f"{file}: 1 dimension, 3 segments")
    assert main(["definitions", "check", str(file), "--strict"]) == 1
    assert main(["definitions", "check", str(file), "--strict", "--format", "github"]) == 1
    assert f"::warning file={file},line={line},col={column}::" in capsys.readouterr().out


def test_a_segment_nobody_can_enter_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever bought so often is in the first segment before: an error, and JUnit counts it as a failure."""
    file = tmp_path / "nobody.yaml"
    file.write_text(NOBODY, "utf-8")
    assert main(["definitions", "check", str(file), "--format", "junit"]) == 1
    suite = ET.fromstring(capsys.readouterr().out)[0]  # noqa: S314 - our own
    failed = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    assert failed == ["shadowed: dimensions.buying.segments[1]"]
    assert suite.attrib["failures"] == "1"
    assert main(["definitions", "check", "--format", "junit"]) == 0
    suite = ET.fromstring(capsys.readouterr().out)[0]  # noqa: S314 - our own
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("1", "0")


def test_junit_can_hold_whatever_a_message_says() -> None:
    """Signs that XML cannot write are replaced, the others escaped: a build server reads the file."""
    told = junit_of('a<b>&"', [Verdict("na\x00me", "x:1", failure="first \x1b\nsecond \ud800 <>", note="\ufffe")])
    failure = ET.fromstring(told.encode()).find(".//failure")  # noqa: S314 - our own
    assert failure is not None
    assert failure.text == "first ?\nsecond ? <>"


def test_show_prints_the_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints can be written to a file, edited, and checked."""
    assert main(["definitions", "show"]) == 0
    assert capsys.readouterr().out == shipped_text()


BOMB = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a]", "&a {x: *a}"], ids=["bomb", "itself", "itself in a mapping"])
def test_aliases_that_would_fill_the_memory_are_refused(text: str) -> None:
    """A definitions file is data whoever wrote it: checking one must not take the machine down."""
    (finding,) = check(text)
    assert "aliases" in finding.problem


def test_an_alias_is_what_it_stands_for() -> None:
    """Writing a condition once and using it twice is fine."""
    anchored = shipped_text().replace("stay: click_intensity_1d >= 2", "stay: &warm click_intensity_1d >= 2")
    assert check(anchored) == []
