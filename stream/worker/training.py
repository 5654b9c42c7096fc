"""The trainer's shell: runs in the worker that owns the one partition of segment-vectors.

A successor takes its transactional identity, so a superseded trainer cannot publish. It learns in slices between which
the event loop is free, and never more than a share of the processor.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from models.clusters.settings import TrainerSettings
from models.clusters.snapshot import digest
from models.clusters.trainer import Trainer
from models.features.catalogue import CLUSTER_FEATURES
from stream.codec.definitions import encode_snapshot
from stream.codec.vectors import BrokenVectorsError, decode
from stream.kafka.feed import Feed
from stream.worker.documents import MODELS_TOPIC, Documents

if TYPE_CHECKING:
    from stream.metrics.registry import Metrics
    from stream.settings import Settings
    from stream.worker.log import Transactions

logger = logging.getLogger(__name__)

TOPIC = "segment-vectors"
SLICE_VECTORS = 16  # about a millisecond of River: the longest that a live event waits for the trainer
REST_SECONDS = 0.003  # after each slice: at most a quarter of a core
POLL_MS = 200  # how long to wait for vectors
WARMUP_VECTORS_MAX = 500  # as the trainer's own default: enough for six clusters of fifty
WORDS = {
    "log_days_since_order": ("long silent", "bought lately"),
    "log_orders": ("frequent buyers", "few orders"),
    "log_spend": ("big spenders", "small spenders"),
    "log_average_order": ("large baskets", "small baskets"),
    "log_click_intensity_7d": ("busy browsers", "rarely on the site"),
    "log_order_intensity_90d": ("buying now", "not buying now"),
    "log_engagement_30d": ("e-mail readers", "not reading e-mail"),
    "open_rate": ("opens most e-mail", "opens little e-mail"),
    "log_days_since_click": ("away from the site", "on the site lately"),
    "cart_rate": ("fills carts", "looks without carting"),
}


class TrainerService:
    """Learns from segment-vectors and publishes snapshots to segment-models until cancelled."""

    def __init__(self, settings: Settings, documents: Documents, metrics: Metrics, transactions: Transactions) -> None:
        self._settings, self._documents, self._metrics = settings, documents, metrics
        self._transactions = transactions
        self._seen: dict[tuple[int, int], int] = {}  # (partition, part) -> newest journal offset; bounded by both
        self._published_ms = 0

    async def run(self, start: int) -> None:
        """Learn from offset `start` of the vectors on."""
        settings = self._settings
        previous = self._documents.snapshot
        self._published_ms = previous.as_of_ms if previous else 0
        trainer = Trainer(
            CLUSTER_FEATURES,
            TrainerSettings(
                learner=settings.learner,
                clusters=settings.clusters,
                seed=settings.seed,
                warmup_vectors=WARMUP_VECTORS_MAX,
                words=WORDS,
            ),
            previous,
        )
        feed = Feed(settings, client_id="trainer")
        await feed.start()
        try:
            feed.assign({(TOPIC, 0): start})
            while True:
                for records in (await feed.poll(POLL_MS)).values():
                    for record in records:
                        await self._learn(trainer, record)
        finally:
            await feed.stop()

    async def _learn(self, trainer: Trainer, record: Any) -> None:
        try:
            packed = decode(record.value or b"")
        except BrokenVectorsError as error:
            logger.warning("%s offset %d is no sample: %s", TOPIC, record.offset, error)
            return
        key = (packed.partition, packed.part)
        if self._seen.get(key, -1) >= packed.offset:
            return  # a recovery sent it again
        self._seen[key] = packed.offset
        vectors, amounts = packed.arrays()
        trainer.learn(vectors, amounts[:, 0], amounts[:, 1], amounts[:, 2], packed.as_of_ms)
        while learned := trainer.learn_slice(SLICE_VECTORS):
            self._metrics.vectors_learned.inc(learned)
            await asyncio.sleep(REST_SECONDS)
        if not self._published_ms:
            self._published_ms = packed.as_of_ms - self._settings.snapshot_interval_ms // 2  # the first comes sooner
        if packed.as_of_ms - self._published_ms >= self._settings.snapshot_interval_ms:
            await self._publish(trainer, packed.as_of_ms)

    async def _publish(self, trainer: Trainer, as_of_ms: int) -> None:
        snapshot = trainer.snapshot(as_of_ms)
        if snapshot is None:
            return
        self._published_ms = as_of_ms
        name = digest(snapshot)
        await self._transactions.write([(MODELS_TOPIC, [(name.encode(), encode_snapshot(snapshot))])])
        self._metrics.snapshots.inc()
        logger.info("model version %d published: %d clusters", snapshot.version, len(snapshot.clusters))
