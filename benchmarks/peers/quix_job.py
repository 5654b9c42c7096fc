"""The simple job on Quix Streams: python quix_job.py BROKERS PREFIX CHANGES_TOPIC STATE_FOLDER. Ended by a signal.

State in RocksDB with its changelog topic, at least once. Every setting is Quix's own default, but where to begin
reading and how much is logged: it commits every 5 s, librdkafka lingers 5 ms.
"""

from __future__ import annotations

import json
import sys
import time
from bisect import bisect_right
from typing import Any

from quixstreams import Application

REPORT_EVENTS = 1_000  # between two lines of the count
DAY_MS = 86_400_000  # clicks halve in a day: as stream/bench/plain_faust.py
CLICK_BORDERS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)  # the same
SPEND_BORDERS = (50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0)  # the same
NEW = {"amount": 0.0, "clicks": 0.0, "segment": ""}
counted = {"events": 0, "changes": 0}


def segment_of(amount: float, clicks: float) -> str:
    """The segment of a customer: how many borders of spend and of clicks are reached."""
    return f"spend {bisect_right(SPEND_BORDERS, amount)} clicks {bisect_right(CLICK_BORDERS, clicks)}"


def apply(event: dict[str, Any], state: Any) -> dict[str, Any] | None:
    """Take one click or purchase in; return the change, if there is one."""
    known = state.get("customer") or {**NEW, "ts": event["ts"]}
    halved = 0.5 ** (max(event["ts"] - known["ts"], 0) / DAY_MS)
    amount = known["amount"] + event.get("amount", 0.0)
    clicks = known["clicks"] * halved + ("amount" not in event)
    segment = segment_of(amount, clicks)
    state.set("customer", {"amount": amount, "clicks": clicks, "ts": event["ts"], "segment": segment})
    counted["events"] += 1
    changed = segment != known["segment"]
    counted["changes"] += changed
    if counted["events"] % REPORT_EVENTS == 0:
        print(json.dumps({"wall_ms": time.time_ns() // 1_000_000, **counted}), flush=True)
    if not changed:
        return None
    return {"customer_id": event["customer_id"], "previous": known["segment"], "segment": segment}


def main(brokers: str, prefix: str, changes_topic: str, state_folder: str) -> None:
    """Run until killed."""
    app = Application(
        broker_address=brokers,
        consumer_group=f"{prefix}quix",
        auto_offset_reset="earliest",
        state_dir=state_folder,
        loglevel="WARNING",
    )
    clicks, purchases = (app.topic(f"{prefix}{name}", key_deserializer="str") for name in ("clicks", "purchases"))
    changes = app.topic(changes_topic, key_serializer="str")
    frame = app.dataframe(clicks).concat(app.dataframe(purchases)).apply(apply, stateful=True)
    frame.filter(lambda change: change is not None).to_topic(changes)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
