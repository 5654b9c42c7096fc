"""Files and functions stay small: what fits on a few screens can be read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, name_of, parsed, sources

FILE_LINES_MAX = 500  # ten screens: the longest one still finds one's way in
FUNCTION_LINES_MAX = 60  # one tall screen
ALL = sources(*PACKAGES, "tests", "benchmarks")


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring: the contract may be as long as it needs."""
    first = function.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = (first.end_lineno or 0) - first.lineno + 1 if is_text else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_file_can_be_read(path: Path) -> None:
    """At most 500 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES_MAX


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    """At most 60 lines beside the docstring."""
    long = {
        f"{node.name} has {lines_of(node)} lines"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > FUNCTION_LINES_MAX
    }
    assert long == set()
