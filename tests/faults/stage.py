"""What a scenario plays on: topics of its own, workers under supervision, events, and the check at the end."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stream.clock import monotonic_s
from stream.kafka import topic_admin
from stream.settings import Settings
from stream.subscriber import CHECKPOINT_KEY
from tests.faults.figures import Figures
from tests.faults.proxy import HeldWrites
from tests.faults.supervisor import Supervised
from tests.kafka.agreement import everything_agrees
from tests.kafka.worker import Journal, Sent, feed, final_times, is_settled, read_all, story, told, until

if TYPE_CHECKING:
    from tests.faults.brokers import HarnessBroker

logger = logging.getLogger(__name__)

PARTITIONS = 2  # enough for two owners; each costs a recovery, a checkpoint and a verification
CUSTOMERS, DAYS = 50, 150  # some 9,000 events
RATE = 1_500  # events a second: slow enough to be hit in the middle
PATIENCE_SECONDS = 240.0  # a busy machine, several restarts and session timeouts one after the other
FEED_ACK_SECONDS = 240.0  # a producer that waits for its broker, as those of a shop do
STOPS_MAX = 4  # attempts to end with everything checkpointed


class Stage:
    """One seed of one scenario. `chance` makes every choice; `figures` hold what is told."""

    def __init__(self, name: str, seed: int, broker: HarnessBroker, folder: Path, **changed: Any) -> None:
        self.chance = random.Random(f"{name} {seed}")
        self.seed = seed
        self.broker, self.folder = broker, folder
        unique = f"{name.replace(' ', '-').replace(',', '')}-{seed}"
        settings = Settings(brokers=broker.address, prefix=f"{unique}.", group=unique, partitions=PARTITIONS)
        self.settings = told(settings, **changed)
        self.figures = Figures(name, seed)
        self.log: Journal
        self.workers: list[Supervised] = []
        self.sent: list[Sent] = []  # everything that must be applied, in the order of sending
        self.letters: dict[str, int] = defaultdict(int)  # reason -> records that must be refused
        self._started_s = monotonic_s()
        self._hit_s, self._hit_records = 0.0, 0
        self._feeding: asyncio.Task[None] | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await topic_admin.create(self.settings)
        self.log = Journal(self.settings)
        await self.log.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
        for worker in self.workers:
            worker.abandon()
        await self._open.aclose()
        await self.log.stop()

    # -- workers -----------------------------------------------------------------------------------------------------

    def start(self, *altered: str, **changed: Any) -> Supervised:
        """Start one more worker, perhaps an altered one or with other settings, and wait for nothing."""
        settings = dataclasses.replace(self.settings, **changed)
        worker = Supervised(settings, self.folder, f"worker-{len(self.workers)}", altered)
        self.workers.append(worker)
        return worker

    async def are_live(self) -> bool:
        """Whether every partition is live in some worker that answers."""
        return sum([await worker.owned() for worker in self.workers]) == self.settings.partitions

    async def live(self) -> None:
        """Wait until every partition is."""
        await self.until(self.are_live, "live partitions")

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for a condition; fails when a worker says what it never may, or when it takes too long."""

        async def holds() -> bool:
            for worker in self.workers:
                worker.check()
            if self._feeding is not None and self._feeding.done():
                self._feeding.result()
            return await condition()

        started_s = monotonic_s()
        await until(holds, what, *(one.worker for one in self.workers), seconds=PATIENCE_SECONDS)
        logger.debug("%.1f s for %s", monotonic_s() - started_s, what)

    async def proxy(self, hold: Callable[[bytes], Awaitable[object]]) -> HeldWrites:
        """Open the way to the broker by `broker.proxied`, to the end; writes wait as `hold` says."""
        proxy = HeldWrites(self.broker.proxy_port, self.broker.behind_port, hold)
        return await self._open.enter_async_context(proxy)

    # -- what is done to them ----------------------------------------------------------------------------------------

    def hit(self) -> None:
        """Something was done on purpose just now."""
        self.figures.hits += 1
        self._hit_s, self._hit_records = monotonic_s(), self.log.records

    def back(self) -> None:
        """What was taken away is back: recovery counts from here."""
        self._hit_s = monotonic_s()

    async def recovered(self) -> None:
        """Wait until all is live after the last hit and something more was applied."""
        await self.until(self._goes_on, "recovery")
        self.figures.recovery_s = max(self.figures.recovery_s, monotonic_s() - self._hit_s)

    async def _goes_on(self) -> bool:
        if not await self.are_live():
            return False
        await self.log.read()
        return self.log.records > self._hit_records or self.log.records >= self._wanted

    # -- events ------------------------------------------------------------------------------------------------------

    @property
    def _wanted(self) -> int:
        return len(self.sent) + sum(self.letters.values())

    def story(self, customers: int = CUSTOMERS, days: int = DAYS) -> list[Sent]:
        """Events, as the seed says."""
        return story(self.chance.randrange(2**31), customers, days)

    def feed(self, sent: Sequence[Sent], rate: float | None = RATE) -> asyncio.Task[None]:
        """Send events beside whatever goes on; the broker may come and go."""
        self.sent += sent
        patient = dataclasses.replace(self.settings, brokers=self.broker.address, ack_timeout_seconds=FEED_ACK_SECONDS)
        return self.beside(feed(patient, sent, rate=rate))

    def beside(self, sending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Send in some other way; what it sends is to be put into `sent` or `letters`."""
        self._feeding = asyncio.create_task(sending)
        return self._feeding

    async def progress(self, share: float) -> None:
        """Wait until this share of everything sent or to be sent is applied."""
        await self.until(lambda: self.log.has_applied(int(share * self._wanted)), "progress")

    # -- the end -----------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until all is applied, stream time has come to its end, and nobody is due or to be judged anew."""
        if self._feeding is not None:
            await self._feeding
        final_ms = final_times(self.settings, self.sent)

        async def settled() -> bool:
            seen = [await one.worker.metrics() for one in self.workers if one.answers]
            return bool(seen) and all(is_settled(seen, place, time_ms) for place, time_ms in final_ms.items())

        await self.until(lambda: self.log.has_applied(self._wanted), "end of the inputs")
        await self.until(settled, "end of stream time")

    async def finish(self) -> Figures:
        """Settle, stop, compare everything with everything, and return the figures."""
        for _ in range(STOPS_MAX):
            await self.settle()
            staying = [worker for worker in self.workers if not worker.gone]
            if not any(await asyncio.gather(*(worker.leave() for worker in staying))):
                break
            self.start()  # one ended without its last checkpoint: that is left to a successor
            await self.live()
        figures = self.figures
        figures.restarts = sum(worker.restarts for worker in self.workers)
        await self.log.read()
        figures.events, figures.refused = self._wanted, sum(self.letters.values())
        figures.lost = self._wanted - self.log.records
        stopped_s = monotonic_s()
        figures.changes, figures.copies = await everything_agrees(
            self.settings, self.sent, self.log, refused=figures.refused
        )
        await self._letters_agree()
        await self._memberships_rise()
        logger.debug("%.1f s for the comparison", monotonic_s() - stopped_s)
        figures.seconds = monotonic_s() - self._started_s
        return figures

    async def _letters_agree(self) -> None:
        """Each refused record has its dead letter with its reason; copies of one have the same bytes."""
        reasons: dict[tuple[str, int, int], str] = {}
        values: dict[tuple[str, int, int], bytes | None] = {}
        for record in await read_all(self.settings, "segment-dead-letters"):
            letter = json.loads(record.value or b"{}")
            place = letter["topic"], letter["partition"], letter["offset"]
            assert values.setdefault(place, record.value) == record.value, f"two letters of {place}"
            reasons[place] = letter["reason"]
        found: dict[str, int] = defaultdict(int)
        for reason in reasons.values():
            found[reason] += 1
        assert found == self.letters

    async def _memberships_rise(self) -> None:
        """A membership is never followed by an older one: a fenced worker's checkpoint is never seen."""
        newest: dict[tuple[int, str], int] = defaultdict(int)
        for record in await read_all(self.settings, "segment-memberships"):
            key, seq = (record.key or b"").decode(), json.loads(record.value or b"{}")["seq"]
            assert seq >= newest[record.partition, key], f"a stale membership of {key} at offset {record.offset}"
            newest[record.partition, key] = seq
        assert not newest or CHECKPOINT_KEY in {key for _, key in newest}
