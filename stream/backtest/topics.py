"""The input topics of a Kafka as sources: what is there now, from the first record kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from models.events import TOPICS
from stream.backtest.fitted import ROWS_OF_A_SOURCE, Fitted
from stream.backtest.fitting import Fitter
from stream.codec.block import Block
from stream.codec.events import decode
from stream.kafka.log import KafkaLog
from stream.settings import Settings


@dataclass(slots=True)
class TopicSource:
    """One partition of one input topic; all of them share a log and the loop it lives in."""

    kind: int
    partition: int
    number: int
    log: KafkaLog
    runner: asyncio.Runner
    done: int = 0
    total: int = 0

    @property
    def name(self) -> str:
        """For people."""
        return f"{TOPICS[self.kind]} [{self.partition}]"

    def records(self, fitter: Fitter) -> Iterator[Fitted]:
        """Records in the order of their offsets."""
        topic = TOPICS[self.kind]
        first, end = self.runner.run(self.log.bounds(topic, self.partition, committed=True))
        self.done, self.total = 0, end - first
        blocks = self.log.blocks(topic, self.partition, first, end)
        while (block := self.runner.run(_next(blocks))) is not None:
            decoded = decode(self.kind, block)
            numbers = block.index["offset"] + self.number * ROWS_OF_A_SOURCE + 1
            for place, refusal in decoded.refused:
                fitter.found.reject(numbers[[place]], refusal.reason)
            fitted = fitter.fit_decoded(decoded, numbers[decoded.rows["record"]])
            yield fitted[fitted["ts_ms"] > 0]  # tombstones have no time
            self.done = int(block.index["offset"][-1]) + 1 - first


async def _next(blocks: AsyncIterator[Block]) -> Block | None:
    return await anext(blocks, None)


def topic_sources(settings: Settings, runner: asyncio.Runner, log: KafkaLog) -> list[TopicSource]:
    """Every partition of the input topics."""
    places = [(kind, partition) for kind in range(len(TOPICS)) for partition in range(settings.partitions)]
    return [TopicSource(kind, partition, number, log, runner) for number, (kind, partition) in enumerate(places)]
