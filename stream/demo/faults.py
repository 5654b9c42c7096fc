"""What goes wrong in every real stream, sent on purpose: broken records, and events sent twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stream.kafka.partitioner import partition_of

Timed = tuple[int, str, bytes, bytes]
"""(when it is sent, in epoch ms of the year; topic; key; value)."""

CUSTOMER = "c12347"  # a real customer of the shop, so that nothing but the fault itself refuses the record
STRANGER = "c99999"  # nobody: a customer whom no partition knows yet
DOUBLE_EVERY = 10_000  # events: a producer that retries now and then
TOO_LARGE_BYTES = 300_000  # above the quarter of a megabyte that an event may have


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that is no event: where it goes, what it holds, and the reason its dead letter must give."""

    topic: str
    key: str
    value: bytes
    reason: str


def faults(partitions: int) -> tuple[Fault, ...]:
    """One of every kind that a worker refuses (all but a full table)."""

    def purchase(number: int, fields: str) -> bytes:
        return (
            f'{{"event_id":"bad-{number}","customer_id":"{CUSTOMER}","order_id":"bad-{number}",'
            f'"currency":"GBP",{fields}}}'
        ).encode()

    def click(number: int, customer_id: str, fields: str) -> bytes:
        return f'{{"event_id":"bad-{number}","customer_id":"{customer_id}","action":"view",{fields}}}'.encode()

    day = '"ts":"2011-06-01T12:00:00Z"'
    page = f'{day},"page":"{"x" * TOO_LARGE_BYTES}"'
    return (
        Fault("clicks", CUSTOMER, b'{"event_id":"bad-1","customer_id":', "malformed"),
        Fault("purchases", CUSTOMER, purchase(2, f'{day},"amount":NaN'), "malformed"),
        Fault("purchases", CUSTOMER, purchase(3, f'{day},"amount":"a lot"'), "wrong_type"),
        Fault("purchases", CUSTOMER, purchase(4, f'{day},"amount":0'), "zero_amount"),
        Fault("purchases", CUSTOMER, purchase(5, f'{day},"amount":1e300'), "amount_out_of_range"),
        Fault("clicks", CUSTOMER, b'{"event_id":"bad-6","action":"view",' + day.encode() + b"}", "missing_field"),
        Fault("clicks", CUSTOMER, click(7, CUSTOMER, '"ts":"2100-01-01T00:00:00Z"'), "future"),
        Fault("clicks", CUSTOMER, click(8, CUSTOMER, '"ts":"1970-01-01T00:00:00Z"'), "too_old"),
        Fault("clicks", CUSTOMER, click(9, CUSTOMER, '"ts":"yesterday"'), "bad_time"),
        Fault("clicks", _key_elsewhere(STRANGER, partitions), click(10, STRANGER, day), "wrong_partition"),
        Fault("clicks", CUSTOMER, click(11, CUSTOMER, page), "too_large"),
    )


def _key_elsewhere(customer_id: str, partitions: int) -> str:
    """A key that leads to another partition than the customer's, as another partitioner would."""
    home = partition_of(customer_id, partitions)
    return next((key for key in ("a", "b", "c", "d", "e") if partition_of(key, partitions) != home), customer_id)


def spread(made: tuple[Fault, ...], start_ms: int, end_ms: int) -> list[Timed]:
    """The faults at even distances over the year, none at its ends."""
    step_ms = (end_ms - start_ms) / len(made)
    return [
        (start_ms + int((number + 0.5) * step_ms), fault.topic, fault.key.encode(), fault.value)
        for number, fault in enumerate(made)
    ]


def doubled(records: Iterable[Timed], every: int = DOUBLE_EVERY) -> Iterator[tuple[Timed, bool]]:
    """The records, one in `every` twice in a row; with each whether it is such a copy. Profiles have no identity."""
    waiting = every
    for record in records:
        yield record, False
        waiting -= 1
        if waiting <= 0 and record[1] != "profiles":
            waiting = every
            yield record, True
