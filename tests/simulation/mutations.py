"""The numbered order broken on purpose, one step at a time: every one of these must be caught.

Each says where in `stream/worker/partition.py` it breaks what; `CAUGHT_BY` names a seed that finds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from stream.codec import journal
from stream.worker.checkpoint import Draft
from stream.worker.inputs import Taken
from stream.worker.log import FencedError, Transactions
from stream.worker.partition import Partition, Publication
from stream.worker.replica import Outcome

# -- the claim --------------------------------------------------------------------------------------------------------


class ClaimWithoutFence(Partition):
    """Claim: the predecessor's transactions are not fenced, only our own are."""

    async def claim(self, worker: str, read_documents: Callable[[], Awaitable[None]]) -> None:
        """See Partition.claim."""
        log: Any = self._log
        taken = log.transactions

        async def own_identity(identity: str, partition: int) -> Transactions:
            transactions: Transactions = await taken(f"{identity}-{worker}", partition)
            return transactions

        log.transactions = own_identity
        await super().claim(worker, read_documents)


class ClaimWithoutDocuments(Partition):
    """Claim: documents that came since the start are not read before the journal that names them."""

    async def claim(self, worker: str, read_documents: Callable[[], Awaitable[None]]) -> None:
        """See Partition.claim."""

        async def nothing() -> None:
            """Read nothing."""

        del read_documents
        await super().claim(worker, nothing)


class StreamTimeForgotten(Partition):
    """Claim: stream time starts at nothing after a recovery."""

    async def _recover(self, epoch: int) -> Any:
        found = await super()._recover(epoch)
        self.replica.stream_ms = 0
        return found


class AdoptionCursorLost(Partition):
    """Claim: a recovery in the middle of an adoption believes that all rows have been judged."""

    async def _recover(self, epoch: int) -> Any:
        found = await super()._recover(epoch)
        self.replica.cursor = self.replica.customers
        return found


class PositionsForgotten(Partition):
    """Claim: inputs are read from the first record kept."""

    async def _recover(self, epoch: int) -> Any:
        found = await super()._recover(epoch)
        self.replica.positions.pop(0, None)
        return found


class CycleForgotten(Partition):
    """Claim: a successor forgets from where on the rows are needed."""

    async def _recover(self, epoch: int) -> Any:
        found = await super()._recover(epoch)
        found.cycle.needed_from = found.cycle.started_at = 10**9
        return found


class NothingRepublished(Partition):
    """Claim: a recovery that trusts its predecessor to have published everything."""

    async def _publish_missing(self, found: Any) -> None:
        found.missing.clear()
        await super()._publish_missing(found)


class NoLettersRepublished(Partition):
    """Claim: the same of dead letters."""

    async def _publish_missing(self, found: Any) -> None:
        found.dead_letters.clear()
        await super()._publish_missing(found)


class LiveBeforePublished(Partition):
    """Claim: what is missing is published beside what comes next, not before it."""

    async def _publish_missing(self, found: Any) -> None:
        missing, found.missing = found.missing[:-1], found.missing[-1:]
        await super()._publish_missing(found)
        await self._log.publish("segment-changes", self.number, missing)


# -- step 1 -----------------------------------------------------------------------------------------------------------


class EntrySaysTooMuch(Partition):
    """Step 1: records are taken from the inputs, and left out of the entry."""

    async def _apply(self, taken: Taken) -> None:
        if len(taken.positions) > 1 and taken.count > 4:
            return
        await super()._apply(taken)


class NothingPassedBy(Partition):
    """Step 1: how far was fetched is not said where no record came, and retention takes what lies there."""

    async def _pass_by(self) -> None:
        """Say nothing."""


class NoBackpressure(Partition):
    """Step 1: fetching never pauses."""

    async def claim(self, worker: str, read_documents: Callable[[], Awaitable[None]]) -> None:
        """See Partition.claim."""
        await super().claim(worker, read_documents)
        inputs: Any = self.inputs
        inputs.full = lambda _: False


# -- step 2 -----------------------------------------------------------------------------------------------------------


class NoFence(Partition):
    """Step 2 without looking at what lies in the gap: a zombie goes on."""

    async def _read_gap(self, offset: int) -> None:
        """Look away."""


class PublishBeforeAck(Partition):
    """Step 4 before the acknowledgement of step 2: a fenced worker publishes what nobody will compute again."""

    async def _write(self, entry: journal.Entry, taken: Taken | None = None) -> None:
        outcome = self.replica.execute(self.progress.journal_next, entry, taken.columns if taken else {})
        await self._publish(self.progress.journal_next, outcome, taken)
        offset = await self._log.append("segment-journal", self.number, journal.encode(entry))
        if offset != self.progress.journal_next:
            await self._read_gap(offset)
        self.progress.journal_next = offset + 1


class NotJournalled(Partition):
    """Step 2 left out for ticks: time passes, and the journal does not know."""

    async def _write(self, entry: journal.Entry, taken: Taken | None = None) -> None:
        if isinstance(entry, journal.Tick):
            outcome = self.replica.execute(self.progress.journal_next, entry, {})
            await self._publish(self.progress.journal_next - 1, outcome, None)
            return
        await super()._write(entry, taken)


class WrongEpoch(Partition):
    """Step 2 with the epoch of whoever claimed last: a zombie speaks in its successor's name."""

    async def _read_gap(self, offset: int) -> None:
        try:
            await super()._read_gap(offset)
        except FencedError:
            self.replica.epoch = offset - 1


# -- step 3 -----------------------------------------------------------------------------------------------------------


class ExecutedTwice(Partition):
    """Step 3: an entry that came after a gap is executed once more."""

    async def _read_gap(self, offset: int) -> None:
        await super()._read_gap(offset)
        if offset != self.progress.journal_next and self.progress.live and self.replica.engine is not None:
            self.replica.engine.counters[0] += 1


class CopyWithoutGuard(Partition):
    """Steps 3 and 5 with rows that go on changing while they are being copied."""

    async def _write(self, entry: journal.Entry, taken: Taken | None = None) -> None:
        engine = self.replica.engine
        if engine is not None:
            engine.copy = None
        await super()._write(entry, taken)


# -- step 4 -----------------------------------------------------------------------------------------------------------


class NoLetters(Partition):
    """Step 4 without dead letters."""

    async def _publish(self, offset: int, outcome: Outcome, taken: Taken | None) -> None:
        outcome.dead_letters.clear()
        await super()._publish(offset, outcome, taken)


class ChangesOutOfOrder(Partition):
    """Step 4 in another order than the journal's: a crash leaves a hole."""

    async def _publish(self, offset: int, outcome: Outcome, taken: Taken | None) -> None:
        outcome.changes.reverse()
        await super()._publish(offset, outcome, taken)


class NoWaitingForAcks(Partition):
    """Step 4 without collecting acks: what is on its way grows without end."""

    async def _drain(self, leave: int) -> None:
        if not leave:
            await super()._drain(leave)


class AckErrorsIgnored(Partition):
    """Step 4 with acks that are not asked whether they came."""

    async def _drain(self, leave: int) -> None:
        while self._unacked and (len(self._unacked) > leave or self._unacked[0].done):
            publication: Publication = self._unacked.popleft()
            self.progress.changes_next += len(publication.outcome.changes)


# -- step 5 -----------------------------------------------------------------------------------------------------------


class MarkerAhead(Partition):
    """Step 5 with a marker one entry too far: that entry is never executed again."""

    def _begin_checkpoint(self) -> None:
        self.progress.journal_next += 1
        super()._begin_checkpoint()
        self.progress.journal_next -= 1


class MarkerBehind(Partition):
    """Step 5 with a marker one entry too early: that entry is executed twice."""

    def _begin_checkpoint(self) -> None:
        self.progress.journal_next -= 1
        super()._begin_checkpoint()
        self.progress.journal_next += 1


class MarkerDropped(Partition):
    """Step 5 without the marker: rows of nobody knows when."""

    async def _commit(self, draft: Draft) -> None:
        records = draft.state_records
        draft.state_records = lambda changes_next: list(records(changes_next))[:-1]  # type: ignore[method-assign,assignment,return-value]
        await super()._commit(draft)


class CommitBeforePublish(Partition):
    """Step 5 without waiting for step 4: a crash then loses changes for ever."""

    async def _commit(self, draft: Draft) -> None:
        self._before_draft = []
        await super()._commit(draft)


class CommitBeforeLetters(Partition):
    """Step 5 without waiting for the dead letters of step 4."""

    async def _commit(self, draft: Draft) -> None:
        self._dead_before_draft = []
        await super()._commit(draft)


class DirtyForgotten(Partition):
    """Step 5: after a recovery that executed something, the rows that changed are not marked."""

    async def _publish_missing(self, found: Any) -> None:
        await super()._publish_missing(found)
        if self.replica.engine is not None:
            self.replica.engine.table.dirty[:] = False


class MembershipsDropped(Partition):
    """Step 5: only what changed since the last committed checkpoint, counted from the one that was begun."""

    def _begin_checkpoint(self) -> None:
        super()._begin_checkpoint()
        self.progress.checkpoint_seq = self.replica.seq


class PublishedTooFar(Partition):
    """Step 5: the marker says that changes are published which a successor must still look at."""

    async def _commit(self, draft: Draft) -> None:
        self._changes_before_draft = self.progress.changes_next + 3
        await super()._commit(draft)


class StateDeletedTooEarly(Partition):
    """Step 5: rows that the last whole cycle needs are deleted."""

    async def _forget(self, now_ms: int) -> None:
        await super()._forget(now_ms)
        _, end = await self._log.bounds("segment-state", self.number, committed=True)
        await self._log.delete_before("segment-state", self.number, end - 1)


class JournalDeletedTooEarly(Partition):
    """Step 5: the journal is deleted up to now, not up to the oldest marker kept."""

    async def _forget(self, now_ms: int) -> None:
        await super()._forget(now_ms)
        await self._log.delete_before("segment-journal", self.number, self.progress.journal_next)


class NothingForgotten(Partition):
    """Step 5: positions to be forgotten are kept for ever."""

    async def _forget(self, now_ms: int) -> None:
        await super()._forget(now_ms)
        self._cycle.kept.extend(self._cycle.kept)


# Where each is caught; other steps of the program ask for other numbers: `python -m tests.simulation.catching`.
CAUGHT_BY: dict[type[Partition], int] = {
    ClaimWithoutFence: 14,
    ClaimWithoutDocuments: 482,
    StreamTimeForgotten: 16,
    AdoptionCursorLost: 364,
    PositionsForgotten: 1,
    CycleForgotten: 5,
    NothingRepublished: 14,
    NoLettersRepublished: 26,
    LiveBeforePublished: 14,
    EntrySaysTooMuch: 0,
    NothingPassedBy: 3,
    NoBackpressure: 3,
    NoFence: 29,
    PublishBeforeAck: 22,
    NotJournalled: 0,
    WrongEpoch: 29,
    ExecutedTwice: 14,
    CopyWithoutGuard: 32,
    NoLetters: 0,
    ChangesOutOfOrder: 0,
    NoWaitingForAcks: 0,
    AckErrorsIgnored: 147,
    MarkerAhead: 2,
    MarkerBehind: 5,
    MarkerDropped: 10,
    CommitBeforePublish: 74,
    CommitBeforeLetters: 143,
    DirtyForgotten: 2,
    MembershipsDropped: 0,
    PublishedTooFar: 0,
    StateDeletedTooEarly: 10,
    JournalDeletedTooEarly: 14,
    NothingForgotten: 0,
}
PARTITIONS = tuple(CAUGHT_BY)
