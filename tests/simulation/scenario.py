"""One seeded run: events are sent, processes come, crash, freeze, wake and take over, and in the end all is checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from models.clusters.snapshot import Cluster, Snapshot
from models.definitions.document import Definitions
from models.definitions.language import parse
from models.events import TOPICS
from models.features.catalogue import CLUSTER_FEATURES
from stream.codec import journal
from stream.codec.definitions import encode_snapshot, plain, shipped_text
from stream.settings import Settings
from stream.worker.checkpoint import Draft
from stream.worker.documents import MODELS_TOPIC, Documents
from stream.worker.log import FencedError
from stream.worker.partition import Partition
from stream.worker.recovery import JournalReader, read_inputs
from stream.worker.replica import Replica, Rule
from tests.simulation.memory_log import MemoryLog, Process, Stored, World
from tests.simulation.virtual_time import VirtualClock, VirtualLoop, run_virtually

SETTINGS = Settings(
    partitions=1, clock="events", checkpoint_seconds=0.3, checkpoint_events=60, batch_records=16, metrics_port=-1
)
RULE = Rule(1, SETTINGS.future_ms_max, 1000, 10 * 86_400_000, 3)
CUSTOMERS = 12
EVENTS = 150  # a few batches between two checkpoints, several checkpoints a run
DAY_MS = 86_400_000
FEED_RECORDS_MAX = 9  # of a topic at a time
LIVES_MAX = 6  # crashes and takeovers of a run
Draft.rows_at_once = 2  # so that entries come between the slices of a copy, as they do among many customers
TURNS_MAX = 4000  # looks at the last process: minutes of virtual time, where seconds are enough
STEPS_MAX = 220  # of a process before it dies: about a third of what the whole run takes


@cache
def definitions() -> Definitions:
    """The shipped definitions."""
    return parse(plain(shipped_text()))


@cache
def snapshot() -> Snapshot:
    """A model of two clusters, adopted in the middle of a run."""
    width = len(CLUSTER_FEATURES)
    clusters = tuple(Cluster(i + 1, (float(2 * i - 1),) * width, 0.5, 1.0, f"label {i}") for i in range(2))
    return Snapshot(
        version=1,
        features=CLUSTER_FEATURES,
        center=(1.0,) * width,
        scale=(1.0,) * width,
        clip=4.0,
        clusters=clusters,
        cuts={"value": (10.0, 50.0, 200.0)},
        as_of_ms=VirtualClock.START_MS,
        vector_count=1,
        lineage=(),
        seed=1,
        learner="kmeans",
        next_id=3,
    )


def documents(*, with_model: bool) -> Documents:
    """What a process has read of both document topics."""
    known = Documents(definitions())
    if with_model:
        known.add(MODELS_TOPIC, [Stored(0, b"", encode_snapshot(snapshot()), 0)])
    return known


class Silent:
    """An observer that is told everything and says nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args: None

    async def sampled(self, *_args: object) -> None:
        """Vectors go nowhere here."""


@dataclass(slots=True)
class Run:
    """What a run leaves behind to be checked."""

    world: World
    sent: list[dict[str, Any]] = field(default_factory=list)
    final: Partition | None = None
    lives: int = 0
    fenced: int = 0


def send_everything(world: World) -> list[dict[str, Any]]:
    """Put a seeded mixed stream into the input topics: orders, refunds, clicks, e-mails, rubbish, duplicates."""
    chance, sent, now = world.chance, [], VirtualClock.START_MS - 400 * DAY_MS
    for i in range(EVENTS):
        now += chance.choice((1000, 3_600_000, 2 * DAY_MS))
        customer = f"c{chance.randrange(CUSTOMERS)}"
        kind = chance.choice((0, 0, 0, 1, 1, 2, 3))
        event: dict[str, Any] = {"event_id": f"e{i}", "customer_id": customer, "ts": now}
        if kind == 0:
            event["action"] = chance.choice(("view", "cart_add", "checkout"))
        elif kind == 1:
            event |= {"order_id": f"o{i}", "amount": chance.choice((12.5, 99.0, -5.0)), "currency": "EUR"}
        elif kind == 2:
            event |= {"campaign_id": "m", "action": chance.choice(("sent", "open", "unsubscribe"))}
        else:
            event = {"customer_id": customer, "ts": now, "attributes": {"country": "FR"}}
        shelf = world.shelves[TOPICS[kind], 0]
        value = orjson.dumps(event)
        shelf.put(customer.encode(), value, 0)
        if kind != 3 and chance.random() < 0.05:
            shelf.put(customer.encode(), value, 0)  # a producer that retried
        elif chance.random() < 0.03:
            shelf.put(b"x", b"{rubbish", 0)
        sent.append({"kind": kind, **event})
    return sent


async def feed(process: Process, partition: Partition) -> None:
    """What the live feed does: hand over what comes, tell what is read to its end."""
    while True:
        await process.point()
        if not partition.progress.live:
            continue
        for kind, entry in partition.inputs.by_kind.items():
            shelf = process.world.shelves[TOPICS[kind], 0]
            count = process.world.chance.randint(0, FEED_RECORDS_MAX)
            records = [record for record in shelf.records if record.offset >= entry.read][:count]
            if records:
                entry.add(records, 2**62)
            entry.caught_up = entry.read >= shelf.end
        partition.wake.set()


async def own(process: Process, partition: Partition, known: Documents, run: Run) -> None:
    """Claim and run until fenced, killed or told to stop."""

    async def read_documents() -> None:
        await process.point()
        known.add(MODELS_TOPIC, [Stored(0, b"", encode_snapshot(snapshot()), 0)])

    try:
        await partition.claim("simulated", read_documents)
        await partition.run()
    except FencedError:
        run.fenced += 1
        process.fenced = True


def start_process(run: Run, clock: VirtualClock, make: type[Partition]) -> tuple[Process, Partition]:
    """A new process that owns the partition; whoever owned it before may still be running."""
    process = Process(run.world)
    log: Any = MemoryLog(process)
    observer: Any = Silent()
    known = documents(with_model=run.lives > 0)
    partition = make(0, SETTINGS, log, clock, known, observer, RULE, lambda *_: 0)
    process.tasks += [
        asyncio.ensure_future(own(process, partition, known, run)),
        asyncio.ensure_future(feed(process, partition)),
    ]
    run.lives += 1
    return process, partition


async def live_through(run: Run, clock: VirtualClock, make: type[Partition]) -> None:
    """Crashes, freezes and takeovers as the seed says; the last process finishes the work."""
    chance = run.world.chance
    frozen: list[Process] = []
    for _ in range(chance.randint(0, LIVES_MAX)):
        process, _ = start_process(run, clock, make)
        if chance.random() < 0.5:
            process.steps_left = chance.randint(1, STEPS_MAX)
            await asyncio.sleep(chance.choice((0.1, 0.5, 2.0)))
            process.kill()
        else:
            await asyncio.sleep(chance.choice((0.05, 0.3, 1.0)))
            process.running.clear()  # SIGSTOP; it wakes later as a zombie
            frozen.append(process)
        if frozen and chance.random() < 0.6:
            frozen.pop(0).running.set()
    _, last = await owner_until_done(run, clock, make, frozen)
    run.final = last


async def owner_until_done(
    run: Run, clock: VirtualClock, make: type[Partition], frozen: list[Process]
) -> tuple[Process, Partition]:
    """The process the group calls the owner: started again when it is fenced, until everything is checkpointed."""
    process, partition = start_process(run, clock, make)
    for _ in range(TURNS_MAX):
        await asyncio.sleep(0.05)
        if frozen:
            frozen.pop().running.set()  # zombies wake beside it
        if process.fenced:
            process, partition = start_process(run, clock, make)
        elif partition.progress.live and partition.inputs.all_read and not partition.replica.adopting:
            await asyncio.sleep(2.0)  # zombies say their last
            if not process.fenced:
                await partition.release()
                return process, partition
    raise AssertionError("the work was never finished")


def simulate(seed: int, make: type[Partition] = Partition) -> Run:
    """Run one seed to its end."""
    loop = VirtualLoop()
    run = Run(World(seed))

    async def work() -> None:
        run.sent = send_everything(run.world)
        await live_through(run, VirtualClock(loop), make)

    run_virtually(loop, work())
    return run


def uninterrupted(world: World) -> tuple[Replica, dict[int, bytes]]:
    """One execution of the journal from its beginning: the replica at the end, and every change by seq."""
    replica = Replica(0, RULE, documents(with_model=True).get, lambda *_: 0)
    changes: dict[int, bytes] = {}

    async def execute() -> None:
        log: Any = MemoryLog(Process(world))
        reader = JournalReader(0, -1)
        for record in list(world.shelves["segment-journal", 0].records):
            entry = reader.accept(record.offset, record.value or b"")
            if entry is None:
                continue
            inputs = await read_inputs(log, replica, entry) if isinstance(entry, journal.Batch) else {}
            outcome = replica.execute(record.offset, entry, inputs)
            changes.update({outcome.first_seq + i: value for i, (_, value) in enumerate(outcome.changes)})

    run_virtually(VirtualLoop(), execute())
    return replica, changes
