"""The reference pages are what the program is."""

from __future__ import annotations

import pytest

from stream import reference
from stream.cli.commands import COMMANDS, Command, installed
from stream.codec.events import REASONS
from stream.metrics.catalogue import REASON


@pytest.mark.parametrize("name", ["cli.md", "metrics.md", "segments.schema.json", "settings.md"])
def test_a_page_is_as_the_program_writes_it(name: str) -> None:
    """If this fails: `python -m stream.reference`."""
    assert (reference.FOLDER / name).read_text("utf-8") == reference.pages()[name]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_of_the_overview_is_there(command: Command) -> None:
    """The table promises nothing that is not built."""
    assert command in installed()


def test_the_reasons_counted_are_the_reasons_given() -> None:
    """A dead letter's reason is a label, so the two lists must not part."""
    assert REASON.values == REASONS
