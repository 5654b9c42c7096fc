"""A recorded system, as `record` left it, in memory again."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.events import TOPICS
from stream.codec.state import MARKER_KEY, Marker, decode_marker
from stream.settings import Settings
from stream.worker.markers import Marked
from tests.still import StillLog, Stored

FOLDER = Path(__file__).parent
STATE, JOURNAL, CHANGES, LETTERS = "segment-state", "segment-journal", "segment-changes", "segment-dead-letters"
IN_TRANSACTIONS = (STATE, "segment-memberships")  # a control record follows what they hold
SETTINGS = Settings(
    retention_days=0,  # layout 1 kept everybody for ever
    partitions=1,
    clock="events",
    customers_max=1000,
    sample_interval_ms=864_000_000,
    sample_rotation=3,
    checkpoint_seconds=0.3,
    checkpoint_events=60,
    batch_records=16,
    metrics_port=-1,
)  # of the recorded worker


def settings_of(row_version: int) -> Settings:
    """Those of a layout's recorded worker: where it judged by definitions of its own, they lie beside the recording."""
    own = FOLDER / f"layout-v{row_version}.yaml"
    return replace(SETTINGS, definitions=str(own)) if own.exists() else SETTINGS


def described(layout: np.dtype[Any]) -> list[list[Any]]:
    """A layout as a recording says it: field, type, shape, position."""
    fields = dict(layout.fields or {})
    return [[name, layout[name].base.str, list(layout[name].shape), fields[name][1]] for name in layout.names or ()]


@dataclass(frozen=True)
class Recording:
    """Topics of one partition as they were when its worker was killed with a debt."""

    row_version: int
    fingerprint: str
    layout: list[list[Any]]
    topics: dict[str, list[Stored]] = field(repr=False)

    @property
    def marked(self) -> Marked:
        """The last checkpoint's marker and its place."""
        last = [record for record in self.topics[STATE] if record.key == MARKER_KEY][-1]
        return Marked(last.offset, decode_marker(last.value or b""))

    @property
    def marker(self) -> Marker:
        """The last checkpoint's marker."""
        return self.marked.marker

    def drained(self) -> Recording:
        """As if it had been stopped at its last checkpoint: nothing is applied or published after it."""
        ends = {JOURNAL: self.marker.journal_next, CHANGES: self.marker.changes_next}
        kept = {t: [r for r in records if r.offset < ends.get(t, 2**62)] for t, records in self.topics.items()}
        kept[LETTERS] = [r for r in kept[LETTERS] if self._before_marker(r)]
        return Recording(self.row_version, self.fingerprint, self.layout, kept)

    def _before_marker(self, letter: Stored) -> bool:
        place = json.loads(letter.value or b"{}")
        return bool(place["offset"] < self.marker.positions.get(TOPICS.index(place["topic"]), 0))

    def log(self) -> StillLog:
        """The topics in memory."""
        log = StillLog()
        for topic, records in self.topics.items():
            shelf = log.shelf(topic)
            shelf.records = list(records)
            shelf.end = records[-1].offset + 1 + (topic in IN_TRANSACTIONS) if records else 0
        return log


def recorded(row_version: int) -> Recording:
    """The recording of a layout."""
    text = gzip.decompress((FOLDER / f"layout-v{row_version}.json.gz").read_bytes())
    found: dict[str, Any] = json.loads(text)
    topics = {topic: [_stored(*record) for record in records] for topic, records in found["topics"].items()}
    return Recording(found["row_version"], found["fingerprint"], found["layout"], topics)


def _stored(offset: int, key: str | None, value: str | None, timestamp: int) -> Stored:
    parts = [None if one is None else base64.b64decode(one) for one in (key, value)]
    return Stored(offset, parts[0], parts[1], timestamp)
