"""The life of definitions as the topics tell it: which documents were in force, which is, and who has adopted it.

Commands ask here. Workers read the same records (stream.worker.documents).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.definitions.document import Definitions
from models.definitions.edits import spent
from stream.codec.definitions import document_of, load
from stream.codec.enactments import Enactment, encode_enactment
from stream.errors import SegstreamError
from stream.kafka.log import KafkaLog
from stream.worker.documents import DEFINITIONS_TOPIC, Documents
from stream.worker.markers import newest_marker

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.worker.log import Log


@dataclass(frozen=True, slots=True)
class Version:
    """One time that a document was put in force."""

    enactment: Enactment
    definitions: Definitions
    in_force: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one partition is, as its newest checkpoint says: the definitions in force, customers still to judge."""

    partition: int
    definitions: str  # digest; "" before the first checkpoint
    waiting: int

    def has(self, digest: str) -> bool:
        """Whether everybody is judged by this document."""
        return self.definitions == digest and not self.waiting


class Life:
    """What segment-definitions holds."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log, self._settings = log, settings
        self.documents = Documents(load("")[0])
        self._values: dict[str, bytes] = {}  # as published, by digest; as many as the documents keep

    async def read(self) -> None:
        """Take in the whole topic."""
        first, end = await self._log.bounds(DEFINITIONS_TOPIC, 0, committed=True)
        async for records in self._log.read(DEFINITIONS_TOPIC, 0, first, end, committed=True):
            self.documents.add(DEFINITIONS_TOPIC, records)
            for record in records:
                name = (record.key or b"").decode("utf-8", "replace")
                if record.value is not None and self.documents.holds(name):
                    self._values[name] = record.value

    @property
    def versions(self) -> list[Version]:
        """Oldest first; a document that was enacted twice in a row is one version, as of the first time."""
        found: list[Version] = []
        for enactment in self.documents.enactments:
            if self.documents.holds(enactment.digest) and not (
                found and found[-1].enactment.digest == enactment.digest
            ):
                found.append(Version(enactment, self.documents.get(enactment.digest), in_force=False))
        if found:
            found[-1] = Version(found[-1].enactment, found[-1].definitions, in_force=True)
        return found

    @property
    def present(self) -> Version | None:
        """The version in force, None before a worker has ever started."""
        return self.versions[-1] if self.versions else None

    def document(self, name: str) -> Any:
        """The plain values of a version: "live", or the first digits of a digest; raises SegstreamError."""
        return document_of(self._values[self.digest_of(name)])

    def digest_of(self, name: str) -> str:
        """The whole digest of a version; raises SegstreamError when there is none, or more than one."""
        if name == "live":
            if self.present is None:
                raise SegstreamError("no definitions are in force yet", "start a worker, or apply a file")
            return self.present.enactment.digest
        found = [digest for digest in self._values if digest.startswith(name)]
        if len(found) != 1:
            problem = "is no version" if not found else f"begins the digests of {len(found)} versions"
            raise SegstreamError(f"{name} {problem}", "`segstream definitions history` lists them")
        return found[0]

    def spent_by(self, new: Definitions) -> list[tuple[str, str]]:
        """(dimension, id) of segments that would get the id of a retired one."""
        if self.present is None:
            return []
        return spent([one.definitions for one in self.versions], self.present.definitions, new)

    async def enact(self, document: bytes, enactment: Enactment) -> None:
        """Publish a document, then that it is in force from now on."""
        records = [(enactment.digest.encode(), document), encode_enactment(enactment)]
        await (await self._log.publish(DEFINITIONS_TOPIC, 0, records))

    def value(self, digest: str) -> bytes:
        """A document as it was published."""
        return self._values[digest]

    async def standings(self) -> Sequence[Standing]:
        """Every partition, as its newest checkpoint says."""
        found = []
        for partition in range(self._settings.partitions):
            marked = await newest_marker(self._log, partition)
            if marked is None:
                found.append(Standing(partition, "", 0))
            else:
                marker = marked.marker
                found.append(Standing(partition, marker.definitions, max(marker.customers - marker.cursor, 0)))
        return found


@asynccontextmanager
async def life(settings: Settings) -> AsyncIterator[Life]:
    """What the topics tell now."""
    log = KafkaLog(settings)
    await log.start()
    try:
        found = Life(log, settings)
        await found.read()
        yield found
    finally:
        await log.stop()
