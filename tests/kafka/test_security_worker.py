"""A real worker over TLS with a password, on good, bad and poisoned records: what it does, and what it never says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from stream.kafka import client
from stream.kafka.partitioner import partition_of
from stream.settings import Settings
from tests.kafka.agreement import everything_agrees
from tests.kafka.certificates import Files
from tests.kafka.secured import PASSWORD, USERNAME, SecuredBroker, ended
from tests.kafka.worker import (
    Journal,
    Sent,
    Worker,
    crew,
    feed,
    final_times,
    parsed,
    read_all,
    settle,
    story,
    told,
    until,
)

pytestmark = pytest.mark.kafka

MARK = "Zq7"  # in everything of a customer's: nothing else in a log or a metric has it
CUSTOMERS = 30


@dataclasses.dataclass(slots=True)
class Ran:
    """What a worker that has ended did and said."""

    settings: Settings
    sent: list[Sent]
    reasons: list[str] = dataclasses.field(default_factory=list)  # of the dead letters
    said: str = ""  # all it logged and all that its HTTP server answered, over two lives
    metrics: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    changes: int = 0


def marked(sent: Sent) -> Sent:
    """The event of a customer whose every word can be recognised."""
    topic, payload = sent
    found = {**payload, "note": f"{MARK}-note", "customer_id": f"{MARK}-{payload['customer_id']}@shop.example"}
    found |= {name: f"{MARK}-{payload[name]}" for name in ("event_id", "order_id", "campaign_id") if name in payload}
    if topic == "profiles":
        found["attributes"] = {**payload["attributes"], "email": f"{MARK}@shop.example", f"{MARK}_name": f"{MARK} Anna"}
    return topic, found


def poison(payload: dict[str, Any]) -> list[bytes]:
    """Values of `purchases` that are refused, every one with a customer's words in it."""
    whole = json.dumps(payload).encode()
    deep = whole[:-1] + b', "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    wrong = [{"amount": f"{MARK}"}, {"ts": f"{MARK}"}, {"customer_id": f"{MARK}" * 60}, {"currency": f"{MARK}-{MARK}"}]
    return [
        whole[:-9], f"{MARK} is no JSON".encode(), deep, whole[:-1] + b', "y": "' + b"Zq7" * 100_000 + b'"}',
        *(json.dumps({**payload, **one}).encode() for one in wrong),
        json.dumps({name: value for name, value in payload.items() if name != "amount"}).encode(),
    ]  # fmt: skip


async def send_poison(settings: Settings, payload: dict[str, Any]) -> int:
    """Send them to the customer's partition, and what is no document to the topics of documents; returns how many."""
    home = partition_of(payload["customer_id"], settings.partitions)
    values = poison(payload)
    nonsense = json.dumps({MARK: MARK, "version": MARK, "document_version": f"{MARK}"}).encode()
    producer = client.producer(settings)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(settings.prefix + "purchases", value, f"{MARK}-key".encode(), home)
        for topic in ("segment-definitions", "segment-models"):
            for value in (nonsense, f"{MARK}".encode(), b"[" * 10_000):
                await producer.send_and_wait(settings.prefix + topic, value, f"{MARK}".encode(), 0)
        await producer.send_and_wait(settings.prefix + "segment-vectors", f"{MARK}".encode(), None, 0)
    finally:
        await producer.stop()
    return len(values)


@pytest.fixture(scope="module")
def ran(doors: SecuredBroker, client_files: Files, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A worker lives, is killed, recovers, is sent poison, and ends."""
    settings = Settings(
        brokers=doors.door("SAFE"), prefix="secured.", group="secured", security_protocol="SASL_SSL",
        sasl_username=USERNAME, sasl_password=PASSWORD, ssl_ca_file=str(client_files.authority),
    )  # fmt: skip
    settings = told(settings, log_level="debug", partitions=2)
    made = Ran(settings, [marked(one) for one in story(seed=41, customers=CUSTOMERS, days=90)])
    ended(lives(made, tmp_path_factory.mktemp("worker")))
    return made


async def lives(made: Ran, folder: Path) -> None:
    """Run the worker and keep what it did and said."""
    half = len(made.sent) // 2
    purchase = next(payload for topic, payload in made.sent if topic == "purchases")
    async with crew(made.settings, folder, "worker") as (log, [worker]):
        await worker.start()
        await feed(made.settings, made.sent[:half])
        refused = await send_poison(made.settings, dict(purchase))
        await until(lambda: log.has_applied(half), "progress", worker)
        await listen(made, worker)
        worker.kill()
        await worker.start()
        await feed(made.settings, made.sent[half:])
        await settle(log, final_times(made.settings, made.sent), worker)
        await listen(made, worker)
        await worker.stop()
        made.said += (folder / "worker.log").read_text("utf-8")
        made.reasons = [one["reason"] for one in parsed(await read_all(made.settings, "segment-dead-letters"))]
        made.changes = await agreed(made, log, refused)


async def listen(made: Ran, worker: Worker) -> None:
    """What the HTTP server answers."""
    for path in ("/metrics", "/healthz", "/readyz", "/"):
        made.said += await worker._get(path) or ""
    made.metrics = await worker.metrics()


async def agreed(made: Ran, log: Journal, refused: int) -> int:
    """How many changes there are, after all of the checks of `everything_agrees`."""
    changes, _ = await everything_agrees(made.settings, made.sent, log, refused=refused)
    return changes


def test_a_worker_over_tls_with_a_password_is_right(ran: Ran) -> None:
    """Joined, fed, killed, recovered, checkpointed and stopped over SASL_SSL; everything agrees, as anywhere."""
    assert ran.changes > CUSTOMERS
    assert ran.metrics["segstream_checkpoints_total", ""] > 0


def test_poison_is_refused_and_counted(ran: Ran) -> None:
    """Events become dead letters with their reason, documents are counted and left where they lie."""
    assert {"malformed", "too_large", "wrong_type", "missing_field", "bad_time"} <= set(ran.reasons)
    for topic, document in (("segment-definitions", "definition"), ("segment-models", "model")):
        assert ran.metrics["segstream_documents_refused_total", f'document="{document}"'] == 3
        assert f"{topic} offset " in ran.said


def test_nothing_of_a_customer_is_in_the_log_or_the_metrics(ran: Ran) -> None:
    """Not an id, not an e-mail, not a word of a payload, at the most talkative level, over a kill and a recovery."""
    assert "DEBUG" in ran.said
    assert "segstream_events_applied_total" in ran.said
    assert [line for line in ran.said.splitlines() if MARK.lower() in line.lower() or "shop.example" in line] == []


def test_no_secret_is_in_the_log_or_the_metrics(ran: Ran) -> None:
    """The settings are printed at the start, the password as stars."""
    assert "sasl_password=***" in ran.said
    assert PASSWORD not in ran.said
