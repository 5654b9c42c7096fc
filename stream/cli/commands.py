"""The table of commands, and the root of the command line that imports a command when it is used."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from stream import __version__
from stream.errors import SegstreamError

if TYPE_CHECKING:
    from typer._click import Command as ClickCommand  # its own copy of click, under no public name


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, the module that holds it as `app` (a `typer.Typer`), its overview line."""

    name: str
    module: str
    help: str


COMMANDS: tuple[Command, ...] = (
    Command("demo", "stream.cli.demo", "Play a year of purchases through a real Kafka and watch segments change."),
    Command("worker", "stream.cli.worker", "Consume events and publish explained segment changes."),
    Command("watch", "stream.cli.watch", "Follow segment changes in words or JSON."),
    Command("produce", "stream.cli.produce", "Send a Parquet, CSV or JSON-lines file to the input topics."),
    Command("simulate", "stream.cli.simulate", "Generate seeded customers whose true segment is known."),
    Command("definitions", "stream.cli.definitions", "Check and test a segments.yaml."),
    Command("backtest", "stream.cli.backtest", "Run past events through the kernel: what would have been."),
    Command(
        "rfm", "stream.cli.rfm", "Print the ten RFM segments, as published or with equal segments for equal customers."
    ),
    Command("report", "stream.cli.report", "Check a report that a backtest wrote."),
    Command("replay", "stream.cli.replay", "Execute a recorded journal again, into another place."),
    Command("explain", "stream.cli.explain", "Explain where a customer is, and what would lead elsewhere."),
    Command("health", "stream.cli.health", "Say how segments are doing, and which of the usual tests each fails."),
    Command("personas", "stream.cli.personas", "Show who the clusters of the model are; approve a held model."),
    Command("verify", "stream.cli.verify", "Execute the journal again and compare with what was published."),
    Command("recover", "stream.cli.recover", "Get over what a worker cannot decide by itself."),
    Command("topics", "stream.cli.topics", "Create the topics, or check the existing ones."),
    Command("broker", "stream.cli.broker", "Run a real Kafka on this machine, for development."),
    Command("bench", "stream.cli.bench", "Measure the worker against a plain Faust app."),
)


COMPLETION_FLAGS = (
    "install_completion",
    "show_completion",
)  # typer adds them to every app that does not refuse


def load(command: Command) -> ClickCommand:
    """Import a command.

    Raises
    ------
    SegstreamError : its module is not part of this installation.
    """
    try:
        module = importlib.import_module(command.module)
    except ModuleNotFoundError as error:
        if error.name != command.module:
            raise
        raise SegstreamError(
            f"the command {command.name} is not part of this installation",
            "install segstream again, completely",
        ) from error
    found = get_command(module.app)
    found.name = command.name
    _adapt(found)
    return found


def _adapt(command: Any) -> None:
    """Make a command part of this program.

    No shell-completion flags of its own, and help without boxes and colours: the same on a terminal, in a
    pipe and in the documents.
    """
    command.rich_markup_mode = None
    command.params = [one for one in command.params if one.name not in COMPLETION_FLAGS]
    for inner in getattr(command, "commands", {}).values():
        inner.short_help = first_sentence(inner.help or "")  # or typer cuts it at 45 signs
        _adapt(inner)


def first_sentence(text: str) -> str:
    """Of a help text: what the list of commands shows."""
    return f"{' '.join(text.split()).partition('. ')[0].rstrip('.')}."


class _Imports(MutableMapping[str, Any]):
    """Commands by name, imported on access; what typer expects where it keeps its own."""

    def __init__(self) -> None:
        self._table = {command.name: command for command in COMMANDS}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = load(self._table[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class _Root(TyperGroup):
    """The overview reads the table alone; a command is imported only to be run or to show its own help."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Imports()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's own signature
        return [command.name for command in COMMANDS]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's own signature
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.help) for command in COMMANDS])


def installed() -> tuple[Command, ...]:
    """Return the commands whose module is there."""
    return tuple(command for command in COMMANDS if importlib.util.find_spec(command.module) is not None)


def app_of() -> ClickCommand:
    """Return the root command, ready for `main`."""
    root = typer.Typer(cls=_Root, add_completion=False, rich_markup_mode=None)
    root.callback()(_root)
    return get_command(root)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segstream {__version__}")
        raise typer.Exit


def _root(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and end."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; may stand anywhere."),
) -> None:
    """Explained customer segments from Kafka events.

    Every flag that is also a setting can be given as SEGSTREAM_<NAME> in the environment; the flag wins.
    """
