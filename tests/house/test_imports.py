"""Architecture is a test: who may import whom, and which package is which."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import models
import stream
from tests.house.tree import REPO, name_of, parsed, sources

ENVIRONMENT_READER = "stream/settings.py"
CLOCK_READER = "stream/clock.py"
CLIENT_MAKER = "stream/kafka/client.py"
CLIENTS = {"AIOKafkaAdminClient", "AIOKafkaClient", "AIOKafkaConsumer", "AIOKafkaProducer", "create_conn"}
PICKLES = {"cPickle", "cloudpickle", "dill", "jsonpickle", "joblib", "marshal", "pickle", "shelve"}
NUMPY_LOADERS = {"np.load", "numpy.load"}  # refuse pickles by default, and accept them with a word
UNPICKLERS = {"read_pickle", "to_pickle"}
EVALUATORS = {"eval", "exec", "compile", "builtins.eval", "builtins.exec"}
ALLOWED = {
    "tests/house/test_docs.py": {"compile", "exec"},  # runs the blocks of our own documents
    "tests/contracts/test_clusterers.py": {"pickle"},  # measures how large a learner is; reads none
}
BANNED_NAMES = {"common", "data", "helper", "helpers", "info", "manager", "misc", "util", "utils"}
NOW_METHODS = {"now", "today", "utcnow"}  # of datetime: the wall clock by another name
SEEDED = {
    "BitGenerator",
    "Generator",
    "PCG64",
    "Philox",
    "Random",
    "SeedSequence",
    "default_rng",
}  # take a seed


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for an attribute chain, empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def uses(path: Path) -> set[str]:
    """Return every dotted name a file uses, and what it imports from modules, as `module.name`."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute):
            found.add(dotted(node))
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_the_contracts_hold() -> None:
    """The import contracts of pyproject.toml, as `make check` runs them."""
    program = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", [models, stream], ids=["models", "stream"])
def test_the_packages_are_this_projects(package: object) -> None:
    """Both names are common: another wheel's `models`, or a second copy, must never be the one imported."""
    name = getattr(package, "__name__", "")
    assert Path(str(getattr(package, "__file__", ""))).parent == REPO / name


@pytest.mark.parametrize("folder", ["models", "stream"])
def test_no_test_folder_shadows_a_package(folder: str) -> None:
    """Pytest would import `tests/models` as `models`."""
    assert not (REPO / "tests" / folder).exists()


def test_only_settings_reads_the_environment() -> None:
    """One reader: what a process was told can be printed in one place."""
    readers = {
        name_of(path)
        for path in sources("models", "stream")
        if uses(path) & {"os.environ", "os.getenv", "os.environb", "os.putenv"}
    }
    assert readers <= {ENVIRONMENT_READER}


def test_only_clock_reads_the_time() -> None:
    """One reader: everything else is given a time, and can be given any."""
    readers = set()
    for path in sources("models", "stream"):
        used = uses(path)
        named = {name for name in used if name == "time" or name.startswith("time.")}
        now = {name for name in used if "date" in name and name.rpartition(".")[2] in NOW_METHODS}
        if named | now:
            readers.add(name_of(path))
    assert readers <= {CLOCK_READER}


def test_only_one_place_makes_kafka_clients() -> None:
    """One maker: no connection can forget TLS or the password. Faust's own gets both from stream.worker.app."""
    makers = {
        name_of(path)
        for path in sources("models", "stream")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in CLIENTS
    }
    assert makers == {CLIENT_MAKER}


@pytest.mark.parametrize("folder", ["models", "stream", "tests", "benchmarks"])
def test_nothing_turns_bytes_into_code(folder: str) -> None:
    """No pickle, no evaluation, no YAML that makes objects: what is read is data, whoever wrote it."""
    found = set()
    for path in sources(folder):
        modules = {name.partition(".")[0] for name in uses(path)}
        allowed = ALLOWED.get(name_of(path), set())
        found |= {f"{name_of(path)}: {name}" for name in (modules & PICKLES) - allowed}
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Call):
                continue
            name = dotted(node.func)
            words = {one.arg: getattr(one.value, "value", None) for one in node.keywords}
            loads = name in NUMPY_LOADERS or "allow_pickle" in words or name.rpartition(".")[2] in UNPICKLERS
            if loads or words.get("typ") == "unsafe" or name in EVALUATORS - allowed:
                found.add(f"{name_of(path)}:{node.lineno}: {name}")
    assert found == set()


def test_the_core_draws_only_from_seeds() -> None:
    """An unseeded draw makes two workers disagree."""
    found = {
        f"{name_of(path)}: {name}"
        for path in sources("models")
        for name in uses(path)
        if name.startswith(("random.", "np.random.", "numpy.random.")) and name.rpartition(".")[2] not in SEEDED
    }
    assert found == set()


def test_the_core_opens_and_prints_nothing() -> None:
    """No I/O by way of a builtin either, which no import contract sees."""
    found = {
        f"{name_of(path)}:{node.lineno}"
        for path in sources("models")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and dotted(node.func) in {"input", "open", "print"}
    }
    assert found == set()


def test_names_say_what_is_inside() -> None:
    """No file or folder has a name that fits everything."""
    places = {part for path in sources("models", "stream", "tests") for part in path.relative_to(REPO).parts}
    assert {place.removesuffix(".py") for place in places} & BANNED_NAMES == set()
