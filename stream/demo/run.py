"""The demo from the first process to the last: start everything, play, watch, wait until all is told, judge."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stream.clock import monotonic_s
from stream.demo.player import SLICE_MS, Player
from stream.demo.tally import Tally
from stream.errors import SegstreamError
from stream.metrics.scrape import Figures, figures
from stream.settings import on_plain_listener
from stream.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from stream.demo.process import WorkerProcess
    from stream.demo.screen import Screen
    from stream.settings import Settings

DAY_MS = 86_400_000
SCRAPE_SECONDS = 0.25  # between two looks at the worker's metrics: each costs it some ms, and the player waits for them
LOOKS_KEPT = 9  # two seconds: what rates and recent latency are taken over
SILENT_SECONDS = 1.0  # metrics that do not answer: from then on the process is either gone or hangs
DRAW_SECONDS = 0.25  # fast enough to look alive
PICK_SECONDS = 0.75  # a person reads one line in that time
CHANGES_POLL_MS = 200  # how long one look for changes waits
SETTLE_SECONDS = 60.0  # from the last event sent to the last change received: some seconds, unless something is lost
STILL_LOOKS = 2  # looks in a row at which nothing moves any more: then it is over


@dataclass(slots=True)
class Standing:
    """Everything a screen shows."""

    player: Player
    tally: Tally
    looks: deque[tuple[float, Figures]]  # (when, what the worker's metrics said), the newest last
    accounted_s: float | None = None  # when every record sent was applied or refused
    told_count: int = 0  # changes received when the metrics were read last
    exit_code: int | None = None  # of a worker that was stopped

    @property
    def figures(self) -> Figures:
        """What the worker's metrics say."""
        return self.looks[-1][1]

    @property
    def before(self) -> Figures:
        """What they said two seconds ago: recent latency is the difference."""
        return self.looks[0][1]

    @property
    def applied(self) -> int:
        """Events the worker has applied."""
        return int(self.figures.total("segstream_events_applied_total"))

    @property
    def refused(self) -> int:
        """Records that became dead letters."""
        return int(self.figures.total("segstream_dead_letters_total"))

    @property
    def lag(self) -> int:
        """Records sent to Kafka that the worker has not applied or refused, as it says itself."""
        return int(self.figures.total("segstream_lag_records"))

    def is_accounted(self) -> bool:
        """Whether every record sent was applied or refused."""
        return self.applied + self.refused >= self.player.sent.total()

    def rate(self, name: str) -> float:
        """What a counter grew by in a second, lately."""
        spent_s = self.looks[-1][0] - self.looks[0][0]
        return (self.figures.total(name) - self.before.total(name)) / spent_s if spent_s > 0 else 0.0


class Session:
    """One run of the demo, once Kafka and the worker process exist."""

    def __init__(self, settings: Settings, worker: WorkerProcess, screen: Screen) -> None:
        self._settings, self._worker, self._screen = settings, worker, screen

    async def play(self, seed: int, seconds: float, dimensions: list[str], *, keep: bool) -> Standing:
        """Play the year and return how things stand when the last change has been told; the worker has ended then,
        unless it is to be kept.

        Raises
        ------
        SegstreamError : the worker ended, or Kafka does not answer.
        HoleError : a change is missing.
        """
        from stream.simulate.ada import ADA  # noqa: PLC0415 - numpy and pyarrow, while the worker starts anyway
        from stream.simulate.retail import retail_year  # noqa: PLC0415 - the same

        making = asyncio.ensure_future(asyncio.to_thread(retail_year, seed))
        await self._worker.wait_until_ready(self._screen.stage)
        self._screen.stage("reading the year")
        year = await making
        gc.collect()
        gc.freeze()  # half a million records that stay: no collection needs to look at them again
        looks = deque([(monotonic_s(), await self._look())], LOOKS_KEPT)
        standing = Standing(Player(self._settings, year, seconds), Tally(dimensions, ADA), looks)
        async with Subscriber(self._settings) as subscriber:
            background = (self._follow(subscriber, standing), self._scrape(standing), self._draw(standing))
            await together(self._until_settled(standing), *background)
            standing.told_count = standing.tally.count
            if not keep:
                await self._stop(subscriber, standing)
        return standing

    async def _stop(self, subscriber: Subscriber, standing: Standing) -> None:
        """End the worker and take what it still said: a model may come after the last event."""
        self._screen.stage("stopping the worker, reading what it left in the memberships topic")
        standing.exit_code = await self._worker.stop()
        for change in await subscriber.catch_up():
            standing.tally.take(change)

    async def _look(self) -> Figures:
        self._worker.verify()
        try:
            return await asyncio.to_thread(figures, self._worker.address)
        except OSError as error:
            await asyncio.sleep(SILENT_SECONDS)
            self._worker.verify()
            raise SegstreamError(
                f"the worker's metrics at {self._worker.address} do not answer: {error}",
                "this is a fault of segstream or a very busy machine: run the demo again",
            ) from error

    async def _until_settled(self, standing: Standing) -> None:
        """Play, then wait until every record is accounted for and every change received, or nothing moves."""
        await standing.player.run()
        deadline_s = monotonic_s() + SETTLE_SECONDS
        still, known = 0, (-1, -1, -1)
        while still < STILL_LOOKS and monotonic_s() < deadline_s:
            await asyncio.sleep(2 * SCRAPE_SECONDS)
            now = (standing.applied, standing.refused, standing.tally.count)
            still = still + 1 if now == known and self._is_told(standing) else 0
            known = now

    def _is_told(self, standing: Standing) -> bool:
        found = standing.figures
        return (
            standing.is_accounted()
            and standing.tally.count >= int(found.total("segstream_changes_total"))
            and not found.total("segstream_adoption_pending_rows")
            and not found.total("segstream_due_customers")
            and not found.total("segstream_trainer_lag_records")
        )

    async def _follow(self, subscriber: Subscriber, standing: Standing) -> None:
        while True:
            for change in await subscriber.poll(CHANGES_POLL_MS):
                standing.tally.take(change)
            await asyncio.sleep(0)

    async def _scrape(self, standing: Standing) -> None:
        while True:
            await asyncio.sleep(SCRAPE_SECONDS)
            found = await self._look()
            now_s = monotonic_s()
            standing.looks.append((now_s, found))
            standing.player.accounted = standing.applied + standing.refused
            if standing.player.ended_s and standing.accounted_s is None and standing.is_accounted():
                standing.accounted_s = now_s

    async def _draw(self, standing: Standing) -> None:
        picked_s = 0.0
        while True:
            now_s = monotonic_s()
            if now_s - picked_s >= PICK_SECONDS:
                standing.tally.pick()
                picked_s = now_s
            self._screen.draw(standing)
            await asyncio.sleep(DRAW_SECONDS)


async def together(work: Awaitable[None], *background: Awaitable[None]) -> None:
    """Run `work` to its end beside endless background work; whatever fails first ends all of it."""
    tasks = [asyncio.ensure_future(one) for one in (work, *background)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


def settings_of(base: Settings, brokers: str, metrics_port: int) -> Settings:
    """The demo's own settings: what the environment says about models and logs stays, its Kafka is not used."""
    return replace(
        base,
        brokers=brokers,
        **on_plain_listener(),
        prefix="",
        group="segstream-demo",
        partitions=4,
        replication=1,
        definitions="",
        clock="events",
        lateness_ms=SLICE_MS * 3 // 2,  # the topics of a slice may arrive one after the other
        checkpoint_seconds=5.0,  # so that there are some in a minute
        metrics_host="127.0.0.1",
        metrics_port=metrics_port,
        metrics_token="",
        sample_rotation=14,  # a year in a minute: half as many samples, or the trainer takes a core
        trainer_core_share=1.0,  # and all that nobody else wants: it has the lowest priority
        snapshot_interval_ms=40 * DAY_MS,  # nine or so in the year
        datadir="",
    )
