"""Profiles: attributes of people, places, companies and devices used in definitions of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stream.settings import Settings
from tests.kafka.agreement import memberships_of_topic
from tests.kafka.worker import crew, feed, final_times, parsed, read_all, settle, story, told
from tests.oracle import judge

pytestmark = pytest.mark.kafka

DEFINITIONS = """
version: 1
name: attributes
attributes: {country: string, age: number, device: string, company_employees: number, loyalty_member: string}
cuts: {recency_days: [14, 33, 72, 180], orders: [1, 2, 3, 5], spend: [250, 500, 950, 2100], value: [670, 2050, 5800]}
dimensions:
  region:
    segments:
      - {name: home, when: profile.country == "United Kingdom"}
      - {name: abroad, when: profile.country present}
  generation:
    segments:
      - {name: older, when: profile.age >= 50}
      - {name: younger, when: profile.age < 50}
  mobile members:
    segments:
      - name: in
        when: {all: [profile.device == "mobile", profile.loyalty_member == "true"]}
  companies:
    segments:
      - {name: large, when: profile.company_employees >= 10}
      - {name: small, when: profile.company_employees present}
"""


def expected(attributes: dict[str, Any]) -> dict[str, str]:
    """The same rules in plain words."""
    segments = {
        "region": ("home" if attributes["country"] == "United Kingdom" else "abroad")
        if "country" in attributes
        else "",
        "generation": ("older" if attributes["age"] >= 50 else "younger") if "age" in attributes else "",
        "mobile members": "in" if attributes.get("device") == "mobile" and attributes.get("loyalty_member") else "",
        "companies": "",
    }
    if "company_employees" in attributes:
        segments["companies"] = "large" if attributes["company_employees"] >= 10 else "small"
    return {dimension: segment for dimension, segment in segments.items() if segment}


def test_attributes_drive_changes(settings: Settings, tmp_path: Path) -> None:
    """Each customer is where the attributes of the newest profile put them, also when a profile moves or is emptied."""
    path = tmp_path / "segments.yaml"
    path.write_text(DEFINITIONS, "utf-8")
    settings, sent = told(settings, definitions=str(path)), story(seed=15, customers=60, days=90)
    end_ms = max(int(payload["ts"]) for _, payload in sent)
    movers = sorted({payload["customer_id"] for _, payload in sent})[:8]
    for number, customer_id in enumerate(movers):
        attributes = {"country": "France", "age": 70 - number, "company_employees": 5 * number} if number % 4 else {}
        sent.append(("profiles", {"customer_id": customer_id, "ts": end_ms + number, "attributes": attributes}))

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (log, [worker]):
            await worker.start()
            await feed(settings, sent)
            await settle(log, final_times(settings, sent), worker)
            await worker.stop()
            wanted = {
                name: expected(one.attributes or {}) for name, one in judge(sent, end_ms, (1, 2, 3)).customers.items()
            }
            found = await memberships_of_topic(settings)
            assert {name: found.get(name, {}) for name in wanted} == wanted
            changes = parsed(await read_all(settings, "segment-changes"))
            moved = [one for one in changes if one["customer_id"] == movers[1] and one["dimension"] == "region"]
            assert moved[-1]["segment"] == "abroad"
            assert moved[-1]["trigger"]["topic"] == "profiles"
            assert moved[-1]["reasons"][0]["feature"] == "profile.country"

    asyncio.run(run())
