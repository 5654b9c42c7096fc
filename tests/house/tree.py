"""Where the project's files are, and how the house tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).parents[2]
PACKAGES = ("models", "stream")
UNREAD = {".git", ".venv", "__pycache__", "build", "dist", "node_modules"}
TEXT = {
    "", ".cfg", ".css", ".html", ".in", ".ini", ".js", ".json", ".lock", ".md", ".py", ".sh", ".toml", ".txt",
    ".yaml", ".yml",
}  # fmt: skip


def sources(*folders: str) -> list[Path]:
    """Return the Python files below folders of the project."""
    found = (path for folder in folders for path in (REPO / folder).rglob("*.py"))
    return sorted(path for path in found if not UNREAD & set(path.relative_to(REPO).parts))


def texts() -> Iterator[tuple[str, str]]:
    """Yield (path in the project, content) of every text file that is kept."""
    for path in sorted(REPO.rglob("*")):
        inside = path.relative_to(REPO)
        hidden = any(part.startswith(".") and part not in {".ci", ".gitignore"} for part in inside.parts)
        if path.is_file() and not hidden and not UNREAD & set(inside.parts) and path.suffix in TEXT:
            yield str(inside), path.read_text("utf-8", "replace")


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), str(path))


def name_of(path: Path) -> str:
    """Return a path as it is written in the project."""
    return str(path.relative_to(REPO))
