"""Play seeds: each picks its scenario in turn; brokers that are not hurt are shared."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from stream.clock import monotonic_s
from stream.codec.definitions import load
from stream.kafka import client
from stream.kafka.topics import TABLE
from stream.worker.warm import warm
from tests.faults.brokers import HarnessBroker, SmallDisk
from tests.faults.figures import Figures
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stage import Stage

TRACE_LINES = 6  # of a failure: which of the checks it was
SEEDS_SHARED = 12  # that one broker serves: what is deleted of its topics still takes room for a minute


def scenario_of(seed: int, scenarios: Sequence[Scenario] = SCENARIOS) -> Scenario:
    """In turn, so that so many seeds try every one."""
    return scenarios[seed % len(scenarios)]


class Brokers:
    """The shared broker, renewed now and then, and brokers for one seed alone. Close it."""

    def __init__(self) -> None:
        warm(load("")[0])  # compiles for all workers to come: none is waited for so long
        self._shared = ExitStack()
        self._broker: HarnessBroker | None = None
        self._served = 0

    @contextmanager
    def broker(self, scenario: Scenario) -> Iterator[HarnessBroker]:
        """A running broker for one run."""
        if scenario.broker == "shared":
            yield self._shared_one()
            return
        with ExitStack() as alone:
            folder = None
            if scenario.broker == "small disk":
                folder = Path(alone.enter_context(tempfile.TemporaryDirectory())) / "disk"
                alone.enter_context(SmallDisk(folder))
            broker = HarnessBroker(folder=folder)
            alone.callback(broker.kill)  # a frozen or full one would not stop in order
            alone.enter_context(broker)
            yield broker

    def _shared_one(self) -> HarnessBroker:
        if self._served >= SEEDS_SHARED:
            self.close()
        if self._broker is None:
            self._broker = self._shared.enter_context(HarnessBroker())
        self._served += 1
        return self._broker

    def close(self) -> None:
        """End the shared broker; the next run starts another."""
        self._shared.close()
        self._broker, self._served = None, 0


def play(scenario: Scenario, seed: int, brokers: Brokers) -> Figures:
    """Play one seed; what fails is told in the figures, and the workers' logs are kept."""
    folder = Path(tempfile.mkdtemp(prefix="segstream-faults-"))
    started_s = monotonic_s()
    figures = Figures(scenario.name, seed)
    try:
        with brokers.broker(scenario) as broker:
            stage = Stage(scenario.name, seed, broker, folder, **scenario.settings)
            figures = stage.figures
            asyncio.run(_play(scenario, stage))
    except Exception as error:  # noqa: BLE001 - every failure is a finding
        where = "".join(traceback.format_exception(error)[-TRACE_LINES:])
        figures.failure = f"{type(error).__name__}: {error}\n{where}workers' logs: {folder}"
    else:
        shutil.rmtree(folder)
    figures.seconds = monotonic_s() - started_s
    return figures


async def _play(scenario: Scenario, stage: Stage) -> None:
    async with stage:
        await scenario.drive(stage)
        await stage.finish()
    if scenario.broker == "shared":
        await _delete_topics(stage)


async def _delete_topics(stage: Stage) -> None:
    admin = client.admin(stage.settings)
    await admin.start()
    try:
        await admin.delete_topics([stage.settings.prefix + topic.name for topic in TABLE])
    finally:
        await admin.close()


def among(only: str) -> list[Scenario]:
    """The scenarios with this in their name."""
    return [one for one in SCENARIOS if only in one.name]


def play_all(only: str, seeds: range) -> list[Figures]:
    """The seeds one after the other; each is told when it is through."""
    for chatty in ("asyncio", "numba"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it complains of what is done on purpose
    found = []
    with closing(Brokers()) as brokers:
        for seed in seeds:
            figures = play(scenario_of(seed, among(only)), seed, brokers)
            found.append(figures)
            print(figures.line(), file=sys.stderr, flush=True)  # noqa: T201 - progress; the result goes to stdout
            if figures.failure:
                print(figures.failure, file=sys.stderr, flush=True)  # noqa: T201 - as above
    return found
