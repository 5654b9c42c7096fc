"""The Kafka Streams job made ready: its jars fetched and compared with their digests, its source compiled."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext, PythonResolver

from stream.errors import SegstreamError
from stream.kafka import jars

HERE = Path(__file__).parent
ENDPOINT = f"org.apache.kafka:kafka-streams:{jars.KAFKA_VERSION}@StreamsJob"
JAVA_MIN = "11"  # what Kafka Streams 4 runs on


def has_jdk() -> bool:
    """Whether there is a Java compiler, and beside it what runs its output."""
    return shutil.which("javac") is not None and shutil.which("java") is not None


def program(cache: Path, folder: Path) -> list[str]:
    """Compile into `folder`; returns the command to which the name of the class is added."""
    repository = cache / "kafka" / "m2"
    path = os.pathsep.join(map(str, [folder, *jars.fetch(cache), *_more(repository)]))
    command = ["javac", "--release", JAVA_MIN, "-d", str(folder), "-cp", path, str(HERE / "StreamsJob.java")]
    subprocess.run(command, check=True)
    # the API of the broker's log; the job itself prints nothing but its count
    return ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path]


def _more(repository: Path) -> list[Path]:
    pins = jars.parse_pins((HERE / "jars.lock").read_text("utf-8"))
    if jars.missing(repository, pins):
        context = MavenContext(repo_cache=repository, resolver=PythonResolver())
        with tempfile.TemporaryDirectory(dir=repository.parent) as scratch:
            EnvironmentBuilder(context=context, cache_dir=Path(scratch)).from_endpoint(ENDPOINT)
    for pin in pins:
        if hashlib.sha256((repository / pin.path).read_bytes()).hexdigest() != pin.digest:
            raise SegstreamError(f"{pin.path} is not the file that was pinned", f"remove it below {repository}")
    return [repository / pin.path for pin in pins]
