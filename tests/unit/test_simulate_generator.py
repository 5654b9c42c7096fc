"""Laws of a simulated run: seeded, ordered, true to its archetypes."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

from models.events import TOPICS
from stream.codec.block import block_of
from stream.codec.events import decode
from stream.simulate import ARCHETYPES, TRUTH_DAYS_MIN, SimulatedEvent, events, truth
from stream.simulate.campaigns import DAY_MS, redemption_lag_ms, response
from stream.simulate.population import START_MS
from tests.oracle import judge

CUSTOMERS, DAYS, SEED = 120, 300, 11
CUTS = (100.0, 500.0, 1000.0)


@pytest.fixture(scope="module")
def run() -> list[SimulatedEvent]:
    """One run long enough for every archetype's truth."""
    return list(events(SEED, CUSTOMERS, DAYS))


def test_same_arguments_give_the_same_events(run: list[SimulatedEvent]) -> None:
    """A run is a function of its arguments, and another seed gives another run."""
    assert list(events(SEED, CUSTOMERS, DAYS)) == run
    assert list(events(SEED + 1, CUSTOMERS, DAYS)) != run


def test_events_are_in_time_order_within_the_run(run: list[SimulatedEvent]) -> None:
    """Times never go back, and lie between the start and the last day's end."""
    times = [event.ts_ms for event in run]
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < START_MS + DAYS * DAY_MS


def test_the_time_of_an_event_is_the_ts_of_its_payload(run: list[SimulatedEvent]) -> None:
    """What orders the run is what the worker will read."""
    assert all(event.ts_ms == event.payload["ts"] for event in run)


def test_event_ids_are_unique(run: list[SimulatedEvent]) -> None:
    """Nothing of a run without duplicates can be taken for a copy."""
    ids = Counter(event.payload["event_id"] for event in run if event.topic != "profiles")
    assert ids.most_common(1)[0][1] == 1


def test_a_customer_begins_with_a_profile(run: list[SimulatedEvent]) -> None:
    """Who somebody is comes before what they do."""
    first: dict[str, str] = {}
    for event in run:
        first.setdefault(event.payload["customer_id"], event.topic)
    assert len(first) == CUSTOMERS
    assert set(first.values()) == {"profiles"}


def test_the_codec_refuses_nothing(run: list[SimulatedEvent]) -> None:
    """Every simulated event is legal input."""
    for kind, topic in enumerate(TOPICS):
        records = [
            SimpleNamespace(value=json.dumps(event.payload).encode(), key=b"", offset=0, timestamp=0)
            for event in run
            if event.topic == topic
        ]
        columns = decode(kind, block_of(records))
        assert records
        assert columns.refused == []


def test_the_true_lifecycle_is_what_the_rules_say_at_the_end(run: list[SimulatedEvent]) -> None:
    """The oracle, given the events alone, finds the segment that each archetype promises."""
    verdict = judge([(event.topic, event.payload) for event in run], START_MS + DAYS * DAY_MS, CUTS)
    promised = {one.customer_id: one.lifecycle for one in truth(SEED, CUSTOMERS, DAYS) if one.lifecycle}
    found = {customer_id: verdict.customers[customer_id].lifecycle for customer_id in promised}
    assert found == promised
    assert set(promised.values()) == {
        "prospect", "new", "active", "cooling", "at risk", "dormant", "returned",
    }  # fmt: skip


@pytest.mark.parametrize("days", [TRUTH_DAYS_MIN, 365, 500])
def test_the_truth_holds_for_every_long_run(days: int) -> None:
    """From the shortest certain run on, whatever the seed."""
    for seed in range(3):
        sent = [(event.topic, event.payload) for event in events(seed, 40, days)]
        verdict = judge(sent, START_MS + days * DAY_MS, CUTS)
        for one in truth(seed, 40, days):
            assert one.lifecycle in (None, verdict.customers[one.customer_id].lifecycle), one


def test_silence_is_silence(run: list[SimulatedEvent]) -> None:
    """From silence to return nothing comes from the customer; only the shop acts (mails, refunds)."""
    silences = {
        one.customer_id: (one.silent_from_ms, one.returned_ms or START_MS + DAYS * DAY_MS)
        for one in truth(SEED, CUSTOMERS, DAYS)
        if one.silent_from_ms is not None
    }
    assert silences
    visit_ms = 3 * 3_600_000  # a visit begun before the silence may end in it
    for event in run:
        silent_ms, back_ms = silences.get(event.payload["customer_id"], (START_MS + DAYS * DAY_MS, 0))
        if silent_ms + visit_ms < event.ts_ms < back_ms:
            assert event.topic in ("emails", "purchases")
            assert event.payload.get("action") in (None, "sent", "delivered", "bounce", "open")
            assert event.payload.get("machine_open", True)
            assert event.payload.get("amount", -1) < 0


def test_no_lifecycle_is_promised_for_a_short_run() -> None:
    """A run too short for an archetype's story says so."""
    assert {one.lifecycle for one in truth(SEED, CUSTOMERS, TRUTH_DAYS_MIN - 1)} == {None}
    assert list(events(SEED, 5, 3))


def test_duplicates_are_exact_copies_right_behind() -> None:
    """A copy follows its original at once and is equal to it."""
    sent = list(events(SEED, 20, 30, duplicate_share=0.2))
    plain = list(events(SEED, 20, 30))
    kept = [one for one, before in zip(sent, [None, *sent], strict=False) if one is not before]
    assert kept == plain
    assert 0.1 < len(sent) / len(plain) - 1 < 0.3


def test_memory_does_not_grow_with_the_days() -> None:
    """Six times the days, about the same memory."""
    peaks = []
    for days in (30, 180):
        tracemalloc.start()
        for _ in events(SEED, 60, days):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


def test_every_archetype_lives_in_every_run_of_some_size() -> None:
    """Shares are quotas, not luck."""
    assert sum(archetype.share for archetype in ARCHETYPES) == pytest.approx(1.0)
    found = Counter(one.archetype for one in truth(SEED, 1000, DAYS))
    for archetype in ARCHETYPES:
        assert found[archetype.name] == pytest.approx(1000 * archetype.share, abs=1)


def test_redemption_lags_have_the_published_quantiles() -> None:
    """4, 16 and 41 days at p10, p50 and p90 (Complete Journey)."""
    lags = redemption_lag_ms(np.random.default_rng(1), 100_000) / DAY_MS
    assert np.quantile(lags, [0.1, 0.5, 0.9]) == pytest.approx([4, 16, 41], rel=0.05)


def test_response_rises_with_spend_and_falls_with_recency() -> None:
    """The published gradients."""
    spend = np.array([0, 1_000, 10_000, 100_000, 1_000_000])
    recency = np.array([0.0, 10.0, 60.0, 200.0])
    assert np.all(np.diff(response(spend, np.full(5, 30.0))) > 0)
    assert np.all(np.diff(response(np.full(4, 10_000), recency)) < 0)


def test_readers_of_mail_read_more_than_browsers(run: list[SimulatedEvent]) -> None:
    """The archetypes differ in what they are named for."""
    kind = {one.customer_id: one.archetype for one in truth(SEED, CUSTOMERS, DAYS)}
    opened: dict[str, Counter[str]] = defaultdict(Counter)
    for event in run:
        if event.topic == "emails" and not event.payload.get("machine_open"):
            opened[kind[event.payload["customer_id"]]][event.payload["action"]] += 1
    rate = {name: counts["open"] / counts["sent"] for name, counts in opened.items()}
    assert rate["mail_bargain_reader"] > 2 * rate["browser_only"]


@pytest.mark.parametrize(("customers", "days"), [(0, 1), (1, 0)])
def test_an_empty_run_is_refused(customers: int, days: int) -> None:
    """Nobody and never are mistakes, not runs."""
    with pytest.raises(ValueError, match="at least one"):
        list(events(1, customers, days))
