"""What no file of the project may hold."""

from __future__ import annotations

import re

from tests.house.tree import PACKAGES, REPO, name_of, sources, texts

# Home and work folders of somebody's machine; /tmp may be named where a program wants a temporary folder.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work|opt)/[\w.-]+")
REGISTRY = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|registry\.npmjs|files\.pythonhosted|pypi\.org/simple|"
    r"repo\d?\.maven\.(?:apache\.)?org"
)
PICKLES = re.compile(r"^\s*(?:import|from) (?:pickle|cPickle|dill|cloudpickle|shelve|marshal)\b", re.MULTILINE)
IMAGE_PATHS = {"/opt/segstream", "/opt/kafka"}  # folders inside the container images, the same for everybody
SELF = "tests/house/test_text.py"  # holds the patterns


def test_no_path_of_a_machine() -> None:
    """What only one machine has breaks on every other."""
    found = {
        f"{name}: {match.group()}"
        for name, text in texts()
        if name != SELF
        for match in MACHINE_PATH.finditer(text)
        if match.group() not in IMAGE_PATHS
    }
    assert found == set()


def test_no_registry_is_named() -> None:
    """Where packages come from is the business of whoever installs, not of this project."""
    found = {name for name, text in texts() if name != SELF and REGISTRY.search(text)}
    assert found == set()


def test_no_pickles() -> None:
    """A pickle makes the import path a storage format, and reading one runs its code."""
    found = {name_of(path) for path in sources(*PACKAGES) if PICKLES.search(path.read_text("utf-8"))}
    assert found == set()


def test_the_lock_holds_versions_only() -> None:
    """Every line is a comment or `name==version`, perhaps with a marker."""
    line = re.compile(r"#.*|[A-Za-z0-9_.-]+(?:\[[a-z0-9,]+\])?==[^ ;]+( ; .+)?")
    lines = (REPO / "requirements.lock").read_text("utf-8").splitlines()
    assert [text for text in lines if not line.fullmatch(text)] == []
