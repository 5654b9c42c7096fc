"""What one would write with Faust alone: agents and a table. The other side of the comparison.

Its job is simple: a segment by money spent and decayed clicks, kept in a table (in memory, with changelog), each change
published. As the Faust documentation has it: no tricks, nothing left out. Run as a process; it prints a line of JSON
(`wall_ms`, `events`, `changes`) now and then.
"""

from __future__ import annotations

import sys
import tempfile
from bisect import bisect_right
from typing import Any

import faust

from stream.clock import wall_ms
from stream.codec import plain_json

REPORT_EVENTS = 250  # between two lines: about ten a second
PARTITIONS = 4  # as the input topics of the bench
DAY_MS = 86_400_000  # clicks halve in a day, as in the shipped intent
# borders as close as this give about as many changes an event as segstream has in its six dimensions
CLICK_BORDERS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
SPEND_BORDERS = (50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0)


def segment_of(state: dict[str, Any]) -> str:
    """The segment of a customer: how many borders of spend and of clicks are reached."""
    return f"spend {bisect_right(SPEND_BORDERS, state['amount'])} clicks {bisect_right(CLICK_BORDERS, state['clicks'])}"


def clicks_at(state: dict[str, Any], ts_ms: int) -> float:
    """The decayed clicks of a customer at a time."""
    halved: float = 0.5 ** (max(ts_ms - state["ts"], 0) / DAY_MS)
    return float(state["clicks"] * halved)


def create_app(brokers: str, prefix: str, changes_topic: str) -> faust.App:
    """The app; it reads `clicks` and `purchases` with the prefix."""
    app = faust.App(
        f"{prefix}plain-faust",
        broker=f"kafka://{brokers}",
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="plain-faust-"),
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        table_standby_replicas=0,
        web_enabled=False,
    )
    clicks = app.topic(f"{prefix}clicks", key_type=str, key_serializer="raw", value_serializer="json")
    purchases = app.topic(f"{prefix}purchases", key_type=str, key_serializer="raw", value_serializer="json")
    changes = app.topic(changes_topic, value_serializer="json")  # the bench has created it
    customers: Any = app.Table("customers", partitions=PARTITIONS)
    counted = {"events": 0, "changes": 0}

    async def apply(event: dict[str, Any], amount: float, click: float) -> None:
        key = event["customer_id"]
        state = customers.get(key) or {"amount": 0.0, "clicks": 0.0, "ts": event["ts"], "segment": ""}
        after = {
            "amount": state["amount"] + amount,
            "clicks": clicks_at(state, event["ts"]) + click,
            "ts": event["ts"],
        }
        after["segment"] = segment_of(after)
        customers[key] = after
        if after["segment"] != state["segment"]:
            counted["changes"] += 1
            await changes.send(
                key=key, value={"customer_id": key, "previous": state["segment"], "segment": after["segment"]}
            )
        counted["events"] += 1
        if counted["events"] % REPORT_EVENTS == 0:
            sys.stdout.write(plain_json.encode({"wall_ms": wall_ms(), **counted}).decode() + "\n")
            sys.stdout.flush()

    async def on_clicks(stream: Any) -> None:
        async for event in stream:
            await apply(event, 0.0, 1.0)

    async def on_purchases(stream: Any) -> None:
        async for event in stream:
            await apply(event, event["amount"], 0.0)

    app.agent(clicks, name="clicks")(on_clicks)
    app.agent(purchases, name="purchases")(on_purchases)
    return app


def main(brokers: str, prefix: str, changes_topic: str) -> None:
    """Run until killed."""
    app = create_app(brokers, prefix, changes_topic)
    # "WARN" in capitals: Faust takes the lower-case word for DEBUG
    faust.Worker(app, loglevel="WARN", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
