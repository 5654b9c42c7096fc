"""The programs segstream is measured beside do the same job, with versions that are pinned."""

from __future__ import annotations

import re

import pytest

from stream.bench import plain_faust
from stream.kafka.jars import KAFKA_VERSION, parse_pins
from tests.house.tree import REPO

PEERS = REPO / "benchmarks" / "peers"
JAVA, QUIX = ((PEERS / name).read_text("utf-8") for name in ("StreamsJob.java", "quix_job.py"))


@pytest.mark.parametrize("text", [JAVA, QUIX], ids=["StreamsJob.java", "quix_job.py"])
def test_the_job_has_the_same_borders_everywhere(text: str) -> None:
    """Another threshold would be another number of changes, and so another amount of work."""
    assert int(re.findall(r"DAY_MS = ([\d_]+)", text)[0]) == plain_faust.DAY_MS
    for name in ("CLICK_BORDERS", "SPEND_BORDERS"):
        listed = re.search(name + r" = [({](.*?)[)}]", text)
        assert listed is not None
        assert tuple(map(float, listed[1].split(","))) == getattr(plain_faust, name)


def test_versions_are_pinned_and_of_one_kafka() -> None:
    """Figures without versions cannot be measured again; clients and broker are of one release."""
    assert re.fullmatch(r"quixstreams==\d+(\.\d+)+\n", (PEERS / "requirements.txt").read_text("utf-8"))
    streams, rocksdb = parse_pins((PEERS / "jars.lock").read_text("utf-8"))
    assert streams.path.endswith(f"kafka-streams-{KAFKA_VERSION}.jar")
    assert "rocksdbjni" in rocksdb.path
