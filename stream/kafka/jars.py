"""Fetch Apache Kafka's jars once, from Maven Central, and compare them with the digests of `jars.lock`.

With a full cache nothing is imported, resolved or downloaded: the pinned files are simply there.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from stream.errors import SegstreamError

KAFKA_VERSION = "4.1.0"  # the version docker-compose.yml runs too
SLF4J_VERSION = "1.7.36"  # the API version Kafka brings; slf4j-simple prints its log to standard error
ENDPOINT = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
    f"+org.apache.kafka:kafka-tools:{KAFKA_VERSION}"
    f"+org.slf4j:slf4j-simple:{SLF4J_VERSION}@kafka.Kafka"
)
PINS_FILE = "jars.lock"

Progress = Callable[[int, int], None]  # bytes fetched so far, bytes in all
Counting = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]  # jgo's: name, bytes


@dataclass(frozen=True, slots=True)
class Pin:
    """One jar that must be there: path below the repository folder, size and SHA-256 of its content."""

    path: str
    size_bytes: int
    digest: str


def pins() -> tuple[Pin, ...]:
    """Return the pinned jars of this version, in the order of the class path."""
    return parse_pins(files("stream.kafka").joinpath(PINS_FILE).read_text("utf-8"))


def parse_pins(text: str) -> tuple[Pin, ...]:
    """Return the pins of a lock file: `digest size path` on every line that is not a comment."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(Pin(path, int(size), digest) for digest, size, path in rows)


def fetch(cache: Path, progress: Progress | None = None) -> tuple[Path, ...]:
    """Return the paths of all jars, fetching what is missing below `cache`/kafka.

    Two processes never fetch at once: the second waits and then finds everything there.

    Parameters
    ----------
    progress : called with bytes fetched and bytes in all while something is fetched.

    Raises
    ------
    SegstreamError : no network, or a file that is not what was pinned.
    """
    wanted = pins()
    repository = cache / "kafka" / "m2"
    if not missing(repository, wanted):
        return _paths(repository, wanted)
    with _lock(cache / "kafka"):
        lacking = missing(repository, wanted)
        if lacking:
            _discard(repository, lacking)  # a half-written file would pass for a whole one
            _resolve(cache / "kafka", _counting(lacking, progress))
            _verify(repository, lacking)
    return _paths(repository, wanted)


def missing(repository: Path, wanted: tuple[Pin, ...]) -> tuple[Pin, ...]:
    """Return the pins whose file is not there in its full size."""
    return tuple(pin for pin in wanted if not _has_size(repository / pin.path, pin.size_bytes))


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _paths(repository: Path, wanted: tuple[Pin, ...]) -> tuple[Path, ...]:
    return tuple(repository / pin.path for pin in wanted)


def _discard(repository: Path, lacking: tuple[Pin, ...]) -> None:
    for pin in lacking:
        (repository / pin.path).unlink(missing_ok=True)


def _verify(repository: Path, lacking: tuple[Pin, ...]) -> None:
    for pin in lacking:
        path = repository / pin.path
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if found != pin.digest:
            path.unlink(missing_ok=True)
            raise SegstreamError(
                f"{pin.path} is not the file that was pinned (found {found[:12]}, wanted {pin.digest[:12]})",
                "run the command again; if it stays so, something on the way changes downloads",
            )


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel releases it if this process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise SegstreamError(
            f"cannot write to {folder}: {error.strerror}", "set SEGSTREAM_CACHE to a folder you can write to"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep a library's warnings off the terminal: what matters is verified afterwards."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _resolve(folder: Path, counting: Counting) -> None:
    """Download everything Kafka depends on into the Maven repository folder `m2`."""
    from jgo.env import EnvironmentBuilder  # noqa: PLC0415 - half a second of import, needed once per machine
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - as above

    context = MavenContext(repo_cache=folder / "m2", resolver=PythonResolver(progress_callback=counting))
    try:
        # jgo also lays out an environment of links; we run from the repository, so it may go
        with _quiet("jgo"), tempfile.TemporaryDirectory(dir=folder) as scratch:
            EnvironmentBuilder(context=context, cache_dir=Path(scratch)).from_endpoint(ENDPOINT)
    except Exception as error:
        # jgo lets every error of its HTTP and XML libraries through: to a person they are two
        raise _not_fetched(error, folder) from error


def _not_fetched(error: Exception, folder: Path) -> SegstreamError:
    """Return what to tell: a certificate that is not trusted has another remedy than a missing network."""
    advice = (
        "something on the way, usually a company's proxy, signs with its own certificate: "
        "set REQUESTS_CA_BUNDLE to the file of certificates you trust"
        if "CERTIFICATE_VERIFY_FAILED" in str(error)
        else f"connect to the internet once (about 60 MB), or copy {folder} from a machine that has it "
        "(SEGSTREAM_CACHE names another place)"
    )
    return SegstreamError(f"Apache Kafka {KAFKA_VERSION} could not be fetched: {type(error).__name__}: {error}", advice)


def _counting(lacking: tuple[Pin, ...], progress: Progress | None) -> Counting:
    """Return jgo's progress callback: it counts jars only, whose sizes are known beforehand."""
    total_bytes = sum(pin.size_bytes for pin in lacking)
    done_bytes = 0

    @contextmanager
    def begin(name: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        def advance(count_bytes: int) -> None:
            nonlocal done_bytes
            if name.endswith(".jar"):
                done_bytes += count_bytes
                if progress is not None:
                    progress(done_bytes, total_bytes)

        yield advance

    return begin
