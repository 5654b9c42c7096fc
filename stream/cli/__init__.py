"""The command line: one file per command, which parses, calls and prints; nothing is decided here.

Exit codes: 0 clean, 1 findings, 2 broken usage or crash, 130 Ctrl-C where that was no
way to end.
Commands are imported when they are used, so `--help` and a typing mistake cost nothing.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from stream.cli.commands import app_of
from stream.errors import SegstreamError
from stream.settings import wants_colour

EXIT_CLEAN = 0
EXIT_FINDINGS = 1
EXIT_BROKEN = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code. Errors are told on standard error, with what to do next.

    Parameters
    ----------
    arguments : without the program's name; None for those of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given  # anywhere, because one adds it to the end of the line that just failed
    logging.getLogger().addHandler(logging.NullHandler())  # a library's log is no output; the worker sets up its own
    given = [argument for argument in given if argument != "--debug"] or ["--help"]
    try:
        code = app_of().main(given, prog_name="segstream", standalone_mode=False)
    except TyperException as error:
        _tell(_usage_message(error), _usage_advice(error))
        return EXIT_BROKEN
    except SegstreamError as error:
        _tell(error.message, error.advice, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person never sees a bare traceback
        known = _of_kafka(error) or _fault(error)
        _tell(known.message, known.advice, debug=debug)
    else:
        return code if isinstance(code, int) else EXIT_CLEAN
    return EXIT_BROKEN


def _of_kafka(error: Exception) -> SegstreamError | None:
    """What to say of an error that Kafka caused; None for any other."""
    if "aiokafka" not in sys.modules:  # nobody has asked Kafka anything: spare its import
        return None
    from stream.kafka.failures import of_kafka

    return of_kafka(error)


def _fault(error: Exception) -> SegstreamError:
    return SegstreamError(
        f"unexpected {type(error).__name__}: {error}",
        "this is a fault of segstream: run it again with --debug and report what it prints",
    )


def _usage_message(error: TyperException) -> str:
    near = getattr(error, "possibilities", None)
    if near:  # an unknown option; typer calls them possible options
        return f"{error.message.rstrip('.')}. Did you mean {near[0]}?"  # the nearest comes first
    return error.format_message()


def _usage_advice(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "segstream"
    return f"`{path} --help` shows what there is"


def _tell(message: str, advice: str, *, debug: bool = False) -> None:
    colour = sys.stderr.isatty() and wants_colour()
    label = typer.style("error:", fg="red", bold=True) if colour else "error:"
    typer.echo(f"{label} {message}\n  {advice}", err=True, color=colour)
    if debug:
        traceback.print_exc()
