"""The cache of jars: whole files are used as they are, others are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import SegstreamError
from stream.kafka import jars


def fill(cache: Path) -> Path:
    """Put a file of the right size in the place of every pinned jar; return the repository folder."""
    repository = cache / "kafka" / "m2"
    for pin in jars.pins():
        path = repository / pin.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(pin.size_bytes)  # sparse: the size without the bytes
    return repository


def test_the_pins_are_the_kafka_we_name() -> None:
    """The server, the tools and a logger are pinned, each jar once, with a SHA-256."""
    pins = jars.pins()
    paths = {pin.path.rpartition("/")[2] for pin in pins}
    assert {f"kafka_2.13-{jars.KAFKA_VERSION}.jar", f"slf4j-simple-{jars.SLF4J_VERSION}.jar"} <= paths
    assert len({pin.path for pin in pins}) == len(pins)
    assert all(len(pin.digest) == 64 and pin.size_bytes > 0 for pin in pins)


def test_a_full_cache_needs_nothing(tmp_path: Path) -> None:
    """No lock, no resolver, no network: the class path in the order of the pins."""
    repository = fill(tmp_path)
    assert jars.fetch(tmp_path) == tuple(repository / pin.path for pin in jars.pins())
    assert not (tmp_path / "kafka" / "lock").exists()


def test_a_half_written_jar_counts_as_missing(tmp_path: Path) -> None:
    """A download that was killed must not pass for a jar."""
    repository = fill(tmp_path)
    victim = jars.pins()[7]
    (repository / victim.path).write_bytes(b"PK")
    assert jars.missing(repository, jars.pins()) == (victim,)


def test_a_wrong_jar_is_refused_and_removed(tmp_path: Path) -> None:
    """What is not the pinned file never reaches the class path."""
    repository = fill(tmp_path)
    victim = jars.pins()[0]
    with pytest.raises(SegstreamError, match="not the file that was pinned"):
        jars._verify(repository, (victim,))
    assert not (repository / victim.path).exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The advice names the setting that moves the cache."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SegstreamError, match="SEGSTREAM_CACHE"):
        jars.fetch(blocked)


def test_progress_counts_jars_against_what_is_lacking() -> None:
    """The total is known before the first byte, and small files beside the jars do not disturb it."""
    seen: list[tuple[int, int]] = []
    lacking = jars.pins()[:2]
    begin = jars._counting(lacking, lambda done, total: seen.append((done, total)))
    with begin("a.pom", 10) as advance:
        advance(10)
    with begin("a.jar", 30) as advance:
        advance(20)
        advance(10)
    total = sum(pin.size_bytes for pin in lacking)
    assert seen == [(20, total), (30, total)]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in chain", "REQUESTS_CA_BUNDLE"),
        ("Name or service not known", "SEGSTREAM_CACHE"),
    ],
)
def test_a_failed_download_is_told_with_its_own_remedy(text: str, remedy: str, tmp_path: Path) -> None:
    """Behind a proxy that signs for itself, "connect to the internet" would be no help."""
    assert remedy in jars._not_fetched(OSError(text), tmp_path).advice
