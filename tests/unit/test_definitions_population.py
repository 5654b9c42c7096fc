"""Over-segmentation: with past events, `definitions check` finds segments too small, too many, or the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.cli import main
from stream.codec.plain_json import encode

CUSTOMERS, OFTEN = 50, 3  # who buys, and how many of them buy twice
DEFINITIONS = """\
version: 1
name: shop
cuts: {recency_days: [1, 2, 3, 4], orders: [1, 2, 3, 5], spend: [1, 2, 3, 4], value: [1, 2, 3]}
dimensions:
  buying:
    segments:
      - {name: often, when: orders >= 2}
      - {name: once, when: orders == 1}
      - {name: never, when: always}
  loyalty:
    segments:
      - {name: regular, when: orders >= 2}
      - {name: casual, when: always}
  spending:
    segments:
      - {name: big, when: spend >= 26}
      - {name: small, when: always}
audiences:
  refunders:
    when: refunds >= 1
"""


@pytest.fixture
def shop(tmp_path: Path) -> tuple[str, str]:
    """A definitions file, and purchases: of customer i one of i cents and a bit; of a few a second one."""
    definitions, events = tmp_path / "segments.yaml", tmp_path / "purchases.jsonl"
    definitions.write_text(DEFINITIONS, "utf-8")
    lines = []
    for order in range(CUSTOMERS + OFTEN):
        customer = order % CUSTOMERS
        lines.append(
            encode(
                {
                    "event_id": f"e{order}", "customer_id": f"c{customer}", "ts": 1_700_000_000_000 + order * 60_000,
                    "order_id": f"o{order}", "amount": 0.5 + customer, "currency": "EUR",
                }
            )
        )  # fmt: skip
    events.write_bytes(b"\n".join(lines))
    return str(definitions), f"purchases={events}"


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[tuple[str, str, int]]]:
    """The exit code, and (rule, path, line) of each finding."""
    code = main(["definitions", "check", *arguments, "--format", "json"])
    told = json.loads(capsys.readouterr().out)["findings"]
    assert {one["level"] for one in told} <= {"warning"}
    return code, [(one["rule"], one["path"], one["line"]) for one in told]


def test_segments_too_small_and_the_same_are_found(shop: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody never buys, or gives something back; who buys often is regular; two dimensions say the same."""
    definitions, events = shop
    code, told = found(capsys, definitions, "--events", events)
    assert code == 0
    assert told == [
        ("small", "dimensions.buying.segments[2]", 9),
        ("small", "audiences.refunders", 19),
        ("overlap", "dimensions.loyalty.segments[0]", 12),
        ("overlap", "dimensions.loyalty.segments[1]", 13),
        ("alike", "dimensions.loyalty", 10),
    ]
    assert found(capsys, definitions, "--events", events, "--strict")[0] == 1
    assert found(capsys, definitions) == (0, [])


def test_the_limits_are_those_given(shop: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A share of a tenth makes the few too small; one segment a dimension is too many; all may overlap wholly."""
    definitions, events = shop
    _, told = found(
        capsys, definitions, "--events", events, "--share-min", "0.1", "--segments-max", "1", "--overlap-max", "1"
    )
    assert told == [
        ("small", "dimensions.buying.segments[0]", 7),
        ("small", "dimensions.buying.segments[2]", 9),
        ("many", "dimensions.buying", 5),
        ("small", "dimensions.loyalty.segments[0]", 12),
        ("many", "dimensions.loyalty", 10),
        ("many", "dimensions.spending", 14),
        ("small", "audiences.refunders", 19),
    ]


def test_the_message_has_the_numbers(shop: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """How many of how many, and the limit."""
    definitions, events = shop
    assert main(["definitions", "check", definitions, "--events", events]) == 0
    shown = capsys.readouterr().out
    assert f"'never' holds 0 of {CUSTOMERS} customers: 0.00%, below 1.00%" in shown
    assert "loyalty: regular is much the same as buying: often: 100% of the customers in either are in both" in shown
    assert "says much the same as buying: Cramer's V is 1.00" in shown


def test_a_document_with_errors_is_not_run(shop: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody may adopt is not measured: the mistake comes first; events that are not there are broken usage."""
    definitions, _ = shop
    assert main(["definitions", "check", definitions, "--events", "nowhere.jsonl"]) == 2
    Path(definitions).write_text(DEFINITIONS.replace("orders >= 2}", "ordrs >= 2}", 1), "utf-8")
    capsys.readouterr()
    assert main(["definitions", "check", definitions, "--events", "nowhere.jsonl"]) == 1
