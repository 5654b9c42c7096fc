"""How findings and cases are printed: for people, for programs, for pull requests, for a build server."""

from __future__ import annotations

import enum
import html
import re
from dataclasses import dataclass

from stream.codec.definitions import Finding

GITHUB_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 has no way to write them


class Format(enum.StrEnum):
    """Text for people, JSON for programs, annotations of a pull request, JUnit's XML for build servers."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of a report in JUnit's words: what was looked at and, where it failed, why."""

    name: str
    where: str  # file:line
    failure: str = ""
    note: str = ""


def line_of(file: str, found: Finding) -> str:
    """A finding as a line that editors can jump to."""
    where = f"{found.path}: " if found.path else ""
    return f"{file}:{found.line}:{found.column}: {found.level}: {where}{found.problem}"


def github_of(file: str, line: int, column: int, level: str, text: str) -> str:
    """A workflow command: its message must not hold a line break, nor a bare percent sign."""
    message = _escaped(text)
    place = _escaped(file).replace(":", "%3A").replace(",", "%2C")
    return f"::{GITHUB_COMMANDS[level]} file={place},line={line},col={column}::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def junit_of(suite: str, verdicts: list[Verdict]) -> str:
    """Verdicts as one test suite in JUnit's XML, as build servers read it."""
    failures = sum(1 for one in verdicts if one.failure)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites><testsuite name="{_xml(suite)}" tests="{len(verdicts)}" failures="{failures}" errors="0">',
    ]
    for one in verdicts:
        lines.append(f'  <testcase classname="{_xml(one.where)}" name="{_xml(one.name)}">')
        if one.failure:
            first = one.failure.splitlines()[0]
            lines.append(f'    <failure message="{_xml(first)}">{_xml(one.failure)}</failure>')
        if one.note:
            lines.append(f"    <system-out>{_xml(one.note)}</system-out>")
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite></testsuites>"])


def _xml(text: str) -> str:
    return html.escape(_NOT_XML.sub("?", text))
