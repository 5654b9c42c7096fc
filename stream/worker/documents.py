"""Definitions and models by the digest of their content, and which of them is wanted.

Every worker reads both topics with a reader of its own; what is wanted becomes an entry of each partition's journal.
Definitions are in force from their enactment on, the newest of all; a worker enacts its own file when that is new.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

from models.clusters.snapshot import Snapshot, digest
from models.definitions.document import Definitions
from models.definitions.edits import spent
from models.engine import Engine, judge_of
from stream.codec.definitions import decode_model
from stream.codec.enactments import Enactment, decode_record
from stream.errors import SegstreamError

logger = logging.getLogger(__name__)

DEFINITIONS_TOPIC, MODELS_TOPIC = "segment-definitions", "segment-models"
DEFINITIONS_KEPT = 512  # a new document every day for more than a year
ENACTMENTS_KEPT = 4_096  # a dozen a day for a year; a kilobyte each at most
SNAPSHOTS_KEPT = 512  # ten years of weekly models; older ones are not needed by any journal that is kept


class Documents:
    """What has been published so far. `get` gives a document that a journal names."""

    def __init__(self, definitions: Definitions) -> None:
        self._documents: dict[str, Any] = {definitions.digest: definitions}
        self._own = self._definitions = definitions.digest  # the worker's file; what is in force
        self.enactments: deque[Enactment] = deque(maxlen=ENACTMENTS_KEPT)  # oldest first
        self._model = ""
        self._approved: set[str] = set()  # digests; bounded with the snapshots
        self.snapshot: Snapshot | None = None  # the newest that may be adopted
        self.newest: Snapshot | None = None  # held or not

    def add(self, topic: str, records: Sequence[Any]) -> int:
        """Take in records of one of the two topics; returns how many were refused, each said with its address."""
        refused = 0
        for record in records:
            if record.value is None:
                continue
            try:
                self._add(topic, record.value)
            except Exception as error:  # noqa: BLE001 - whatever somebody wrote there, it must not stop a worker
                refused += 1
                kind, size_bytes = type(error).__name__, len(record.value)
                # not what the error says: it quotes the record, which may be anything
                logger.warning("%s offset %d is refused: %s in %d bytes", topic, record.offset, kind, size_bytes)
        return refused

    def _add(self, topic: str, value: bytes) -> None:
        """Keep what could be adopted: whole, within every limit, and of the features that this version knows."""
        if topic == DEFINITIONS_TOPIC:
            self._add_definitions(decode_record(value))
            return
        found = decode_model(value)
        name = digest(found) if isinstance(found, Snapshot) else found
        if isinstance(found, Snapshot):
            judge_of(self._documents[self._own], found)
            self._documents[name] = found
            if self.newest is None or found.version > self.newest.version:
                self.newest = found
        elif len(self._approved) < SNAPSHOTS_KEPT:
            self._approved.add(name)
        self._consider(name)
        self._forget(Snapshot, SNAPSHOTS_KEPT)

    def _add_definitions(self, found: Definitions | Enactment) -> None:
        """In force is what was enacted last, of what this version can judge by; either record may come first."""
        if isinstance(found, Enactment):
            self.enactments.append(found)
        else:
            judge_of(found, None)
            self._documents[found.digest] = found
        self._definitions = next((one.digest for one in reversed(self.enactments) if self.holds(one.digest)), self._own)
        self._forget(Definitions, DEFINITIONS_KEPT)

    @property
    def definitions(self) -> Definitions:
        """Those in force."""
        return self._documents[self._definitions]  # type: ignore[no-any-return] # a digest of definitions

    def enacts_own(self, *, chosen: bool) -> bool:
        """Whether the worker's own definitions should come into force: nothing ever was, or somebody chose this file
        and it never was.

        A file that was in force before is not brought back by a worker that has it still: only by a command.
        """
        if not self.enactments:
            return True
        return chosen and all(one.digest != self._own for one in self.enactments)

    def spent(self) -> list[tuple[str, str]]:
        """(dimension, id) of segments to which the worker's own file gives the id of a retired one."""
        past = [self._documents[one.digest] for one in self.enactments if self.holds(one.digest)]
        return spent(past, self.definitions, self._documents[self._own])

    def _consider(self, name: str) -> None:
        """A snapshot is wanted if it is the newest that is not held or is approved; either record may come first."""
        snapshot = self._documents.get(name)
        if not isinstance(snapshot, Snapshot) or (snapshot.held and name not in self._approved):
            return
        if self.snapshot is None or snapshot.version > self.snapshot.version:
            self.snapshot, self._model = snapshot, name

    def _forget(self, kind: type, kept: int) -> None:
        """Drop the oldest of a kind but those kept, and what this worker wants."""
        names = [name for name, document in self._documents.items() if isinstance(document, kind)]
        for name in names[:-kept]:
            if name not in (self._own, self._definitions, self._model):
                del self._documents[name]
                self._approved.discard(name)

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
