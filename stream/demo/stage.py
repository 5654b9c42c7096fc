"""Everything the demo starts, and its end: whatever happens, nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.definitions.document import CLUSTER
from stream.codec.definitions import load
from stream.demo.process import WorkerProcess
from stream.demo.report import Result, result_of, summary
from stream.demo.run import Session, Standing, settings_of
from stream.demo.screen import PlainScreen, Screen
from stream.kafka.broker import DevBroker, free_port
from stream.kafka.jars import KAFKA_VERSION
from stream.kafka.topic_admin import create
from stream.settings import is_dumb
from stream.subscriber import Subscriber

if TYPE_CHECKING:
    from models.definitions.document import Definitions
    from stream.kafka.jars import Progress
    from stream.settings import Settings

WATCH_SECONDS = 1.0  # between two looks at a worker that is kept
EXIT_FINDINGS = 1

Bar = Callable[[str], AbstractContextManager["Progress | None"]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for. `command` is how segstream was called, for what is printed."""

    seconds: float
    keep: bool
    as_json: bool
    command: str


def run(wish: Wish, base: Settings, bar: Bar) -> int:
    """Run the demo and return the exit code.

    Parameters
    ----------
    base : the settings of this process; the demo puts its own Kafka in.
    bar : shows the download of Kafka.

    Raises
    ------
    SegstreamError : something did not start, or ended by itself.
    KeyboardInterrupt : Ctrl-C or SIGTERM before the end, after everything has been ended.
    """
    with _signals(), ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="segstream-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        _say(f"starting Apache Kafka {KAFKA_VERSION} on this machine")
        settings = settings_of(base, _broker(stack, base, bar).address, free_port())
        asyncio.run(create(settings))
        _say("starting a worker")
        worker = stack.enter_context(WorkerProcess(settings, folder))
        definitions, _ = load("")
        screen = screen_of(definitions)
        stack.callback(_ignore_signals)  # unwinding begins with the last: from here on nobody interrupts it
        stack.callback(screen.close)
        code = asyncio.run(_play(wish, settings, worker, screen, definitions))
        if wish.keep:
            _say(how_to_go_on(wish.command, settings, worker))
            with suppress(KeyboardInterrupt):  # the way to end it
                asyncio.run(_stay(worker))
        return code


def _broker(stack: ExitStack, base: Settings, bar: Bar) -> DevBroker:
    with bar(f"Apache Kafka {KAFKA_VERSION}") as progress:
        broker = DevBroker(base.cache_folder(), progress=progress)
        stack.callback(broker.close)
        broker.start()
    return broker


async def _play(wish: Wish, settings: Settings, worker: WorkerProcess, screen: Screen, definitions: Definitions) -> int:
    names = [dimension.name for dimension in definitions.dimensions]
    standing = await Session(settings, worker, screen).play(settings.seed, wish.seconds, names, keep=wish.keep)
    kept = None if wish.keep else await memberships(settings, names)
    screen.close()
    result = result_of(standing, kept, [one.name for one in definitions.dimensions if one.kind == CLUSTER])
    _tell(wish, result, standing)
    return EXIT_FINDINGS if result.findings() else 0


def _tell(wish: Wish, result: Result, standing: Standing) -> None:
    text = summary(result, standing)
    if wish.as_json:
        _say(text)
        text = json.dumps(result.document())
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def memberships(settings: Settings, dimensions: list[str]) -> dict[str, dict[str, int]]:
    """Sizes of segments as a subscriber finds them that starts now: the memberships, and changes after them."""
    sizes = {dimension: Counter[str]() for dimension in dimensions}
    async with Subscriber(settings) as subscriber:
        await subscriber.catch_up()
        for customer_id in subscriber.view.customers():
            for dimension, segment in subscriber.view.segments(customer_id).items():
                sizes.setdefault(dimension, Counter())[segment] += 1
    return {dimension: dict(found) for dimension, found in sizes.items()}


async def _stay(worker: WorkerProcess) -> None:
    while True:
        worker.verify()
        await asyncio.sleep(WATCH_SECONDS)


def how_to_go_on(command: str, settings: Settings, worker: WorkerProcess) -> str:
    """What a person can do while everything stays up."""
    brokers = f"--brokers {settings.brokers}"
    order = json.dumps(
        {
            "topic": "purchases", "event_id": "again-1", "customer_id": "ada", "ts": "2011-12-10T12:00:00Z",
            "order_id": "again-1", "amount": 49.9, "currency": "GBP",
        }
    )  # fmt: skip
    return f"""
Kafka ({settings.brokers}) and the worker stay up; Ctrl-C ends both. In another terminal:

  follow all changes     {command} watch {brokers}
  Ada's whole story      {command} watch {brokers} --customer ada --from-beginning
  bring her back         echo '{order}' > order.jsonl
                         {command} produce order.jsonl {brokers}
  check the topics       {command} topics check {brokers}
  metrics, health        curl http://{worker.address}/metrics    (also /readyz, /healthz)
  the worker's log       {worker.log_path}

Time here is the events' own: it stands at the newest one sent, late in 2011."""


def screen_of(definitions: Definitions) -> Screen:
    """A live view on a terminal that can draw, else lines."""
    if not sys.stderr.isatty() or is_dumb():
        return PlainScreen()
    from stream.demo.live import LiveScreen  # noqa: PLC0415 - rich takes a tenth of a second, for those who see it

    return LiveScreen({one.name: [segment.name for segment in one.segments] for one in definitions.dimensions})


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does; afterwards both are as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """The rest takes a second and must not be cut short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
