"""The numbered order broken on purpose, one step at a time: every one of these must be caught."""

from __future__ import annotations

from typing import Any

from stream.codec import journal
from stream.worker.checkpoint import Draft
from stream.worker.inputs import Taken
from stream.worker.partition import Partition


class NoFence(Partition):
    """Step 2 without looking at what lies in the gap: a zombie goes on."""

    async def _read_gap(self, offset: int) -> None:
        """Look away."""


class PublishBeforeAppend(Partition):
    """Step 4 before step 2: a change is out that no journal explains."""

    async def _write(self, entry: journal.Entry, taken: Taken | None = None) -> None:
        outcome = self.replica.execute(self.progress.journal_next, entry, taken.columns if taken else {})
        await self._publish(self.progress.journal_next, outcome, taken)
        offset = await self._log.append("segment-journal", self.number, journal.encode(entry))
        if offset != self.progress.journal_next:
            await self._read_gap(offset)
        self.progress.journal_next = offset + 1


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


class CommitBeforePublish(Partition):
    """Step 5 without waiting for step 4: a crash then loses changes for ever."""

    async def _commit(self, draft: Draft) -> None:
        self._before_draft = []
        await super()._commit(draft)


class NothingRepublished(Partition):
    """A recovery that trusts its predecessor to have published everything."""

    async def _publish_missing(self, found: Any) -> None:
        found.missing.clear()
        await super()._publish_missing(found)


class CopyWithoutGuard(Partition):
    """Step 5 with rows that go on changing while they are being copied."""

    async def _write(self, entry: journal.Entry, taken: Taken | None = None) -> None:
        engine = self.replica.engine
        if engine is not None:
            engine.copy = None
        await super()._write(entry, taken)


MUTATIONS: tuple[type[Partition], ...] = (
    NoFence,
    PublishBeforeAppend,
    MarkerAhead,
    MarkerBehind,
    CommitBeforePublish,
    NothingRepublished,
    CopyWithoutGuard,
)
