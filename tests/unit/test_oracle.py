"""Laws of the oracle itself: small cases, worked out by hand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import oracle
from tests.oracle import DAY_MS, judge, lifecycle, value_tier

CUTS = (100.0, 500.0, 1000.0)
NOW = 400 * DAY_MS


def _purchase(event_id: str, ts: int | str, amount: float) -> tuple[str, dict[str, object]]:
    payload: dict[str, object] = {
        "event_id": event_id,
        "customer_id": "a",
        "ts": ts,
        "order_id": event_id,
        "amount": amount,
        "currency": "EUR",
    }
    return "purchases", payload


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    """Nothing but the standard library is imported."""
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert found == {
        "__future__",
        "collections",
        "collections.abc",
        "dataclasses",
        "datetime",
        "decimal",
        "typing",
    }
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


@pytest.mark.parametrize(
    ("ages_days", "expected"),
    [
        ([], "prospect"),
        ([0], "new"),
        ([29.999], "new"),
        ([30], "active"),
        ([44.999], "active"),
        ([45], "cooling"),
        ([89.999], "cooling"),
        ([90], "at risk"),
        ([179.999], "at risk"),
        ([180], "dormant"),
        ([150, 29.999], "returned"),
        ([149.999, 29.999], "returned"),
        ([149.9, 30], "active"),
        ([149.998, 29.999], "active"),
        ([300, 10, 5], "active"),
        ([20, 5], "new"),
    ],
)
def test_lifecycle_follows_its_rules_to_the_millisecond(ages_days: list[float], expected: str) -> None:
    """First rule that holds; borders belong to the later segment, the gap's border to `returned`."""
    times = sorted(NOW - round(days * DAY_MS) for days in ages_days)
    assert lifecycle(times, NOW) == expected


@pytest.mark.parametrize(
    ("orders", "net_minor", "expected"),
    [
        (0, 0, "none"),
        (1, 1, "low"),
        (1, 10_000, "low"),
        (1, 10_001, "medium"),
        (2, 50_001, "high"),
        (2, 100_000, "high"),
        (2, 100_001, "top"),
        (1, -5, "low"),
    ],
)
def test_value_tiers_begin_above_their_cut(orders: int, net_minor: int, expected: str) -> None:
    """Spend equal to a cut point stays in the tier below."""
    assert value_tier(orders, net_minor, CUTS) == expected


def test_money_is_exact_and_refunds_are_no_orders() -> None:
    """A hundred orders of 0.10 are 10.00; a refund lowers the net and leaves the order count."""
    sent = [_purchase(f"o{number}", NOW - 5, 0.1) for number in range(100)]
    customer = judge([*sent, _purchase("r", NOW, -3.33)], NOW, CUTS).customers["a"]
    assert (customer.orders, customer.gross_minor, customer.refund_minor, customer.net_minor) == (
        100,
        1000,
        333,
        667,
    )
    assert customer.counts["purchases", "refund"] == 1
    assert (customer.last("purchases"), customer.last_ms["purchases", "order"]) == (NOW, NOW - 5)


def test_copies_count_once_and_zero_amounts_never() -> None:
    """The same event id right behind is a copy; a zero amount is a dead letter."""
    sent = [_purchase("o1", NOW, 5), _purchase("o1", NOW, 5), _purchase("o2", NOW, 0)]
    verdict = judge(sent, NOW, CUTS)
    assert verdict.customers["a"].orders == 1
    assert verdict.customers["a"].duplicate_count == 1
    assert verdict.dead_letters == {"zero_amount": 1}


def test_only_the_last_six_ids_are_remembered() -> None:
    """A copy that comes after six other events counts again, as documented."""
    sent = [_purchase(f"o{number}", NOW, 1) for number in range(7)]
    assert judge([*sent, _purchase("o1", NOW, 1)], NOW, CUTS).customers["a"].orders == 7
    assert judge([*sent, _purchase("o0", NOW, 1)], NOW, CUTS).customers["a"].orders == 8


def test_machine_opens_are_counted_apart_and_times_may_be_text() -> None:
    """A machine's open is none of the customer's; ISO 8601 and epoch ms are the same moment."""
    mail = {"customer_id": "a", "campaign_id": "c", "action": "open"}
    sent = [
        ("emails", {**mail, "event_id": "1", "ts": "1970-01-02T00:00:00Z", "machine_open": True}),
        ("emails", {**mail, "event_id": "2", "ts": DAY_MS + 1}),
    ]
    customer = judge(sent, NOW, CUTS).customers["a"]
    assert customer.last_ms == {("emails", "machine_open"): DAY_MS, ("emails", "open"): DAY_MS + 1}
    assert (customer.first_ms, customer.count("emails"), customer.lifecycle, customer.value) == (
        DAY_MS,
        2,
        "prospect",
        "none",
    )


def test_the_newest_profile_stands_whatever_came_first() -> None:
    """Order of arrival does not matter, time does."""
    new = ("profiles", {"customer_id": "a", "ts": 2, "attributes": {"age": 2}})
    old = ("profiles", {"customer_id": "a", "ts": 1, "attributes": {"age": 1}})
    assert judge([new, old], NOW, CUTS).customers["a"].attributes == {"age": 2}
    assert judge([old, new], NOW, CUTS).customers["a"].attributes == {"age": 2}


def test_fractions_of_a_cent_are_not_guessed_at() -> None:
    """The oracle refuses what it could only round."""
    with pytest.raises(ValueError, match="whole cents"):
        judge([_purchase("o", NOW, 0.005)], NOW, CUTS)
