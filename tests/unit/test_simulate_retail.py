"""Laws of the retail year: real purchases are kept to the cent, everything is seeded, Ada comes and goes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.events import TOPICS
from stream.codec.block import block_of
from stream.codec.events import decode
from stream.errors import SegstreamError
from stream.simulate import RetailYear, retail_path, retail_year
from stream.simulate.ada import ADA, SILENT_MS
from stream.simulate.campaigns import DAY_MS
from stream.simulate.retail import END_MS, ITEMS_MAX, START_MS
from stream.simulate.retail_orders import read_orders
from tests.oracle import judge, lifecycle


@pytest.fixture(scope="module")
def year() -> RetailYear:
    """The year of the default seed."""
    return retail_year(7)


def _payloads(year: RetailYear, topic: str) -> list[dict[str, object]]:
    return [json.loads(value) for _, _, value in year.records[topic]]


def test_gross_sales_are_those_of_the_data_set() -> None:
    """The published sum of the cleaned lines, to the cent: 8,911,407.90."""
    orders = read_orders()
    assert int(orders.amount_minor[orders.amount_minor > 0].sum()) == 891_140_790
    assert len(orders.invoice) == 22_186
    assert orders.zero_amount_count == 4
    assert len({orders.customer[row] for row in range(len(orders.invoice)) if orders.amount_minor[row] > 0}) == 4_338


def test_an_invoice_is_the_sum_of_its_lines() -> None:
    """The first invoice of the file: seven lines, 139.12."""
    orders = read_orders()
    row = orders.invoice.index("536365")
    lines = slice(orders.line_from[row], orders.line_from[row] + orders.line_count[row])
    assert orders.amount_minor[row] == 13_912
    assert orders.customers[orders.customer[row]] == "c17850"
    assert round(float((orders.quantity[lines] * orders.price[lines]).sum()) * 100) == 13_912


def test_cancellations_are_refunds() -> None:
    """Every invoice that starts with C is negative, every other one positive."""
    orders = read_orders()
    for invoice, amount in zip(orders.invoice, orders.amount_minor.tolist(), strict=True):
        assert (amount < 0) == invoice.startswith("C")


def test_the_same_seed_gives_the_same_bytes(year: RetailYear) -> None:
    """And another seed other clicks on the same purchases."""
    assert retail_year(7).records == year.records
    other = retail_year(8)
    assert other.records["clicks"] != year.records["clicks"]
    assert other.records["purchases"] == year.records["purchases"]


def test_the_year_has_the_size_of_a_demo(year: RetailYear) -> None:
    """300 to 450 thousand events of everybody who ever bought, visitors and Ada."""
    assert 300_000 < sum(year.counts.values()) < 450_000
    assert year.counts == {topic: len(records) for topic, records in year.records.items()}
    keys = {key for records in year.records.values() for _, key, _ in records}
    assert len(keys) == year.customers
    assert year.customers > 4_338


def test_every_topic_is_in_time_order_within_the_year(year: RetailYear) -> None:
    """Sorted, inside the year, keyed by the customer and stamped with the payload's own time."""
    for records in year.records.values():
        assert all(before[0] <= after[0] for before, after in pairwise(records))
        assert records[0][0] >= START_MS
        assert records[-1][0] < END_MS
        for ts_ms, key, value in records[:: len(records) // 500]:
            payload = json.loads(value)
            assert (payload["ts"], payload["customer_id"]) == (ts_ms, key.decode())


def test_topics_merge_in_time_order(year: RetailYear) -> None:
    """The merged year is the whole year, sorted."""
    times = [ts_ms for ts_ms, _, _, _ in year.in_time_order()]
    assert times == sorted(times)
    assert len(times) == sum(year.counts.values())


def test_the_codec_refuses_nothing(year: RetailYear) -> None:
    """Every event of the year is legal input."""
    for kind, topic in enumerate(TOPICS):
        records = [
            SimpleNamespace(value=value, key=key, offset=0, timestamp=0) for _, key, value in year.records[topic]
        ]
        assert decode(kind, block_of(records)).refused == []


def test_event_ids_are_unique(year: RetailYear) -> None:
    """Nothing of the year can be taken for a copy."""
    ids = Counter(
        payload["event_id"] for topic in ("clicks", "emails", "purchases") for payload in _payloads(year, topic)
    )
    assert ids.most_common(1)[0][1] == 1


def test_items_are_bounded_and_orders_follow_their_checkout(year: RetailYear) -> None:
    """At most ITEMS_MAX items; before every order its customer went to the checkout within three hours."""
    checkouts: dict[object, list[int]] = defaultdict(list)
    for click in _payloads(year, "clicks"):
        if click["action"] == "checkout":
            checkouts[click["customer_id"]].append(int(str(click["ts"])))
    orders = _payloads(year, "purchases")
    assert max(len(order["items"]) for order in orders) == ITEMS_MAX  # type: ignore[arg-type] # a list
    for order in orders[::97]:
        ts_ms = int(str(order["ts"]))
        if float(str(order["amount"])) > 0:
            assert any(0 <= ts_ms - at_ms <= 3 * 3_600_000 for at_ms in checkouts[order["customer_id"]])


def test_mail_is_read_as_published(year: RetailYear) -> None:
    """Nobody gets mail after leaving the list; people open mails, and so do machines."""
    mails = _payloads(year, "emails")
    left: dict[object, int] = {}
    for mail in mails:
        if mail["action"] in ("unsubscribe", "complaint") and mail["customer_id"] != ADA:
            left[mail["customer_id"]] = int(str(mail["ts"]))
    assert left
    week_ms = 7 * DAY_MS
    assert not [
        m for m in mails if m["action"] == "sent" and int(str(m["ts"])) > left.get(m["customer_id"], END_MS) + week_ms
    ]
    assert {m["machine_open"] for m in mails if m["action"] == "open"} == {True, False}


def test_ada_comes_buys_and_falls_silent(year: RetailYear) -> None:
    """From prospect to active by what she does, then to dormant by silence alone, within the year."""
    mine = [(ts, topic, json.loads(value)) for ts, topic, key, value in year.in_time_order() if key == ADA.encode()]
    assert mine[0][1] == "profiles"
    orders = [ts for ts, topic, payload in mine if topic == "purchases" and payload["amount"] > 0]
    assert len(orders) == 6
    acts = {"clicks", "purchases"}
    own = [ts for ts, topic, payload in mine if topic in acts or payload.get("action") in ("open", "click")]
    assert max(own) < SILENT_MS < START_MS + (END_MS - START_MS) * 0.55
    assert [topic for ts, topic, _ in mine if ts > SILENT_MS + DAY_MS]  # the shop goes on writing
    path: list[str] = []
    for ts in range(mine[0][0], END_MS, DAY_MS):
        segment = lifecycle([at for at in orders if at <= ts], ts)
        if not path or path[-1] != segment:
            path.append(segment)
    assert path == ["prospect", "new", "active", "cooling", "at risk", "dormant"]


def test_every_lifecycle_segment_but_none_is_empty_at_the_end(year: RetailYear) -> None:
    """The year ends with somebody in each lifecycle segment."""
    sent = [
        (topic, json.loads(value)) for _, topic, _, value in year.in_time_order() if topic in ("profiles", "purchases")
    ]
    verdict = judge(sent, END_MS, (670, 2050, 5800))
    found = Counter(customer.lifecycle for customer in verdict.customers.values())
    assert set(found) == {"prospect", "new", "active", "cooling", "at risk", "dormant", "returned"}
    assert set(Counter(customer.value for customer in verdict.customers.values())) == {
        "top",
        "high",
        "medium",
        "low",
        "none",
    }


def test_a_missing_data_set_says_what_to_do(tmp_path: Path) -> None:
    """An error for a person, not a traceback."""
    assert retail_path().name == "online_retail.parquet"
    with pytest.raises(SegstreamError):
        read_orders(tmp_path / "nothing.parquet")
