"""A subscriber: every customer's segments as they are, then every change once, without a transaction of its
own.

The rule (design, section 5): read `segment-memberships` to the end with read_committed, seek
`segment-changes` to each partition's `_checkpoint`, and take every change whose `seq` is above that
checkpoint's and above the customer's own. Duplicates, restarts and late starts all end with the same view.
Use it, or read it as the example to copy.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from stream.codec import plain_json
from stream.errors import SegstreamError
from stream.kafka.follow import Followed, Follower
from stream.settings import Settings

CHECKPOINT_KEY = "_checkpoint"
"""Key of the record that says up to which `seq` a partition's memberships hold."""

GAPS_MAX = 1_000  # remembered of a partition: each is a loss, and after the first it is better to start again
POLL_MS = 200  # how long one look for records waits; also how soon `changes` notices that it was stopped

Change = dict[str, Any]
"""One change as published (JSON)."""

Outcome = Literal["applied", "duplicate", "hole"]
"""What became of a change: applied, known already, or applied although the customer's chain has a hole before
it.
"""


class HoleError(SegstreamError):
    """A change is missing between two of the same customer.

    `changes` are those that were applied to the view since the last that were handed out, in order; the one behind the
    hole is the last.
    """

    changes: Sequence[Change] = ()


@dataclass(slots=True)
class _Standing:
    """One customer: the `seq` of the last change known, and the segment in every dimension."""

    seq: int
    segments: dict[str, str]


class View:
    """What all memberships and changes so far come to. Pure: no Kafka, no clock."""

    def __init__(self) -> None:
        self._customers: dict[str, _Standing] = {}
        self._checkpoints: dict[int, tuple[int, int]] = {}
        self._newest: dict[int, int] = {}  # by partition: `seq` of the last change taken
        self._gaps: dict[int, deque[range]] = {}  # by partition: each `seq` that never came
        self.applied_count = 0
        self.duplicate_count = 0
        self.hole_count = 0

    def __len__(self) -> int:
        """Number of customers known: those in a segment."""
        return len(self._customers)

    def segments(self, customer_id: str) -> dict[str, str]:
        """The customer's segment by dimension; empty for one who is not known."""
        standing = self._customers.get(customer_id)
        return {} if standing is None else dict(standing.segments)

    def customers(self) -> list[str]:
        """Every customer in a segment, in no particular order."""
        return list(self._customers)

    def seq_of(self, customer_id: str) -> int:
        """The `seq` of the customer's last change; 0 for one who is in no segment."""
        standing = self._customers.get(customer_id)
        return 0 if standing is None else standing.seq

    def changes_offset(self, partition: int) -> int | None:
        """Where in `segment-changes` to go on after the memberships; None before the first checkpoint."""
        checkpoint = self._checkpoints.get(partition)
        return None if checkpoint is None else checkpoint[1]

    def take_membership(self, partition: int, key: str, membership: Mapping[str, Any] | None) -> None:
        """Take one record of `segment-memberships`, in the order of the topic; None (tombstone) forgets the
        customer.
        """
        if membership is None:
            self._customers.pop(key, None)
        elif key == CHECKPOINT_KEY:
            self._checkpoints[partition] = (int(membership["seq"]), int(membership["changes_offset"]))
        else:
            segments = {
                sys.intern(dimension): sys.intern(standing["segment"])
                for dimension, standing in membership["segments"].items()
                if standing["segment"] is not None
            }
            self._customers[key] = _Standing(int(membership["seq"]), segments)

    def take_change(self, partition: int, change: Mapping[str, Any]) -> Outcome:
        """Take one record of `segment-changes`, in the order of its partition."""
        seq, customer_id = int(change["seq"]), str(change["customer_id"])
        newest_seq = max(self._newest.get(partition, 0), self._checkpoints.get(partition, (0, 0))[0])
        standing = self._customers.get(customer_id)
        known_seq = 0 if standing is None else standing.seq
        if seq <= newest_seq or seq <= known_seq:  # the first copies come in order
            self.duplicate_count += 1
            return "duplicate"
        self._newest[partition] = seq
        if seq > newest_seq + 1:
            self._gaps.setdefault(partition, deque(maxlen=GAPS_MAX)).append(range(newest_seq + 1, seq))
        if standing is None:
            standing = self._customers[customer_id] = _Standing(0, {})
        previous_seq = int(change.get("previous_seq") or 0)
        # Who is in no segment is not kept: this is somebody new, or somebody whose last change was taken.
        anew = not standing.segments and not any(previous_seq in gap for gap in self._gaps.get(partition, ()))
        standing.seq = seq
        dimension, segment = sys.intern(str(change["dimension"])), change["segment"]
        if segment is None:
            standing.segments.pop(dimension, None)
        else:
            standing.segments[dimension] = sys.intern(str(segment))
        if not standing.segments:
            del self._customers[customer_id]
        self.applied_count += 1
        if previous_seq != known_seq and not anew:
            self.hole_count += 1
            return "hole"
        return "applied"


class Subscriber:
    """A `View` kept up with Kafka; use as an async context manager, or `start` and `stop`.

    Parameters
    ----------
    settings : brokers and prefix.
    on_hole : what a hole in a customer's chain of `previous_seq` does: `raise` a HoleError, or only `count`
    it
        (`view.hole_count`). A hole means that changes were deleted before they were read.
    """

    def __init__(self, settings: Settings, *, on_hole: Literal["raise", "count"] = "raise") -> None:
        self._settings = settings
        self._on_hole = on_hole
        self._changes = Follower(settings, "segment-changes", "read_uncommitted", client_id="subscriber")
        self._running = False
        self._left: list[Followed] = []  # of one look, behind a hole
        self.view = View()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    def segments(self, customer_id: str) -> dict[str, str]:
        """The customer's segment by dimension, as of the last change handed out."""
        return self.view.segments(customer_id)

    async def start(self) -> None:
        """Read all memberships and stand where their changes go on.

        Raises
        ------
        SegstreamError : no broker answers, or the topics do not exist.
        HoleError : changes after the memberships are no longer there (only with `on_hole="raise"`).
        """
        await self._read_memberships()
        await self._changes.start()
        firsts = await self._changes.first_offsets()
        wanted = {partition: self.view.changes_offset(partition) for partition in firsts}
        for partition, first in firsts.items():
            if (wanted[partition] or 0) < first:
                self.view.hole_count += 1
                if self._on_hole == "raise":
                    raise _hole(f"changes {wanted[partition] or 0} to {first} of partition {partition} were deleted")
        self._changes.seek({partition: max(wanted[partition] or 0, first) for partition, first in firsts.items()})
        self._running = True

    async def stop(self) -> None:
        """Disconnect; `changes` ends."""
        self._running = False
        await self._changes.stop()

    async def changes(self) -> AsyncIterator[Change]:
        """Every change from now on, once, already applied to the view; waits for more until `stop`.

        Raises
        ------
        HoleError : a change is missing (only with `on_hole="raise"`).
        """
        while self._running:
            try:
                found = await self.poll(POLL_MS)
            except HoleError as error:
                for change in error.changes:
                    yield change
                raise
            for change in found:
                yield change

    async def poll(self, wait_ms: int) -> list[Change]:
        """The new changes that arrive within `wait_ms`, already applied to the view; maybe none.

        Raises
        ------
        HoleError : a change is missing (only with `on_hole="raise"`); the next call goes on behind the hole.
        """
        fresh: list[Change] = []
        records, self._left = self._left or await self._changes.records(wait_ms), []
        for i, record in enumerate(records):
            if record.value is None:
                continue
            change: Change = plain_json.decode(record.value)
            outcome = self.view.take_change(record.partition, change)
            if outcome != "duplicate":
                fresh.append(change)
            if outcome == "hole" and self._on_hole == "raise":
                self._left = records[i + 1 :]
                raise _hole(f"changes of {change['customer_id']} before seq {change['seq']} are missing", fresh)
        return fresh

    async def catch_up(self) -> list[Change]:
        """The new changes up to the end of the topic as it is now, already applied to the view; raises as `poll`."""
        fresh: list[Change] = []
        ends = await self._changes.end_offsets()
        try:
            while self._left or any(at < ends[place] for place, at in (await self._changes.positions()).items()):
                fresh += await self.poll(POLL_MS)  # what a look brings may all be known: its being empty says nothing
        except HoleError as error:
            error.changes = [*fresh, *error.changes]
            raise
        return fresh

    async def _read_memberships(self) -> None:
        memberships = Follower(self._settings, "segment-memberships", "read_committed", client_id="subscriber-start")
        try:
            await memberships.start()
            memberships.seek(await memberships.first_offsets())
            ends = await memberships.end_offsets()
            while any(position < ends[place] for place, position in (await memberships.positions()).items()):
                for record in await memberships.records(POLL_MS):
                    key = "" if record.key is None else record.key.decode()
                    value = None if record.value is None else plain_json.decode(record.value)
                    self.view.take_membership(record.partition, key, value)
        finally:
            await memberships.stop()


def _hole(message: str, changes: Sequence[Change] = ()) -> HoleError:
    error = HoleError(message, "start again: the memberships of the next checkpoint hold what is missing")
    error.changes = changes
    return error
