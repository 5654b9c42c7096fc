"""Definitions and models by the digest of their content, and which of them is wanted.

Every worker reads both topics with a reader of its own; what is wanted becomes an entry of each partition's journal.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from models.clusters.snapshot import Snapshot, digest
from models.definitions.document import Definitions
from models.engine import Engine
from stream.codec.definitions import decode_definitions, decode_snapshot
from stream.errors import SegstreamError

logger = logging.getLogger(__name__)

DEFINITIONS_TOPIC, MODELS_TOPIC = "segment-definitions", "segment-models"
SNAPSHOTS_KEPT = 512  # ten years of weekly models; older ones are not needed by any journal that is kept


class Documents:
    """What has been published so far. `get` gives a document that a journal names."""

    def __init__(self, definitions: Definitions) -> None:
        self._documents: dict[str, Any] = {definitions.digest: definitions}
        self._definitions = definitions.digest
        self._model = ""
        self.snapshot: Snapshot | None = None  # the newest

    def add(self, topic: str, records: Sequence[Any]) -> None:
        """Take in records of one of the two topics; one that cannot be read is passed over, and said."""
        for record in records:
            if record.value is None:
                continue
            try:
                self._add(topic, record.value)
            except ValueError as error:
                logger.warning("%s offset %d is no document: %s", topic, record.offset, error)

    def _add(self, topic: str, value: bytes) -> None:
        if topic == DEFINITIONS_TOPIC:
            definitions = decode_definitions(value)
            self._documents[definitions.digest] = definitions
            return
        snapshot = decode_snapshot(value)
        name = digest(snapshot)
        self._documents[name] = snapshot
        if self.snapshot is None or snapshot.version > self.snapshot.version:
            self.snapshot, self._model = snapshot, name
        snapshots = [k for k, d in self._documents.items() if isinstance(d, Snapshot)]
        for old in snapshots[:-SNAPSHOTS_KEPT]:
            del self._documents[old]

    def holds(self, name: str) -> bool:
        """Whether a document of this digest has been published."""
        return name in self._documents

    def get(self, name: str) -> Any:
        """The document of a digest; raises SegstreamError when it was never published or is gone."""
        try:
            return self._documents[name]
        except KeyError:
            raise SegstreamError(
                f"the journal names document {name}, which is in neither {DEFINITIONS_TOPIC} nor {MODELS_TOPIC}",
                "both must be compacted, never deleted: run `segstream topics check`",
            ) from None

    def wanted(self, engine: Engine | None) -> tuple[str, str] | None:
        """(kind, digest) of the document an engine should adopt next, or None when it is up to date."""
        if engine is None or engine.judge.definitions.digest != self._definitions:
            return "definitions", self._definitions
        if self._model and engine.judge.model != self._model:
            return "model", self._model
        return None
