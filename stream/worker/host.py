"""Host: what one worker process owns. Partitions, the feed, documents, the trainer; told by Faust what is ours."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from models.definitions.analysis.remarks import ERROR, Remark, remarks_on
from models.events import TOPICS
from stream.codec import vectors
from stream.codec.definitions import load
from stream.codec.enactments import WORKER, Enactment, encode_enactment
from stream.errors import SegstreamError
from stream.kafka.feed import Feed
from stream.kafka.log import KafkaLog
from stream.kafka.partitioner import partition_of
from stream.worker.documents import DEFINITIONS_TOPIC, MODELS_TOPIC, Documents
from stream.worker.ending import EXIT_INFRASTRUCTURE, EXIT_UNFINISHED
from stream.worker.log import FencedError, LogUnavailableError
from stream.worker.observer import Observer
from stream.worker.partition import Partition
from stream.worker.replica import rule_of
from stream.worker.steady_clock import SteadyClock
from stream.worker.training import TOPIC as VECTORS_TOPIC
from stream.worker.training import TrainerService
from stream.worker.warm import compile_apart, warm
from stream.worker.watchdog import LOOP, Standing, Watchdog

if TYPE_CHECKING:
    from stream.metrics.registry import Metrics
    from stream.settings import Settings
    from stream.worker.replica import Outcome

logger = logging.getLogger(__name__)

POLL_MS = 100  # how long the feed waits for records
GATHER_SECONDS = 0.009  # between two light polls: docs/performance.md says what others give
LIGHT_RECORDS = 500  # a poll that brings more is followed by the next at once
DOCUMENT_POLL_MS = 250  # how soon a new model is noticed
SILENT_SECONDS_MAX = 30.0  # of the event loop: three session timeouts; the group has given our work away by then
LOOK_SECONDS = 1.0  # between counts over all rows


class Host:
    """Owner of everything that runs in this process besides Faust.

    Parameters
    ----------
    make_log, make_feed : what connects to the topics; tests have them in memory.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, clock: Any,
        make_log: Callable[..., Any] = KafkaLog, make_feed: Callable[..., Any] = Feed,
    ) -> None:  # fmt: skip
        self._make_log, self._make_feed = make_log, make_feed
        self._settings = settings
        self._clock = SteadyClock(clock) if settings.clock == "live" else clock
        self._definitions, self._document = load(settings.definitions)
        self._errors: list[Remark] = []  # what is proved of our file once we are warm
        self.documents = Documents(self._definitions)
        self.metrics = metrics
        self.observer = Observer(metrics, clock, self._send_vectors, self._commit_soon)
        self.rule = rule_of(settings)
        self.partitions: dict[int, Partition] = {}
        self._tasks: dict[Any, asyncio.Task[None]] = {}
        self._commits: dict[int, asyncio.Task[None]] = {}
        self._started = asyncio.Event()
        self._assigning = asyncio.Lock()
        self._checkpoints = asyncio.Semaphore(1)  # one at a time: what it copies is memory
        self._ended: asyncio.Task[None] | None = None  # the last work, once it has begun
        self._unfinished: set[int] = set()  # partitions that were ours and not checkpointed to their end
        self.watchdog = Watchdog(settings.stall_seconds, SILENT_SECONDS_MAX)
        self._document_ends: dict[str, int] = {}
        self.wanted: frozenset[int] = frozenset()
        self._joined = False
        self._member = ""  # as the group knows us
        self._worker = f"{os.uname().nodename}-{os.getpid()}"

    # -- life --------------------------------------------------------------------------------------------------------

    def warm(self) -> None:
        """Compile the kernel, look through our file; call before joining the group, so that nobody waits for us."""
        self._errors = [one for one in remarks_on(self._definitions) if one.level == ERROR]
        compile_apart()
        warm(self._definitions)

    async def start(self) -> None:
        """Connect, read the documents, publish our definitions."""
        self._log = self._make_log(self._settings)
        self._feed = self._make_feed(self._settings)
        self._document_feed = self._make_feed(self._settings, client_id="documents")
        await self._log.start()
        await self._feed.start()
        await self._document_feed.start()
        await self._read_documents()
        await self._guard("start", self._publish_definitions())
        self._document_feed.assign({(topic, 0): end for topic, end in self._document_ends.items()})
        self._spawn("feed", self._run_feed())
        self._spawn("documents", self._run_documents())
        self._spawn("look", self._run_look())
        self._started.set()

    async def _publish_definitions(self) -> None:
        """Publish our own, and put them in force if they are new: what was in force before comes back by hand only.

        Raises
        ------
        SegstreamError : they would come into force and have what `definitions check` calls an error.
        """
        own, present = self._definitions.digest, self.documents.definitions.digest
        records = [(own.encode(), self._document)]
        if self.documents.enacts_own(chosen=bool(self._settings.definitions)):
            self._refuse_errors()
            spent = ", ".join(f"{segment!r} of {dimension}" for dimension, segment in self.documents.spent())
            if spent:
                logger.error("definitions %s are not put in force: they use ids of retired segments, %s", own, spent)
            else:
                records.append(encode_enactment(Enactment(own, self._clock.wall_ms(), WORKER)))
        elif own != present and self._settings.definitions:
            logger.warning("definitions %s are in force, not our file's %s, which were before", present, own)
        await (await self._log.publish(DEFINITIONS_TOPIC, 0, records))

    def _refuse_errors(self) -> None:
        if self._errors:
            first, path = self._errors[0], self._settings.definitions
            raise SegstreamError(
                f"{path or 'shipped definitions'}: {first.path}: {first.problem}",
                f"`segstream definitions check {path}` shows it; nothing was put in force",
            )

    async def _read_documents(self) -> None:
        """Read both document topics to their present ends: a journal may name what came a moment ago."""
        for topic in (DEFINITIONS_TOPIC, MODELS_TOPIC):
            first, end = await self._log.bounds(topic, 0, committed=True)
            start = max(first, self._document_ends.get(topic, first))
            async for records in self._log.read(topic, 0, start, end, committed=True):
                self._take_documents(topic, records)
            self._document_ends[topic] = end

    def _take_documents(self, topic: str, records: Sequence[Any]) -> None:
        refused = self.documents.add(topic, records)
        self.metrics.documents_refused.labels("definition" if topic == DEFINITIONS_TOPIC else "model").inc(refused)

    async def stop(self, seconds: float) -> None:
        """Checkpoint and let go of everything, within the time given; asked again, waits for the same."""
        if self._ended is None:
            self._unfinished = {*self.wanted, *self.partitions}
            self._ended = asyncio.ensure_future(self._let_go())
        await asyncio.wait([self._ended], timeout=seconds)  # not cancelled: that would wait for what hangs
        if self._unfinished:
            logger.warning("partitions %s are left to recovery", sorted(self._unfinished))

    @property
    def _stopping(self) -> bool:
        return self._ended is not None

    @property
    def exit_code(self) -> int:
        """What a supervisor is told of an end that was asked for."""
        return EXIT_UNFINISHED if self._unfinished else 0

    async def _let_go(self) -> None:
        await asyncio.gather(*(self._release_last(number) for number in list(self.partitions)))
        async with self._assigning:  # what moves just now is released there
            pass
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._started.is_set():
            await self._feed.stop()
            await self._document_feed.stop()
            await self._log.stop()

    async def _release_last(self, number: int) -> None:
        partition = self.partitions.get(number)
        if partition is None:
            return  # fenced since we were asked: what is left of it is the newer owner's
        live = partition.progress.live
        try:
            await self._release(number)
        except (SegstreamError, LogUnavailableError, KafkaError, OSError) as error:
            logger.warning("partition %d could not be checkpointed: %s", number, error)
        else:
            if live:
                self._unfinished.discard(number)

    def _spawn(self, name: Any, work: Any) -> None:
        self._tasks[name] = asyncio.ensure_future(self._guard(name, work))

    async def _guard(self, name: Any, work: Any) -> None:
        """Whatever ends a task unasked ends the process: half a worker is worse than none."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except SegstreamError as error:
            self._die(name, f"{error.message}\n  {error.advice}")
        except (LogUnavailableError, KafkaError, OSError) as error:
            self._die(name, f"{type(error).__name__}: {error}; a supervisor should start this worker again")
        except BaseException:
            logger.exception("%s failed", name)
            page = "see docs/operations.md, 'a fault of segstream'"
            self._die(name, f"a fault of segstream; recovery will show whether it repeats: {page}")

    def _die(self, name: Any, message: str) -> None:
        logger.critical("worker stops: %s: %s", name, message)
        for handler in logging.getLogger().handlers:
            handler.flush()
        sys.stderr.flush()
        os._exit(EXIT_INFRASTRUCTURE)

    # -- ownership ---------------------------------------------------------------------------------------------------

    def revoked(self) -> None:
        """A rebalance begins: shorten what a successor would have to execute again. Work goes on meanwhile."""
        for partition in self.partitions.values():
            partition.hasten_checkpoint()

    def joined_as(self, member: str) -> None:
        """The group knows us by this id. It keeps it for life, unless it took us for dead."""
        if self._member and member != self._member:
            logger.warning("the group took us for dead and let us join anew: a pause, or a broken connection")
            self.metrics.evictions.inc()
        self._member = member

    async def assigned(self, numbers: set[int], *, trainer: bool) -> None:
        """The group gave us these partitions; what fails ends the process here, and not somewhere in Faust."""
        await self._guard("assignment", self._assign(numbers, trainer=trainer))

    async def _assign(self, numbers: set[int], *, trainer: bool) -> None:
        """Keep what stays, let go of what went, claim what is new."""
        if self._stopping:
            return
        self.wanted, self._joined = frozenset(numbers), True
        await self._started.wait()
        self.metrics.rebalances.inc()
        async with self._assigning:
            gone = [number for number in self.partitions if number not in numbers]
            await asyncio.gather(*(self._release_soon(number) for number in gone))
            await asyncio.gather(*(self._keep(partition) for partition in self._live()))
            if self._stopping:
                return
            for number in sorted(numbers - set(self.partitions)):
                partition = self.partitions[number] = self._partition(number)
                self._spawn(number, self._own(partition))
            self._train(wanted=trainer)

    def _partition(self, number: int) -> Partition:
        partition = Partition(
            number, self._settings, self._log, self._clock, self.documents, self.observer, self.rule, partition_of
        )
        partition.gate = self._checkpoints
        partition.others_recover = lambda: len(self._live()) < len(self.partitions)
        return partition

    async def _keep(self, partition: Partition) -> None:
        """A partition that stays keeps its rows, unless somebody had it meanwhile: then it is claimed anew."""
        try:
            await partition.verify_still_ours()
        except FencedError:
            logger.warning("partition %d had another owner meanwhile: claimed anew", partition.number)
            self.metrics.fenced.inc()
            if self.partitions.get(partition.number) is partition:
                del self.partitions[partition.number]
                self._tasks.pop(partition.number).cancel()
            self._reassign_feed()
            await partition.close()

    async def _own(self, partition: Partition) -> None:
        try:
            await partition.claim(self._worker, self._read_documents)
            self._reassign_feed()
            await partition.run()
        except FencedError:
            logger.warning("partition %d has a newer owner: given up", partition.number)
            self.metrics.fenced.inc()
            await partition.close()
            await self._forget(partition)

    async def _forget(self, partition: Partition) -> None:
        """A fenced partition is dropped; if the group still says it is ours, only a new start can settle it."""
        if self.partitions.get(partition.number) is partition:
            del self.partitions[partition.number]
            self.metrics.forget_partition(partition.number)
            self._reassign_feed()
        await asyncio.sleep(self._settings.session_timeout_seconds)
        if partition.number in self.wanted and partition.number not in self.partitions and not self._stopping:
            raise LogUnavailableError(f"partition {partition.number} was taken while the group says it is ours")

    async def _release_soon(self, number: int) -> None:
        """Release within the session timeout: the group waits for us meanwhile; what is not done, recovery does."""
        try:
            async with asyncio.timeout(self._settings.session_timeout_seconds / 2):
                await self._release(number)
        except TimeoutError:
            logger.warning("partition %d was let go before its last checkpoint", number)

    async def _release(self, number: int) -> None:
        partition = self.partitions.pop(number, None)
        if partition is None:
            return  # fenced, or let go by another, since we were asked
        task = self._tasks.pop(number, None)
        try:
            if partition.progress.live:
                self._reassign_feed()
                await partition.release()
                await self._commit_group(partition)
            else:
                await partition.close()
        except FencedError:
            logger.info("partition %d was taken before its last checkpoint", number)
        self.metrics.forget_partition(number)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _commit_soon(self, partition: Partition) -> None:
        previous = self._commits.get(partition.number)
        if previous is None or previous.done():  # one at a time: offsets that nobody of ours reads may be late
            self._commits[partition.number] = asyncio.ensure_future(self._commit_group(partition))

    async def _commit_group(self, partition: Partition) -> None:
        """Offsets for lag tools and autoscalers only; set by the Faust app."""

    def _train(self, *, wanted: bool) -> None:
        running = self._tasks.get("trainer")
        if wanted and running is None:
            self._spawn("trainer", self._run_trainer())
        elif not wanted and running is not None:
            running.cancel()
            del self._tasks["trainer"]

    async def _run_trainer(self) -> None:
        transactions = await self._log.transactions("trainer", 0)
        start, _ = await self._log.bounds(VECTORS_TOPIC, 0, committed=True)
        try:
            await TrainerService(self._settings, self.documents, self.metrics, transactions).run(start)
        except FencedError:
            logger.warning("a newer trainer has taken over")
            await asyncio.sleep(self._settings.session_timeout_seconds)  # by then the group has told us, if it is so
            raise LogUnavailableError("the trainer was superseded while the group says it is ours") from None
        finally:
            await transactions.close()

    async def _send_vectors(self, partition: int, offset: int, as_of_ms: int, outcome: Outcome) -> None:
        """First who left: their slots may be others' in the sample."""
        values = [vectors.encode_forget(partition, slot, offset) for slot in outcome.gone.tolist()]
        if outcome.sample is not None:
            values += vectors.encode(partition, offset, as_of_ms, *outcome.sample)
        if outcome.pulse is not None:
            values.append(vectors.encode_pulse(partition, offset, as_of_ms, outcome.pulse))
        pending = await self._log.publish(VECTORS_TOPIC, 0, [(None, value) for value in values])
        asyncio.ensure_future(self._guard("vectors", pending))  # noqa: RUF006 - the guard ends the process

    # -- loops -------------------------------------------------------------------------------------------------------

    def _live(self) -> list[Partition]:
        return [partition for partition in self.partitions.values() if partition.progress.live]

    def _reassign_feed(self) -> None:
        self._feed.assign(
            {
                (TOPICS[kind], partition.number): entry.read
                for partition in self._live()
                for kind, entry in partition.inputs.by_kind.items()
            }
        )
        for partition in self._live():  # assigning let all of them run, also what had to wait
            for kind in partition.inputs.by_kind:
                self._feed.pause((TOPICS[kind], partition.number), paused=partition.inputs.full(kind))

    async def _run_feed(self) -> None:
        while True:
            started = self._clock.monotonic_s()
            self.watchdog.turned("feed", started)
            count = 0
            generation = self._feed.generation
            polled = await self._feed.poll(POLL_MS)
            if generation != self._feed.generation:
                self._reassign_feed()  # read anew from what each input has: some of this may be of before
                continue
            limit_ms = self._clock.wall_ms() + self._settings.future_ms_max
            decoding = self._clock.monotonic_s()
            for (topic, number), block in polled.items():  # nothing is awaited in here: the generation holds
                count += len(block)
                partition = self.partitions.get(number)
                if partition is not None and partition.progress.live:
                    partition.inputs.by_kind[TOPICS.index(topic)].add(block, limit_ms)
            if count:
                self.observer.decoded(self._clock.monotonic_s() - decoding)
            self._note_ends()
            spent = self._clock.monotonic_s() - started
            await asyncio.sleep(max(GATHER_SECONDS - spent, 0.0) if count < LIGHT_RECORDS else 0)

    def _note_ends(self) -> None:
        for partition in self._live():
            lag = 0
            for kind, entry in partition.inputs.by_kind.items():
                place = (TOPICS[kind], partition.number)
                entry.reach(self._feed.position(place))
                remaining = self._feed.remaining(place)
                entry.caught_up = remaining == 0
                lag += (remaining or 0) + entry.waiting
                self._feed.pause(place, paused=partition.inputs.full(kind))
            partition.progress.lag = lag
            self.observer.waiting(partition)
            partition.wake.set()

    async def _run_documents(self) -> None:
        while True:
            for (topic, _), block in (await self._document_feed.poll(DOCUMENT_POLL_MS)).items():
                self._take_documents(topic, list(block.records()))

    async def _run_look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look_for_stalls()
            self.metrics.partitions_owned.set(len(self._live()))
            self.observer.looked(self._live())
            self._clock.wall_ms()  # a partition without events asks nothing: a jump is noticed all the same

    def _look_for_stalls(self) -> None:
        now_s = self._clock.monotonic_s()
        nobody = Standing(None, "it is ours and nobody has claimed it")
        standings = {
            number: self.partitions[number].standing if number in self.partitions else nobody for number in self.wanted
        }
        for number, stall in self.watchdog.look(now_s, standings).items():
            logger.error("partition %d has not got on for %.0f s: %s", number, stall.seconds, stall.waiting)
        stalls = self.watchdog.stalls(now_s)
        for number in standings:
            stall_s = stalls[number].seconds if number in stalls else 0
            self.metrics.stalled_seconds.labels(str(number)).set(stall_s)

    def loop_turned(self, delay_s: float) -> None:
        """The event loop turned, so late."""
        self.metrics.event_loop_delay_seconds.observe(delay_s)
        self.watchdog.turned(LOOP, self._clock.monotonic_s())

    # -- health ------------------------------------------------------------------------------------------------------

    def healthy(self) -> str | None:
        """None while the loops turn and the partitions get on; else only a restart helps. Any thread may ask."""
        return self.watchdog.reason(self._clock.monotonic_s())

    def ready(self) -> str | None:
        """None when every partition that is ours is live, else why not."""
        if not self._started.is_set():
            return "starting"
        if not self._joined:
            return "joining the group"
        waiting = sorted(self.wanted - {partition.number for partition in self._live()})
        return f"recovering partitions {waiting}" if waiting else None
