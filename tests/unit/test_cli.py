"""The command line's conventions: exit codes, errors with advice, suggestions, lazy imports."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stream import __version__
from stream.cli import main
from stream.cli.commands import COMMANDS


def test_help_is_clean_and_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The overview needs no command's code, and no arguments mean help."""
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(command.name in shown for command in COMMANDS)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, for bug reports and scripts."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"segstream {__version__}\n"


@pytest.mark.parametrize("group", ["definitions", "topics", "bench", "report"])
def test_an_overview_has_whole_sentences(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a command does is not cut where the line ends."""
    assert main([group, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.partition("Commands:")[2].split())
    assert shown.endswith(".")
    assert "..." not in shown


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["topicz"], "topics"),
        (["topics", "chek"], "check"),
        (["topics", "check", "--partition", "3"], "--partitions"),
        (["broker", "--prot", "1"], "--port"),
    ],
)
def test_a_typing_mistake_is_answered_with_the_right_word(
    arguments: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken usage is 2, on standard error, with what was probably meant and where to look."""
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"Did you mean {suggestion}?" in shown.err.replace("'", "")
    assert "--help" in shown.err


def test_an_error_is_two_lines_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happened, what to do; the traceback is for --debug."""
    monkeypatch.setenv("SEGSTREAM_PARTITIONS", "many")
    assert main(["topics", "check"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: SEGSTREAM_PARTITIONS")
    assert lines[1:] == ["  give a whole number, for example 4"]


def test_debug_shows_the_traceback_wherever_it_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One adds it to the end of the line that just failed."""
    monkeypatch.setenv("SEGSTREAM_PARTITIONS", "many")
    assert main(["topics", "check", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_no_broker_is_told_with_the_command_that_starts_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing listens on port 1; the driver's own log stays out of the way."""
    assert main(["topics", "check", "--brokers", "127.0.0.1:1"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: no usable answer from Kafka at 127.0.0.1:1")
    assert "segstream broker" in shown


def test_a_worker_reads_its_definitions_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file is told with its place, before the brokers are asked and without the settings."""
    file = tmp_path / "bad.yaml"
    file.write_text("version: 2\n", "utf-8")
    assert main(["worker", "--brokers", "127.0.0.1:1", "--metrics-port", "-1", "--definitions", str(file)]) == 2
    first, advice = capsys.readouterr().err.splitlines()
    assert first == f"error: {file}:1:1: version: must be 1"
    assert "definitions check" in advice


def test_a_worker_takes_its_port_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A second worker on a machine is told at once, before the brokers are asked and the kernel is compiled."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["worker", "--brokers", "127.0.0.1:1", "--metrics-port", port]) == 2
    shown = capsys.readouterr().err
    assert f"metrics cannot listen on 127.0.0.1:{port}" in shown
    assert "SEGSTREAM_METRICS_PORT" in shown


def test_a_worker_may_have_no_port() -> None:
    """With -1 it goes on to the brokers; its log says so."""
    command = [sys.executable, "-m", "stream.cli", "worker", "--brokers", "127.0.0.1:1", "--metrics-port", "-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "metrics on no port" in done.stderr
    assert "error: no usable answer from Kafka" in done.stderr


def test_the_overview_imports_no_heavy_library() -> None:
    """Help and typing mistakes are answered at once."""
    heavy = "{'numba', 'river', 'faust', 'aiokafka', 'pyarrow', 'jgo'}"
    program = "import sys; from stream.cli import main; main(['--help'])"
    program += f"; sys.exit(bool({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
