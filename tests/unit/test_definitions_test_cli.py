"""`segstream definitions test`: what it plays, how it tells it, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest

from models.definitions.language import parse
from stream.cli import main
from stream.codec.definitions import check, gallery_names, load, plain, shipped_text
from stream.definitions.cases import run
from tests.house.tree import REPO
from tests.unit.test_definitions_cli import GOOD

CASES = """\
tests:
  - name: one order is rarely
    given:
      - {at: -3 days, purchase: 9.90}
      - {at: -2 days, profile: {plan: pro}}
    expect:
      segments: {buying: rarely}
  - name: two are often
    given:
      - {at: -3 days, purchase: 9.90, times: 2}
    expect:
      segments: {buying: often}
"""
WRONG = CASES.replace("{buying: rarely}", "{buying: often}")
PLACE_OF_WRONG = 1 + (GOOD + WRONG).splitlines().index("  - name: one order is rarely")


def written(folder: Path, text: str, name: str = "segments.yaml") -> str:
    """A file with a text."""
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)


def test_the_shipped_definitions_pass_and_everything_is_covered(capsys: pytest.CaptureFixture[str]) -> None:
    """Each segment entered and left, each comparison seen true and false; nothing is left over."""
    assert main(["definitions", "test", "--covered"]) == 0
    passed, entered, seen = capsys.readouterr().out.splitlines()
    assert passed.endswith(" passed, 0 failed")
    segments = [len(dimension.segments) for dimension in parse(plain(shipped_text())).dimensions]
    assert entered.strip() == f"{sum(segments)} segments: {sum(segments)} entered, {sum(segments)} left"
    count = int(seen.split()[0])
    assert seen.strip() == f"{count} comparisons: {count} seen true, {count} seen false"


@pytest.mark.parametrize("name", gallery_names())
def test_the_gallery_passes_and_is_covered(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it lies there, each with its cases beside it."""
    file = REPO / "models" / "definitions" / "gallery" / f"{name}.yaml"
    assert main(["definitions", "test", str(file), "--covered"]) == 0, capsys.readouterr().out


def test_cases_in_the_file_and_in_the_file_beside_it_are_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under `tests:`, or in a file of the same name with .tests.yaml: the same sums."""
    inside = written(tmp_path, GOOD + CASES)
    assert main(["definitions", "test", inside]) == 0
    told = capsys.readouterr().out
    assert "2 passed, 0 failed" in told
    assert "not covered: buying: rarely is never left" in told
    beside = written(tmp_path, GOOD, "other.yaml")
    written(tmp_path, CASES, "other.tests.yaml")
    assert main(["definitions", "test", beside]) == 0
    assert capsys.readouterr().out == told.replace(inside, beside)
    assert main(["definitions", "test", inside, "--covered"]) == 1


def test_a_failing_case_is_shown_at_its_line_with_the_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; the conditions with their values underneath; the case that passes is not told."""
    file = written(tmp_path, GOOD + WRONG)
    assert main(["definitions", "test", file]) == 1
    assert capsys.readouterr().out.splitlines()[:9] == [
        f"{file}:{PLACE_OF_WRONG}:5: failed: one order is rarely",
        "  expect.segments.buying: is in rarely, not in often",
        "    often, when:",
        "      ✗ recent_orders in 30 days >= 2   is 1",
        "    rarely, when:",
        "      ✓ all of:",
        "        ✓ orders >= 1   is 1",
        '        ✓ profile.plan == "pro"   is "pro"',
        f"{file}: 1 passed, 1 failed",
    ]


def test_each_format_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON for programs, annotations for a pull request, JUnit for build servers; exit code 1 in each."""
    file = written(tmp_path, GOOD + WRONG)
    assert main(["definitions", "test", file, "--format", "json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert [(one["name"], one["passed"]) for one in told["cases"]] == [
        ("one order is rarely", False), ("two are often", True),
    ]  # fmt: skip
    assert told["coverage"]["entered"] == 3
    assert main(["definitions", "test", file, "--format", "github"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"::error file={file},line={PLACE_OF_WRONG},col=5::one order is rarely: is in rarely, not in often%0A"
    )
    assert main(["definitions", "test", file, "--format", "junit"]) == 1
    suite = ET.fromstring(capsys.readouterr().out)[0]  # noqa: S314 - our own
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    failure = suite[0].find("failure")
    assert failure is not None
    assert "orders >= 1   is 1" in str(failure.text)


@pytest.mark.parametrize("form", ["text", "json", "github", "junit"])
def test_without_a_test_it_fails(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing played is not the same as nothing wrong."""
    assert main(["definitions", "test", written(tmp_path, GOOD), "--format", form]) == 1
    assert capsys.readouterr().out


def test_what_keeps_cases_from_being_played_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the definitions, in a case, in the file beside: exit code 1 with the place; no file: 2."""
    file = written(tmp_path, GOOD + CASES.replace("purchase: 9.90}", "purchse: 9.90}"))
    assert main(["definitions", "test", file]) == 1
    assert "tests[0].given[0].purchse: is not known here; did you mean 'purchase'?" in capsys.readouterr().out
    assert main(["definitions", "check", file]) == 1
    capsys.readouterr()
    file = written(tmp_path, GOOD, "beside.yaml")
    sibling = written(tmp_path, "tests:\n  - nonsense\n", "beside.tests.yaml")
    assert main(["definitions", "test", file]) == 1
    assert capsys.readouterr().out.startswith(f"{sibling}:2:5: error: tests[0]: must be a mapping")
    written(tmp_path, "tests: [", "beside.tests.yaml")
    assert main(["definitions", "test", file]) == 1
    assert capsys.readouterr().out.startswith(f"{sibling}:1:9: error: not YAML")
    assert main(["definitions", "test", str(tmp_path / "none.yaml")]) == 2


def test_markdown_is_played_fence_by_fence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines count from the top of the page."""
    before = "# A page\n\n```yaml\n"
    file = written(tmp_path, f"{before}{GOOD}{WRONG}```\n\n```yaml\n{GOOD}{CASES}```\n", "page.md")
    assert main(["definitions", "test", file]) == 1
    told = capsys.readouterr().out
    assert told.startswith(f"{file}:{PLACE_OF_WRONG + 3}:5: failed: one order is rarely")
    assert "2 passed, 0 failed" in told


def test_the_cases_in_the_documentation_pass() -> None:
    """A reader copies them."""
    reports = run(str(REPO / "docs" / "definitions.md"))
    assert sum(len(report.results) for report in reports) > 0
    assert not any(report.findings or any(one.differences for one in report.results) for report in reports)


def test_cases_are_not_published(tmp_path: Path) -> None:
    """Workers adopt definitions; the cases stay in the file."""
    definitions, record = load(written(tmp_path, GOOD + CASES))
    assert "tests" not in orjson.loads(record)
    assert parse(orjson.loads(record)) == definitions
    assert check(GOOD + CASES) == []
