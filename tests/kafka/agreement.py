"""What must agree at the end: rows, memberships and changes with each other and with the oracle."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.customers import row as r
from models.customers.places import number
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from stream.subscriber import CHECKPOINT_KEY, View
from stream.worker.verification import verify
from tests.kafka.worker import Journal, Remains, Sent, final_times, read_all, remains
from tests.oracle import Customer, judge, value_tier

if TYPE_CHECKING:
    from models.engine import Judge
    from stream.kafka.follow import Followed

Memberships = dict[str, dict[str, str]]  # customer -> dimension -> segment


def rows_agree(settings: Settings, sent: Sequence[Sent], left: Sequence[Remains]) -> int:
    """Every customer's row says what the oracle says of what was sent; returns how many customers there are."""
    final_ms = final_times(settings, sent)
    count = 0
    for one in left:
        mine = [(t, p) for t, p in sent if partition_of(p["customer_id"], settings.partitions) == one.replica.partition]
        engine = one.replica.engine
        assert engine is not None
        wanted = judge(mine, final_ms[one.replica.partition], (1.0, 2.0, 3.0)).customers
        assert sorted(dict(engine.table.items())) == sorted(wanted)
        for customer_id, slot in engine.table.items():
            row, customer = engine.table.rows[slot], wanted[customer_id]
            of_row = engine.judge if row.generation == engine.adoption.generation else engine.older
            assert numbers_of(row) == numbers_wanted(customer), customer_id
            segments = segments_of(row, of_row)
            assert segments["lifecycle"] == customer.lifecycle, (customer_id, row, customer)
            assert segments["value"] == value_tier(customer.orders, customer.net_minor, _value_cuts(of_row)), (
                customer_id
            )
            count += 1
    return count


def _value_cuts(of_row: Judge) -> tuple[float, float, float]:
    cuts = of_row.definitions.cuts["value"]
    if of_row.snapshot is not None:
        cuts = of_row.snapshot.cuts.get("value", cuts)
    medium, high, top = cuts
    return medium, high, top


def segments_of(row: Any, of_row: Judge) -> dict[str, str]:
    """The segment of each dimension by name."""
    codes = of_row.codes(np.array([row], row.dtype))[0].tolist()
    names = {d.name: of_row.segment_name(i, codes[i]) for i, d in enumerate(of_row.definitions.dimensions)}
    return {dimension: segment for dimension, segment in names.items() if segment is not None}


def numbers_of(row: Any) -> dict[str, int]:
    """Counts, sums and times as the row has them."""
    return {
        "clicks": int(row.count[r.CLICKS]),
        "cart_adds": int(row.count[r.CART_ADDS]),
        "checkouts": int(row.count[r.CHECKOUTS]),
        "searches": int(row.count[r.SEARCHES]),
        "orders": int(row.count[r.ORDERS]),
        "refunds": int(row.count[r.REFUNDS]),
        "sent": int(row.count[r.EMAILS_SENT]),
        "opens": int(row.count[r.OPENS]),
        "machine_opens": int(row.count[r.MACHINE_OPENS]),
        "email_clicks": int(row.count[r.EMAIL_CLICKS]),
        "bounces": int(row.count[r.BOUNCES]),
        "unsubscribes": int(row.count[r.UNSUBSCRIBES]),
        "gross_minor": int(row.spend_minor),
        "refund_minor": int(row.refund_minor),
        "first_ms": int(row.first_ms),
        "last_click_ms": int(number(row, r.LAST_CLICK)),
        "last_cart_add_ms": int(number(row, r.LAST_CART_ADD)),
        "last_order_ms": int(number(row, r.LAST_ORDER)),
        "first_order_ms": int(number(row, r.FIRST_ORDER)),
        "last_sent_ms": int(number(row, r.LAST_SENT)),
        "last_engaged_ms": int(number(row, r.LAST_ENGAGED)),
        "profile_ms": int(number(row, r.PROFILE_TIME)),
    }


def numbers_wanted(customer: Customer) -> dict[str, int]:
    """The same as the oracle has them."""
    counts, last = customer.counts, customer.last_ms
    engaged = max(last.get(("emails", "open"), 0), last.get(("emails", "click"), 0))
    return {
        "clicks": customer.count("clicks"),
        "cart_adds": counts["clicks", "cart_add"],
        "checkouts": counts["clicks", "checkout"],
        "searches": counts["clicks", "search"],
        "orders": customer.orders,
        "refunds": counts["purchases", "refund"],
        "sent": counts["emails", "sent"],
        "opens": counts["emails", "open"],
        "machine_opens": counts["emails", "machine_open"],
        "email_clicks": counts["emails", "click"],
        "bounces": counts["emails", "bounce"],
        "unsubscribes": counts["emails", "unsubscribe"] + counts["emails", "complaint"],
        "gross_minor": customer.gross_minor,
        "refund_minor": customer.refund_minor,
        "first_ms": customer.first_ms or 0,
        "last_click_ms": customer.last("clicks") or 0,
        "last_cart_add_ms": last.get(("clicks", "cart_add"), 0),
        "last_order_ms": max(customer.order_times_ms, default=0),
        "first_order_ms": min(customer.order_times_ms, default=0),
        "last_sent_ms": last.get(("emails", "sent"), 0),
        "last_engaged_ms": engaged,
        "profile_ms": last.get(("profiles", "profile"), 0),
    }


def memberships_of_rows(left: Sequence[Remains]) -> Memberships:
    """What every customer is in, as the rows say."""
    found: Memberships = {}
    for one in left:
        engine = one.replica.engine
        assert engine is not None
        for customer_id, slot in engine.table.items():
            row = engine.table.rows[slot]
            of_row = engine.judge if row.generation == engine.adoption.generation else engine.older
            found[customer_id] = segments_of(row, of_row)
    return found


async def memberships_of_topic(settings: Settings) -> Memberships:
    """The last membership of every customer in the topic."""
    found: Memberships = {}
    for record in await read_all(settings, "segment-memberships"):
        key = (record.key or b"").decode()
        if key != CHECKPOINT_KEY:
            value = json.loads(record.value or b"{}")
            found[key] = {dimension: one["segment"] for dimension, one in value["segments"].items()}
    return found


def changes_agree(records: Sequence[Followed], memberships: Mapping[str, Mapping[str, str]]) -> tuple[int, int]:
    """Every copy is the same, chains have no hole, and the changes alone come to the memberships.

    Returns (changes, copies beside the first).
    """
    copies: dict[str, bytes] = {}
    view = View()
    last: dict[str, int] = defaultdict(int)
    for record in records:
        value = record.value or b""
        change = json.loads(value)
        known = copies.setdefault(change["event_id"], value)
        assert known == value, f"two copies of {change['event_id']}"
        assert record.key == change["customer_id"].encode()
        if view.take_change(record.partition, change) == "duplicate":
            continue
        assert change["event_id"] == f"{record.partition}-{change['seq']}"
        assert (change["previous_seq"] or 0) == last[change["customer_id"]], change
        last[change["customer_id"]] = change["seq"]
    assert view.hole_count == 0
    agree({name: view.segments(name) for name in view.customers()}, memberships)
    return len(copies), view.duplicate_count


def agree(found: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Mapping[str, str]]) -> None:
    """The same memberships; being in no cluster yet needs no change and is left out."""
    for name in {*found, *wanted}:
        mine, theirs = ({d: s for d, s in one.get(name, {}).items() if s != "unassigned"} for one in (found, wanted))
        assert mine == theirs, name


async def everything_agrees(
    settings: Settings, sent: Sequence[Sent], log: Journal, *, refused: int = 0
) -> tuple[int, int]:
    """After all have stopped; `refused` records became dead letters. Returns (changes, copies beside the first)."""
    reports = await verify(settings, range(settings.partitions), settled=True)
    differences = [report.difference for report in reports if report.difference]
    assert not differences, differences
    await log.read()
    assert log.records == len(sent) + refused
    left = await remains(settings)
    assert rows_agree(settings, sent, left) == len({payload["customer_id"] for _, payload in sent})
    memberships = memberships_of_rows(left)
    found = changes_agree(await read_all(settings, "segment-changes"), memberships)
    agree(await memberships_of_topic(settings), memberships)
    assert found == (sum(report.changes for report in reports), sum(report.copies for report in reports))
    return found
