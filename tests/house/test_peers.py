"""The programs segstream is measured beside do the same job, with versions that are pinned."""

from __future__ import annotations

import itertools
import re

import pytest

from stream.bench import plain_faust
from stream.kafka.jars import KAFKA_VERSION, parse_pins
from tests.house.tree import REPO

PEERS = REPO / "benchmarks" / "peers"
JAVA, QUIX = ((PEERS / name).read_text("utf-8") for name in ("StreamsJob.java", "quix_job.py"))
SEGMENTS = {
    plain_faust.segment_of({"amount": amount, "clicks": clicks})
    for amount, clicks in itertools.product((0.0, 1.0, plain_faust.BIG_SPEND), (0.0, 4.0, plain_faust.HOT_CLICKS))
}


@pytest.mark.parametrize("text", [JAVA, QUIX], ids=["StreamsJob.java", "quix_job.py"])
def test_the_job_has_the_same_borders_everywhere(text: str) -> None:
    """Another threshold would be another number of changes, and so another amount of work."""
    day_ms = int(re.findall(r"DAY_MS = ([\d_]+)", text)[0])
    line = next(line for line in text.splitlines() if "HOT_CLICKS" in line and "=" in line)
    borders = [float(number) for number in re.findall(r"\d+\.\d+", line)]
    assert day_ms == plain_faust.DAY_MS
    assert borders == [plain_faust.HOT_CLICKS, plain_faust.WARM_CLICKS, plain_faust.BIG_SPEND]


def test_the_job_has_the_same_segments_everywhere() -> None:
    """Nine names, in Java as in Python."""
    listed = re.search(r"SEGMENTS = \{(.*?)\}", JAVA, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r'"([^"]+)"', listed[1])) == SEGMENTS
    assert {word for name in SEGMENTS for word in name.split()} <= set(re.findall(r'"(\w+)"', QUIX))


def test_versions_are_pinned_and_of_one_kafka() -> None:
    """Figures without versions cannot be measured again; clients and broker are of one release."""
    assert re.fullmatch(r"quixstreams==\d+(\.\d+)+\n", (PEERS / "requirements.txt").read_text("utf-8"))
    streams, rocksdb = parse_pins((PEERS / "jars.lock").read_text("utf-8"))
    assert streams.path.endswith(f"kafka-streams-{KAFKA_VERSION}.jar")
    assert "rocksdbjni" in rocksdb.path
