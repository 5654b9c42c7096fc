"""The cases of definitions files: found beside the definitions, played through the core, told in every format."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from models.cases.case import Case
from models.cases.compare import Difference, differences
from models.cases.coverage import Coverage, coverage_of
from models.cases.play import play
from models.definitions.language import parse
from stream.codec.definitions import CASES_SUFFIX, Finding, Places, cases_of, check, plain, text_of
from stream.definitions.formats import Verdict, github_of, line_of
from stream.definitions.snippets import MARKDOWN, SHIPPED, Snippet, snippets_of


@dataclass(frozen=True, slots=True)
class Result:
    """One case, where it stands, and what was otherwise than expected."""

    case: Case
    file: str
    line: int
    column: int
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class Report:
    """The cases of one definitions document."""

    file: str
    findings: list[tuple[str, Finding]]  # what kept cases from being played, with the file that holds it
    results: list[Result]
    coverage: Coverage | None

    @property
    def failed(self) -> bool:
        """Whether something is wrong, or there was nothing to play."""
        return bool(self.findings) or not self.results or any(one.differences for one in self.results)


def run(file: str) -> list[Report]:
    """Play the cases of every document of a file; the empty name is the shipped one.

    Raises
    ------
    SegstreamError : the file cannot be read, or it is Markdown without definitions.
    """
    return [_played(file, snippet) for snippet in snippets_of(file)]


def _played(file: str, snippet: Snippet) -> Report:
    name = file or SHIPPED
    wrong = snippet.placed(check(snippet.text))
    if wrong:
        return Report(name, [(name, one) for one in wrong], [], None)
    definitions = parse(plain(snippet.text))
    coverage, results, findings = coverage_of(definitions), list[Result](), list[tuple[str, Finding]]()
    for place, text, line, column in _sources(file, snippet):
        cases, faulty = cases_of(text, definitions)
        findings += [(place, one) for one in faulty]
        for case, (at_line, at_column) in zip(cases, _lines(text, cases), strict=True):
            played = play(case)
            coverage.add(played)
            results.append(Result(case, place, at_line + line, at_column + column, differences(case, played)))
    return Report(name, findings, results, coverage)


def _lines(text: str, cases: tuple[Case, ...]) -> list[tuple[int, int]]:
    """Line and column of each case."""
    if not cases:
        return []
    places = Places(text)
    return [places.of(case.path)[:2] for case in cases]


def _sources(file: str, snippet: Snippet) -> list[tuple[str, str, int, int]]:
    """(name, text, line, column) of the document and of the file beside it."""
    own = [(file or SHIPPED, snippet.text, snippet.line, snippet.column)]
    if not file:
        beside = files("models.definitions") / "gallery" / f"shipped{CASES_SUFFIX}"
        return [*own, (f"shipped{CASES_SUFFIX}", beside.read_text(encoding="utf-8"), 0, 0)]
    sibling = Path(file).with_suffix(CASES_SUFFIX)
    if Path(file).suffix.lower() in MARKDOWN or not sibling.exists():
        return own
    return [*own, (str(sibling), text_of(str(sibling)), 0, 0)]


def lines_of(report: Report) -> list[str]:
    """A report for people: what failed with its values, then the sums, then what no case has shown."""
    lines = [line_of(file, one) for file, one in report.findings]
    for result in report.results:
        if result.differences:
            lines.append(f"{result.file}:{result.line}:{result.column}: failed: {result.case.name}")
        for one in result.differences:
            lines.append(f"  {one.path.removeprefix(result.case.path).lstrip('.')}: {one.problem}")
            lines += [f"    {verdict}" for verdict in one.verdicts]
    return [*lines, *_sums(report)]


def _sums(report: Report) -> list[str]:
    failed = sum(1 for one in report.results if one.differences)
    if report.coverage is None or not report.results:
        return [f"{report.file}: no tests: write them under `tests:`, or into a file beside it named *{CASES_SUFFIX}"]
    told = coverage_sums(report.coverage)
    return [
        f"{report.file}: {len(report.results) - failed} passed, {failed} failed",
        f"  {told['segments']} segments: {told['entered']} entered, {told['left']} left",
        f"  {told['comparisons']} comparisons: {told['seen_true']} seen true, {told['seen_false']} seen false",
        *(f"  not covered: {gap}" for gap in report.coverage.gaps()),
    ]


def coverage_sums(coverage: Coverage) -> dict[str, int]:
    """How many there are, and how many of them the cases have shown."""
    return {
        "segments": len(coverage.segments),
        "entered": sum(1 for one in coverage.segments if one in coverage.entered),
        "left": sum(1 for one in coverage.segments if one in coverage.left or one in coverage.for_good),
        "comparisons": len(coverage.comparisons),
        "seen_true": sum(1 for one in coverage.comparisons if one in coverage.seen_true),
        "seen_false": sum(1 for one in coverage.comparisons if one in coverage.seen_false),
    }


def document_of(report: Report) -> dict[str, Any]:
    """A report as plain values."""
    coverage = report.coverage
    return {
        "file": report.file,
        "failed": report.failed,
        "findings": [{"file": file, **dataclasses.asdict(one)} for file, one in report.findings],
        "cases": [
            {
                "name": one.case.name,
                "file": one.file,
                "line": one.line,
                "passed": not one.differences,
                "differences": [dataclasses.asdict(difference) for difference in one.differences],
            }
            for one in report.results
        ],
        "coverage": coverage and {**coverage_sums(coverage), "gaps": list(coverage.gaps())},
    }


def annotations_of(report: Report) -> list[str]:
    """A report as annotations of a pull request."""
    found = [
        github_of(file, one.line, one.column, one.level, f"{one.path}: {one.problem}") for file, one in report.findings
    ]
    for one in report.results:
        for difference in one.differences:
            text = "\n".join([f"{one.case.name}: {difference.problem}", *difference.verdicts])
            found.append(github_of(one.file, one.line, one.column, "error", text))
    return found if report.results or found else [github_of(report.file, 1, 1, "error", "no tests")]


def verdicts_of(report: Report) -> list[Verdict]:
    """A report in JUnit's words."""
    found = [Verdict(one.path, f"{file}:{one.line}", failure=one.problem) for file, one in report.findings]
    for one in report.results:
        failure = "\n".join(
            line for each in one.differences for line in (f"{each.path}: {each.problem}", *each.verdicts)
        )
        found.append(Verdict(one.case.name, f"{one.file}:{one.line}", failure=failure))
    return found or [Verdict("tests", report.file, failure="no tests")]
