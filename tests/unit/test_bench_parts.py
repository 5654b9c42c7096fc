"""The benches without Kafka: tiny runs give whole figures. No figure is judged."""

from __future__ import annotations

import json

import pytest

from stream.cli import main


@pytest.mark.parametrize(
    ("arguments", "figures"),
    [
        (["kernel", "--events", "1000", "--customers", "100"], {"us_per_event", "changes_per_event"}),
        (["decode", "--events", "1000", "--customers", "100"], {"decode_us_per_event", "digest_us_per_event"}),
        (["path", "--events", "1000", "--customers", "100"], {"us_per_event", "execute_us_per_event"}),
        (["sweep", "--customers", "1000"], {"customers", "seconds", "due_customers"}),
    ],
)
def test_a_part_is_measured_as_json(
    arguments: list[str], figures: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One object with the figures and the machine."""
    assert main(["bench", *arguments, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert figures | {"machine"} <= set(shown)
    assert shown["machine"]["cores"] >= 1


def test_without_json_it_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A line a figure, and the machine below."""
    assert main(["bench", "decode", "--events", "1000", "--customers", "100"]) == 0
    shown = capsys.readouterr().out
    assert "decode_us_per_event" in shown
    assert "cores" in shown
