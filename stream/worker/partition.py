"""One owned partition: the claim, and the numbered order of every batch. This order is written here and nowhere else.

    1. decode, merge by event time (inputs)
    2. append the journal entry and wait for its ack at the expected offset: the fence
    3. run the kernel (replica)
    4. publish changes and dead letters in journal order, queue the vectors
    5. now and then a checkpoint: copy, wait for 2 and 4 of everything before, one transaction

A crash between any two of them is a recovery: the journal says what was applied, segment-changes what was published.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.events import PROFILE
from stream.codec import journal
from stream.codec.state import CLAIM_KEY
from stream.errors import SegstreamError
from stream.worker.checkpoint import Cycle, Draft
from stream.worker.inputs import Inputs, Taken
from stream.worker.log import FencedError, Keyed, Log, LogUnavailableError, Transactions
from stream.worker.markers import Marked, outlived
from stream.worker.recovery import JournalReader, Recovered, differs, open_positions, recover
from stream.worker.replica import Outcome, Replica, Rule
from stream.worker.watchdog import Standing

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.worker.documents import Documents
    from stream.worker.observer import Observer

UNACKED_MAX = 8  # batches whose changes are on their way: bounds memory, and what a crash has to compare
TICK_LIMIT = 4_000  # customers an entry looks at: about 5 ms of kernel, so that live events do not wait
REJUDGE_ROWS = 4_000  # the same for adoptions, while few customers change
REJUDGE_ROWS_FIRST = 10  # of an adoption's first entry: with two changes in each of 80 dimensions and audiences 1,600
REJUDGE_CHANGES = 500  # that an entry of an adoption should bring: 17 ms where a dimension is no more
PATIENCE = 4  # times what a checkpoint is due after, while others recover: their customers wait, and it stays bounded
PASS_SECONDS = 3600.0  # between entries that only pass by: `topics check` asks for a day of retention
TICK_SECONDS_MIN = 0.05  # between two looks at the due column: a millisecond's work for a million rows
BITE_SECONDS_MIN = 0.001  # of preparing a checkpoint's records at a time: what a live event may have to wait for it
BITE_SHARE = 0.2  # of the time that live events took since the last bite
IDENTITY_TRIES = 5  # two who claim at once take it from each other; the journal stops one of them at the next look


@dataclass(slots=True)
class Debt:
    """What a recovery would have to execute again."""

    events: int = 0
    since_s: float | None = None  # when the first row changed after the last checkpoint


@dataclass(slots=True)
class Publication:
    """Changes on their way, of one entry."""

    last: asyncio.Future[int]
    dead: asyncio.Future[int] | None
    outcome: Outcome
    oldest_timestamp_ms: int
    sent_s: float

    @property
    def done(self) -> bool:
        """Whether every ack has come (or failed: awaiting says so)."""
        return self.last.done() and (self.dead is None or self.dead.done())


@dataclass(slots=True)
class Progress:
    """Where the partition stands, for checkpoints, metrics and readiness."""

    live: bool = False
    journal_next: int = 0
    changes_next: int = 0
    checkpoint_seq: int = 0
    newest_timestamp_ms: int = 0  # Kafka's, of what was applied last
    lag: int = 0  # records of the inputs that are not applied yet, as far as the feed knows
    debt: Debt = field(default_factory=Debt)


class Partition:
    """Owner of one partition from its claim until it is released or fenced."""

    def __init__(
        self, number: int, settings: Settings, log: Log, clock: Any, documents: Documents, observer: Observer,
        rule: Rule, partition_of: Any,
    ) -> None:  # fmt: skip
        self.number = number
        self.replica = Replica(number, rule, documents.get, partition_of)
        self.inputs = Inputs(frozenset({PROFILE}) if settings.profiles_compacted else frozenset())
        self.progress = Progress()
        self.wake = asyncio.Event()
        self._settings, self._log, self._clock = settings, log, clock
        self._documents, self._observer = documents, observer
        self._transactions: Transactions | None = None
        self._cycle = Cycle()
        self._draft: Draft | None = None
        self._before_draft: list[asyncio.Future[int]] = []
        self._dead_before_draft: list[asyncio.Future[int]] = []
        self._changes_before_draft = 0
        self._committing: asyncio.Task[None] | None = None
        self.gate = asyncio.Semaphore(1)  # the host's, where partitions share one
        self.others_recover: Callable[[], bool] = lambda: False  # the host's: their customers wait, a checkpoint can
        self._inside = False  # it, from the beginning of a draft to the end of its transaction
        self._unacked: deque[Publication] = deque()
        self._last_tick_s = self._last_pass_s = 0.0
        self._rejudge_rows = min(REJUDGE_ROWS_FIRST, REJUDGE_ROWS)  # customers of the next entry of an adoption
        self._stopping = self._closed = False
        self._checkpoint_now = False
        self.lock = asyncio.Lock()  # one entry at a time

    # -- the claim ---------------------------------------------------------------------------------------------------

    async def claim(self, worker: str, read_documents: Callable[[], Awaitable[None]]) -> None:
        """Take the partition and catch up with its past; afterwards `inputs` say where to read on."""
        started = self._clock.monotonic_s()
        self._observer.claiming()
        self._transactions = await self._log.transactions(f"state-{self.number}", self.number)
        entry = journal.Claim(
            worker, self._settings.brokers, self._settings.group, self.replica.rule.fingerprint(), self._clock.wall_ms()
        )
        epoch = await self._log.append("segment-journal", self.number, journal.encode(entry))
        self.progress.journal_next = epoch + 1
        await self._prove_identity(self._transactions)
        await read_documents()
        found = await self._recover(epoch)
        self.replica.execute(epoch, entry, {})
        self.progress.journal_next = epoch + 1
        self.progress.changes_next = found.changes_next
        self.progress.checkpoint_seq = found.marker.counters[0] if found.marker else 0
        self._cycle = found.cycle
        await self.verify_still_ours()
        if found.unexplained:  # only now: a newer owner would explain it
            raise differs(self.number, found.unexplained, epoch, "what was published and the journal's end")
        await self._publish_missing(found)
        for kind, position in (await open_positions(self._log, self.replica)).items():
            self.inputs.open(kind, position)
        await self._log.forget_readers()
        self.progress.live, self._last_pass_s = True, self._clock.monotonic_s()
        self._observer.recovered(self, self._clock.monotonic_s() - started, found)

    async def _prove_identity(self, transactions: Transactions) -> None:
        """Raise FencedError unless no checkpoint but ours can be committed from here on.

        Somebody may have taken the identity between our taking it and our claim: a process can stand still for long.
        Then he has claimed before us, and we take it again; or he will claim after us, and we shall hear of it. Only
        now may the state be read: never is the identity taken back later, when a successor may be reading it.
        """
        for _ in range(IDENTITY_TRIES):
            try:
                await transactions.write([("segment-state", [(CLAIM_KEY, b"")])])
            except FencedError:
                await self.verify_still_ours()
                await transactions.close()
                transactions = await self._log.transactions(f"state-{self.number}", self.number)
                self._transactions = transactions
            else:
                await self.verify_still_ours()
                return
        raise LogUnavailableError(f"the identity of partition {self.number} is taken again and again")

    async def _recover(self, epoch: int) -> Recovered:
        """What does not fit may be a newer owner's work: then it is not ours to judge."""
        try:
            return await recover(self._log, self.replica, epoch, self._documents.get)
        except SegstreamError:
            self.progress.journal_next = epoch + 1
            await self.verify_still_ours()
            raise

    async def verify_still_ours(self) -> None:
        """Raise FencedError when a newer claim has come: a recovery takes seconds, a process may have been stopped."""
        _, end = await self._log.bounds("segment-journal", self.number, committed=False)
        await self._read_gap(end)

    async def _publish_missing(self, found: Any) -> None:
        pending = await self._log.publish("segment-changes", self.number, found.missing)
        dead = await self._log.publish("segment-dead-letters", self.number, found.dead_letters)
        self.progress.changes_next = max(self.progress.changes_next, await pending)
        await dead
        for offset, outcome in found.sampled:
            await self._observer.sampled(self.number, offset, self.replica.stream_ms, outcome)
        self.progress.debt.events = found.events
        if found.entries:  # also when they changed nothing: a clean stop leaves nothing to execute again
            self.progress.debt.since_s = self._clock.monotonic_s()

    # -- the life ----------------------------------------------------------------------------------------------------

    @property
    def standing(self) -> Standing:
        """Where it stands, for the watchdog; a recovery moves the replica, a live partition the journal too."""
        replica, progress = self.replica, self.progress
        mark = (progress.live, progress.journal_next, replica.epoch, replica.cursor, tuple(replica.positions.values()))
        if not progress.live:
            return Standing((*mark, replica.stream_ms, replica.customers), "its recovery has not ended")
        return Standing(mark, f"{progress.lag} records wait" if progress.lag else "")

    async def run(self) -> None:
        """Apply what comes until stopped; raises FencedError or LogUnavailableError."""
        while not self._stopping:
            async with self.lock:
                worked = await self._turn()
            if not worked and not self._stopping:
                self.wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS_MIN):
                        await self.wake.wait()
            else:
                await asyncio.sleep(0)

    async def _turn(self) -> bool:
        """One entry at most; returns whether there was anything to do."""
        await self._drain(UNACKED_MAX)
        await self._advance_checkpoint()
        if await self._adopt_pending():
            return True
        taken = self.inputs.take(self._settings.batch_records, self._clock.monotonic_s())
        if taken is not None:
            await self._apply(taken)
        elif self._clock.monotonic_s() - self._last_pass_s >= PASS_SECONDS:
            await self._pass_by()
        ticked = await self._tick()
        if self.replica.adopting:
            await self._rejudge()
            return True
        return taken is not None or ticked

    async def _rejudge(self) -> None:
        """Some customers are judged by the new rules: fewer at a time the more of them change."""
        start, seq = self.replica.cursor, self.replica.seq
        end = min(start + self._rejudge_rows, self.replica.slots)
        await self._write(journal.Rejudge(self.replica.epoch, start, end, self._clock.wall_ms()))
        told = max(self.replica.seq - seq, 1)
        suited = min(self._rejudge_rows * REJUDGE_CHANGES // told, 2 * self._rejudge_rows, REJUDGE_ROWS)
        self._rejudge_rows = max(suited, 1)

    async def _apply(self, taken: Taken) -> None:
        wall_ms = self._clock.wall_ms()
        self.inputs.note_applied(taken, wall_ms + self._settings.future_ms_max, self.replica.owns)
        entry = journal.Batch(self.replica.epoch, taken.positions, self._stream_ms(wall_ms), wall_ms, taken.embedded)
        await self._write(entry, taken)
        self.progress.debt.events += taken.count
        self.progress.newest_timestamp_ms = taken.newest_timestamp_ms

    async def _pass_by(self) -> None:
        """Say how far was fetched where no record came: an idle input would be gone from where the last one ended."""
        self._last_pass_s = self._clock.monotonic_s()
        if positions := self.inputs.pass_by():
            now_ms = self._clock.wall_ms()
            await self._write(journal.Batch(self.replica.epoch, positions, self.replica.stream_ms, now_ms))

    def _stream_ms(self, wall_ms: int) -> int:
        reached = self.inputs.stream_ms()
        if reached is None:
            return self.replica.stream_ms
        if self._settings.clock == "live" and self.inputs.all_read:
            reached = max(reached, wall_ms)
        return max(self.replica.stream_ms, reached - self._settings.lateness_ms)

    async def _tick(self) -> bool:
        """Let stream time pass: customers who are due by now are looked at, a bounded number at a time."""
        now_s = self._clock.monotonic_s()
        engine = self.replica.engine
        if engine is None or now_s - self._last_tick_s < TICK_SECONDS_MIN:
            return False
        stream_ms = self._stream_ms(self._clock.wall_ms())
        due = len(engine.table.due_slots(stream_ms, TICK_LIMIT))
        self._observer.ticked(self, due, stream_ms)
        if due < TICK_LIMIT:
            self._last_tick_s = now_s
        if due:
            await self._write(journal.Tick(self.replica.epoch, stream_ms, TICK_LIMIT, self._clock.wall_ms()))
        return due > 0

    async def _adopt_pending(self) -> bool:
        """Adopt the wanted definitions or model, one at a time and only when every row has seen the last."""
        if self.replica.adopting:
            return False
        wanted = self._documents.wanted(self.replica.engine)
        if wanted is None:
            return False
        document, name = wanted
        now_ms = self._clock.wall_ms()
        self._rejudge_rows = min(REJUDGE_ROWS_FIRST, REJUDGE_ROWS)
        await self._write(journal.Adopt(self.replica.epoch, document, name, self.replica.stream_ms, now_ms))
        self._observer.adopted(self, document)
        return True

    # -- the numbered order ------------------------------------------------------------------------------------------

    async def _write(self, entry: journal.Entry, taken: Taken | None = None) -> None:
        """Steps 2 to 4 for one entry."""
        started = self._clock.monotonic_s()
        appended = asyncio.ensure_future(self._log.append("segment-journal", self.number, journal.encode(entry)))
        await asyncio.sleep(0)  # the append leaves before the kernel takes the processor
        outcome = self.replica.execute(self.progress.journal_next, entry, taken.columns if taken else {})
        executed = self._clock.monotonic_s()
        offset = await appended
        self._observer.timed(executed - started, self._clock.monotonic_s() - started)
        if offset != self.progress.journal_next:
            await self._read_gap(offset)
        self.progress.journal_next = offset + 1
        await self._publish(offset, outcome, taken)

    async def _read_gap(self, offset: int) -> None:
        """Records of others lie before our own: entries of older epochs do no harm, a newer claim ends us."""
        reader = JournalReader(self.number, self.replica.epoch)
        try:
            async for _, entry in reader.entries(self._log, self.progress.journal_next, offset):
                if isinstance(entry, journal.Claim):
                    raise FencedError
        except SegstreamError:
            first, _ = await self._log.bounds("segment-journal", self.number, committed=False)
            if first > self.progress.journal_next:  # we slept for days: only a newer owner deletes what we did not read
                raise FencedError from None
            raise

    async def _publish(self, offset: int, outcome: Outcome, taken: Taken | None) -> None:
        """Step 4. Nothing is awaited but room in the producer: acks are collected in order by _drain."""
        sent_s = self._clock.monotonic_s()
        if outcome.is_sampled:
            await self._observer.sampled(self.number, offset, self.replica.stream_ms, outcome)
        self.progress.debt.since_s = self.progress.debt.since_s or sent_s
        dead = None
        if outcome.dead_letters:
            dead = asyncio.ensure_future(
                await self._log.publish("segment-dead-letters", self.number, outcome.dead_letters)
            )
        last = asyncio.ensure_future(await self._log.publish("segment-changes", self.number, outcome.changes))
        oldest = taken.oldest_timestamp_ms if taken else 0
        self._unacked.append(Publication(last, dead, outcome, oldest, sent_s))
        self._observer.executed(self, outcome, taken)

    async def _drain(self, leave: int) -> None:
        """Collect acks, oldest first, until at most `leave` publications are on their way."""
        while self._unacked and (len(self._unacked) > leave or self._unacked[0].done):
            publication = self._unacked.popleft()
            self.progress.changes_next = max(self.progress.changes_next, await publication.last)
            if publication.dead is not None:
                await publication.dead
            self._observer.published(publication)

    # -- step 5 ------------------------------------------------------------------------------------------------------

    async def _advance_checkpoint(self) -> None:
        """Copy a slice between two batches; the transaction itself runs beside live events."""
        if self._committing is not None:
            if self._committing.done():
                if self._committing.cancelled():  # by close: our own run was fenced while we were being released
                    raise FencedError
                self._committing.result()
                self._committing = None
            return
        if self._draft is None and self._checkpoint_due() and not self.gate.locked():
            await self._pass_gate()
            self._begin_checkpoint()
        if self._draft is not None and self._draft.advance():
            self._committing = asyncio.ensure_future(self._commit(self._draft))
            self._draft = None

    def _checkpoint_due(self) -> bool:
        debt, settings = self.progress.debt, self._settings
        engine = self.replica.engine
        if engine is None or debt.since_s is None:
            return False
        patience = PATIENCE if self.others_recover() else 1
        aged = self._clock.monotonic_s() - debt.since_s >= patience * settings.checkpoint_seconds
        many = debt.events >= patience * settings.checkpoint_events
        return aged or many or self._checkpoint_now or engine.table.dirty_rows >= patience * settings.checkpoint_rows

    async def _pass_gate(self) -> None:
        await self.gate.acquire()
        self._inside = True

    def _leave_gate(self) -> None:
        if self._inside:
            self._inside = False
            self.gate.release()

    def _begin_checkpoint(self) -> None:
        self._draft = Draft(self.replica, self._cycle, self.progress.journal_next, self._clock.wall_ms())
        self._changes_before_draft = self.progress.changes_next
        self._before_draft = [publication.last for publication in self._unacked]
        self._dead_before_draft = [publication.dead for publication in self._unacked if publication.dead is not None]
        self.progress.debt = Debt()
        self._checkpoint_now = False

    async def _commit(self, draft: Draft) -> None:
        try:
            await self._write_checkpoint(draft)
        finally:
            self._leave_gate()

    async def _write_checkpoint(self, draft: Draft) -> None:
        """Everything up to the marker is acked and published; then one transaction."""
        started = self._clock.monotonic_s()
        changes_next = self._changes_before_draft  # of later entries nothing: a subscriber starts reading here
        for last in self._before_draft:
            changes_next = max(changes_next, await asyncio.shield(last))
        for dead in self._dead_before_draft:
            await asyncio.shield(dead)
        assert self._transactions is not None  # noqa: S101 - claimed; for the type checker
        state = _unhurried(draft.state_records(changes_next), self._clock)
        memberships = _unhurried(draft.membership_records(self.progress.checkpoint_seq), self._clock)
        firsts = await self._transactions.write([("segment-state", state), ("segment-memberships", memberships)])
        marker = firsts[0] + draft.marker.row_records  # it comes last
        self._cycle.written(firsts[0], Marked(marker, draft.marker))
        self.progress.checkpoint_seq = draft.seq
        await self._forget(draft.marker.wall_ms)
        seconds = self._clock.monotonic_s() - started
        self._observer.checkpointed(self, len(draft.copy.slots), seconds, draft.marker)

    async def _forget(self, now_ms: int) -> None:
        """Delete what no kept checkpoint needs: state behind its oldest slice, journal behind the marker.

        What cannot be deleted is kept, and tried again after the next checkpoint: this one is committed all the same.
        """
        count = outlived(self._cycle.kept, now_ms)
        if not count:
            return
        oldest = self._cycle.kept[count]
        try:
            if oldest.needed_from > 0:
                await self._log.delete_before("segment-state", self.number, oldest.needed_from)
            await self._log.delete_before("segment-journal", self.number, oldest.journal_next)
        except LogUnavailableError as error:
            self._observer.kept_too_much(self.number, error)
        else:
            del self._cycle.kept[:count]

    # -- the end -----------------------------------------------------------------------------------------------------

    def hasten_checkpoint(self) -> None:
        """Checkpoint at the next turn: the partition may move."""
        self._checkpoint_now = self.progress.debt.since_s is not None

    async def release(self) -> None:
        """Stop applying, checkpoint what there is, and let go."""
        self._stopping = True
        self.wake.set()
        try:
            async with self.lock:
                await self._finish_checkpoint()  # one that has begun stands for an earlier entry
                if self.progress.live and self.replica.engine is not None:
                    await self._pass_by()
                await self._drain(0)
                if self.progress.live and self.progress.debt.since_s is not None:
                    await self._pass_gate()
                    self._begin_checkpoint()
                    await self._finish_checkpoint()
        except LogUnavailableError:
            if self._closed:  # by our own run, which was fenced meanwhile
                raise FencedError from None
            raise
        except FencedError:
            await self.verify_still_ours()
            raise LogUnavailableError("a checkpoint was fenced by somebody who has not claimed") from None
        finally:
            await self.close()

    async def _finish_checkpoint(self) -> None:
        while self._draft is not None or self._committing is not None:
            await self._advance_checkpoint()
            if self._committing is not None:
                await asyncio.wait([self._committing])

    async def close(self) -> None:
        """Let go of the connection without another word."""
        self._stopping = self._closed = True
        self.wake.set()
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
        self._leave_gate()
        if self._transactions is not None:
            await self._transactions.close()


async def _unhurried(records: Iterable[Keyed], clock: Any) -> AsyncIterator[Keyed]:
    """Let live events pass between one bite of records and the next; under full load a bite is a share of what they
    took, or a checkpoint would never end.
    """
    bite_s, resumed_s = 0.0, clock.monotonic_s()  # the first record alone, to see how long the others take
    for record in records:
        yield record
        paused_s = clock.monotonic_s()
        if paused_s - resumed_s >= bite_s:
            await asyncio.sleep(0)
            resumed_s = clock.monotonic_s()
            bite_s = max(BITE_SECONDS_MIN, BITE_SHARE * (resumed_s - paused_s))
