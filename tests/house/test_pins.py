"""What is installed is what was declared: private hooks of two libraries are on our path."""

from __future__ import annotations

import hashlib
import tomllib
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

import stream
from stream.kafka.jars import KAFKA_VERSION
from tests.house.tree import REPO

ECHARTS_SHA256 = "da9652f19bd4e2e06e3c7669d044f09c7f6f7cfc2bdd458325f9751e1f56f480"
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))
DECLARED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
TOOLS = [Requirement(text) for text in PROJECT["dependency-groups"]["dev"]]
LOCKED = {
    name.lower().replace("_", "-").replace(".", "-"): pinned.split(" ")[0]
    for name, _, pinned in (
        line.partition("==")
        for line in (REPO / "requirements.lock").read_text("utf-8").splitlines()
        if "==" in line and "sys_platform == 'win32'" not in line and ">= '3.15'" not in line
    )
}


@pytest.mark.parametrize("name", ["faust-streaming", "aiokafka", "numba"])
def test_the_overridden_libraries_are_pinned_exactly(name: str) -> None:
    """Their private hooks are ours to follow: declared with ==, locked and installed in that version."""
    (declared,) = (one for one in DECLARED if one.name == name)
    assert str(declared.specifier) == f"=={version(name)}"
    assert LOCKED[name] == version(name)


@pytest.mark.parametrize("requirement", [*DECLARED, *TOOLS], ids=lambda one: one.name)
def test_the_lock_satisfies_what_is_declared(requirement: Requirement) -> None:
    """A dependency that was added to one file and not to the other is found here."""
    assert requirement.specifier.contains(LOCKED[requirement.name.replace(".", "-")])


def test_the_version_is_written_twice_and_equal() -> None:
    """The program prints it without asking the installer."""
    assert PROJECT["project"]["version"] == stream.__version__


def test_the_charts_are_the_build_that_was_looked_at() -> None:
    """`make echarts` gives these bytes; versions are in the Makefile, licences beside the file."""
    made = (REPO / "stream" / "report" / "assets" / "echarts.min.js").read_bytes()
    assert hashlib.sha256(made).hexdigest() == ECHARTS_SHA256


def test_the_compose_file_runs_the_kafka_the_tests_run() -> None:
    """One Kafka version for development, tests and containers."""
    assert f"apache/kafka:{KAFKA_VERSION}" in (REPO / "docker-compose.yml").read_text("utf-8")
