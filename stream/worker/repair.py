"""What `segstream recover` does where a worker stopped and said so: execute what is left under choices that a person
made, say what must be said anew, and seal it with a whole checkpoint. Workers start from there as after a clean stop.

    1. take the partition as a worker does: transactional identity, claim
    2. execute the journal from a checkpoint that can be read, under the choices (plan)
    3. write the decision into the journal
    4. publish what is missing, and the corrections
    5. seal: every row and a marker behind the decision, in one transaction

Without `--yes` only 2 happens, and nothing is written. Interrupted anywhere, it is run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.workspace import SEQ
from stream.codec import journal
from stream.codec.columns import Columns
from stream.codec.documents import seq_of
from stream.codec.events import decode
from stream.codec.times import iso
from stream.errors import SegstreamError
from stream.kafka.groups import members
from stream.kafka.log import KafkaLog
from stream.kafka.partitioner import partition_of
from stream.worker.checkpoint import Cycle, Draft, restore
from stream.worker.corrections import Corrections, corrections
from stream.worker.log import FencedError, Keyed, Log
from stream.worker.markers import all_markers, marker_at, newest_marker
from stream.worker.recovery import JournalReader, differs, read_inputs, refuse_foreign
from stream.worker.replica import Replica, rule_of
from stream.worker.sources import Lost, mended_positions, surviving_inputs
from stream.worker.verification import documents_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from stream.settings import Settings
    from stream.worker.markers import Marked
    from stream.worker.replica import Rule

CHANGES, JOURNAL, STATE = "segment-changes", "segment-journal", "segment-state"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person has decided.

    Attributes
    ----------
    new_engine : what was published stays although this version computes otherwise; differences are corrected.
    skip_missing : input records that cannot be read again are given up.
    start : begin with another checkpoint than the newest: `first` (the journal's first entry) or a marker's offset.
    """

    new_engine: bool = False
    skip_missing: bool = False
    start: str = ""

    @property
    def lenient(self) -> bool:
        """Whether published changes may differ from what is computed."""
        return self.new_engine or self.skip_missing

    @property
    def names(self) -> tuple[str, ...]:
        """Those that were made, as the journal says them."""
        made = (("new-engine", self.new_engine), ("skip-missing", self.skip_missing), ("from", bool(self.start)))
        return tuple(name for name, chosen in made if chosen)


@dataclass(slots=True)
class Plan:
    """What would be done with one partition, and the state it would be in."""

    partition: int
    basis: int = -1  # offset of the marker that is built on, -1: the journal's first entry
    journal_start: int = 0
    entries: int = 0
    events: int = 0
    corrections: Corrections = field(default_factory=Corrections)
    dead_letters: list[Keyed] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    problem: SegstreamError | None = None  # why nothing can be done under these choices
    decided: bool = False  # it needs, or had, the choices; else a worker recovers by itself, or nothing was chosen

    @property
    def lost_records(self) -> int:
        """Records that are given up, as far as they can be counted."""
        return sum(one.count for one in self.lost)


class Repair:
    """One partition being repaired."""

    def __init__(
        self, log: Log, partition: int, rule: Rule, document: Callable[[str], Any], owner_of: Any, choices: Choices
    ) -> None:
        self._log, self._choices, self._document = log, choices, document
        self.replica = Replica(partition, rule, document, owner_of)
        self.plan = Plan(partition)
        self._cycle = Cycle()
        self._basis_seq = 0
        self._changes_next = 0

    async def prepare(self, end: int) -> None:
        """Step 2 up to the journal offset `end`; a `problem` in the plan says why not. Writes nothing."""
        try:
            marked = await self._basis()
            if marked is not None:
                if marked.marker.journal_next > end:
                    raise FencedError  # a newer owner has claimed and even checkpointed
                self._cycle = await restore(self._log, self.replica, marked, self._document)
                self.plan.basis, self.plan.journal_start = marked.offset, marked.marker.journal_next
            self._basis_seq = self.replica.seq
            await self._execute(marked, end)
        except SegstreamError as error:
            self.plan.problem = await self._advised(error)

    async def _basis(self) -> Marked | None:
        if self._choices.start == "first":
            return None
        if self._choices.start:
            return await marker_at(self._log, self.plan.partition, int(self._choices.start))
        return await newest_marker(self._log, self.plan.partition)

    async def _advised(self, error: SegstreamError) -> SegstreamError:
        """For a checkpoint that cannot be read: from where it can be done again."""
        if "a checkpoint cannot be read" not in error.advice or self._choices.start:
            return error
        first, _ = await self._log.bounds(JOURNAL, self.plan.partition, committed=False)
        starts = []
        for marked in reversed(await all_markers(self._log, self.plan.partition)):
            if marked.marker.journal_next >= first and await self._loads(marked):
                starts.append(str(marked.offset))
                break
        starts += ["first"] * (first == 0)
        if not starts:
            advice = "no older one can be: see docs/operations.md, 'rebuild from the inputs'"
        else:
            advice = f"run `segstream recover --partition {self.plan.partition} --from {starts[0]}`"
        return SegstreamError(error.message, advice)

    async def _loads(self, marked: Marked) -> bool:
        """Whether the rows of a checkpoint are all there."""
        other = Replica(self.plan.partition, self.replica.rule, self._document, lambda *_: 0)
        try:
            await restore(self._log, other, marked, self._document)
        except SegstreamError:
            return False
        return True

    async def _execute(self, marked: Marked | None, end: int) -> None:
        log, replica, plan = self._log, self.replica, self.plan
        first, _ = await log.bounds(JOURNAL, plan.partition, committed=False)
        if first > plan.journal_start and not (self._choices.skip_missing and marked):
            raise SegstreamError(
                f"the journal of partition {plan.partition} begins at {first}, "
                f"the checkpoint needs {plan.journal_start}",
                "see docs/operations.md, 'journal has a hole'",
            )
        fingerprint = marked.marker.fingerprint if marked else replica.rule.fingerprint()
        reader = JournalReader(plan.partition, replica.epoch, fingerprint)
        computed: list[Keyed] = []
        async for offset, entry in reader.entries(log, max(first, plan.journal_start), end):
            if entry is None:
                continue
            self._refuse(reader, entry)
            outcome = replica.execute(offset, entry, await self._inputs(entry))
            plan.entries += not isinstance(entry, journal.Claim | journal.Decision)
            plan.events += outcome.applied
            plan.dead_letters.extend(outcome.dead_letters)
            computed.extend(outcome.changes)
        replica.positions, lost = await mended_positions(log, replica, mend=self._choices.skip_missing)
        plan.lost.extend(lost)
        await self._compare(marked, computed)

    def _refuse(self, reader: JournalReader, entry: journal.Entry) -> None:
        """A decision that was not sealed is made again; another engine's entries need a choice."""
        again = isinstance(entry, journal.Decision) and self._choices.lenient
        if not again and not self._choices.new_engine:
            refuse_foreign(self.replica, reader, entry)

    async def _inputs(self, entry: journal.Entry) -> dict[int, Columns]:
        if isinstance(entry, journal.Batch) and self._choices.skip_missing:
            records, lost = await surviving_inputs(self._log, self.replica, entry)
            self.plan.lost.extend(lost)
            return {kind: decode(kind, some) for kind, some in records.items()}
        return await read_inputs(self._log, self.replica, entry)

    async def _compare(self, marked: Marked | None, computed: list[Keyed]) -> None:
        """What was published against what was computed: equal, or corrected by choice."""
        published = await self._published(marked)
        last_seq = max(published, default=self._basis_seq)
        if not self._choices.lenient:
            self._require_equal(published, computed, last_seq)
            missing = computed[last_seq - self._basis_seq :]
            self.plan.corrections = Corrections(missing, last_seq, kept=len(published))
            return
        values = [published[seq] for seq in sorted(published)]
        self.plan.corrections = corrections(values, computed, self.plan.partition, last_seq, self._standing)

    def _require_equal(self, published: dict[int, bytes], computed: list[Keyed], last_seq: int) -> None:
        for seq, (_, value) in enumerate(computed, self._basis_seq + 1):
            if published.get(seq, value) != value:
                raise differs(self.plan.partition, seq, self._changes_next, "the journal executed again")
        if last_seq > self.replica.seq:
            raise differs(self.plan.partition, self.replica.seq + 1, self._changes_next, "the journal's end")

    async def _published(self, marked: Marked | None) -> dict[int, bytes]:
        """Changes since the basis by seq; of copies the first, which subscribers believe."""
        first, end = await self._log.bounds(CHANGES, self.plan.partition, committed=False)
        start = max(first, marked.marker.changes_next) if marked else first
        self._changes_next = end
        published: dict[int, bytes] = {}
        async for records in self._log.read(CHANGES, self.plan.partition, start, end, committed=False):
            for record in records:
                seq = seq_of(record.value)
                if seq <= self._basis_seq:
                    continue
                if published.setdefault(seq, record.value) != record.value and not self._choices.lenient:
                    raise differs(self.plan.partition, seq, record.offset, "two published copies")
        return published

    def _standing(self, customer_id: str, dimension: str) -> tuple[str | None, str]:
        """Where the rows have a customer; nowhere when nothing is known of them any more."""
        engine = self.replica.engine
        slot = engine.table.find(customer_id) if engine else -1
        if engine is None or slot < 0:
            return None, iso(self.replica.stream_ms)
        row = engine.table.rows[slot]
        judge = engine.judge if row.generation == engine.adoption.generation else engine.older
        codes = judge.codes(engine.table.rows[slot : slot + 1])[0].tolist()
        names = {one.name: judge.segment_name(d, codes[d]) for d, one in enumerate(judge.definitions.dimensions)}
        return names.get(dimension), iso(int(row.decided_ms))

    async def win(self, worker: str, cluster: str, group: str, reason: str, wall_ms: int) -> None:
        """As `carry_out`; raises SegstreamError when a worker takes the partition meanwhile."""
        try:
            await self.carry_out(worker, cluster, group, reason, wall_ms)
        except FencedError:
            raise SegstreamError(
                f"a worker took partition {self.plan.partition} meanwhile, and wins",
                "stop all workers and run this again; partitions that were told before are done",
            ) from None

    async def carry_out(self, worker: str, cluster: str, group: str, reason: str, wall_ms: int) -> None:
        """Steps 1 to 5; raises FencedError when a worker takes the partition meanwhile."""
        partition, log = self.plan.partition, self._log
        transactions = await log.transactions(f"state-{partition}", partition)
        try:
            claim = journal.Claim(worker, cluster, group, self.replica.rule.fingerprint(), wall_ms)
            epoch = await log.append(JOURNAL, partition, journal.encode(claim))
            await self.prepare(epoch)
            if self.plan.problem is not None:
                raise self.plan.problem
            self.replica.execute(epoch, claim, {})
            decided = await log.append(JOURNAL, partition, journal.encode(self._decision(worker, reason, wall_ms)))
            if decided != epoch + 1:
                raise FencedError
            await self._publish()
            await self._seal(transactions, decided + 1, wall_ms)
        finally:
            await transactions.close()

    def _decision(self, worker: str, reason: str, wall_ms: int) -> journal.Decision:
        plan, found = self.plan, self.plan.corrections
        return journal.Decision(
            self.replica.epoch,
            self._choices.names,
            plan.basis,
            found.kept_seq,
            len(found.issued),
            found.corrected,
            plan.lost_records,
            worker,
            reason,
            wall_ms,
        )

    async def _publish(self) -> None:
        """What is missing and the corrections; rows then know the last change of every customer."""
        partition, found = self.plan.partition, self.plan.corrections
        pending = await self._log.publish(CHANGES, partition, found.issued)
        letters = await self._log.publish("segment-dead-letters", partition, self.plan.dead_letters)
        self._changes_next = max(self._changes_next, await pending)
        await letters
        engine = self.replica.engine
        if engine is None:
            return
        for customer, seq in found.last_seq.items():
            slot = engine.table.find(customer)
            if slot >= 0:
                engine.table.rows[slot].seq = seq
            else:
                engine.departed[customer] = None  # in no segment any more: the membership ends, a chain may begin anew
        engine.counters[SEQ] = found.kept_seq + len(found.issued)

    async def _seal(self, transactions: Any, journal_next: int, wall_ms: int) -> None:
        """Every row and a marker, in one transaction: nothing before it is needed any more."""
        engine = self.replica.engine
        if engine is None:
            return
        _, end = await self._log.bounds(STATE, self.plan.partition, committed=False)
        engine.table.dirty[: len(engine.table)] = True
        draft = Draft(self.replica, Cycle(needed_from=end, kept=self._cycle.kept), journal_next, wall_ms)
        while not draft.advance():
            pass
        state = list(draft.state_records(self._changes_next))
        memberships = list(draft.membership_records(self._basis_seq))
        await transactions.write([(STATE, state), ("segment-memberships", memberships)])


async def repair(
    settings: Settings,
    partitions: Sequence[int],
    choices: Choices,
    *,
    write: bool,
    worker: str,
    reason: str,
    wall_ms: int,
) -> AsyncIterator[Plan]:
    """Plan, and with `write` carry out, what each partition needs; each is told as soon as it is done.

    A partition that a worker recovers is left alone.

    Raises
    ------
    SegstreamError : workers are running, or one took a partition meanwhile; what was told before is done.
    """
    log = KafkaLog(settings)
    await log.start()
    try:
        documents = (await documents_of(log, settings)).get  # says so when there are no topics
        if write and (count := await members(settings)):
            raise SegstreamError(
                f"the group {settings.group} has {count} members: workers are running",
                "stop them all, wait for the session timeout if one was killed, and run this again",
            )
        for partition in partitions:
            _, end = await log.bounds(JOURNAL, partition, committed=False)
            one = Repair(log, partition, rule_of(settings), documents, partition_of, Choices())
            await one.prepare(end)
            if choices.names and (one.plan.problem is not None or choices.start):
                one = Repair(log, partition, rule_of(settings), documents, partition_of, choices)
                if write:
                    await one.win(worker, settings.brokers, settings.group, reason, wall_ms)
                else:
                    await one.prepare(end)
                one.plan.decided = True
            yield one.plan
            await log.forget_readers()
    finally:
        await log.stop()
