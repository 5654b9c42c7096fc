"""Enactments: the records of segment-definitions that say which document is in force from now on."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from models.definitions.document import Definitions
from models.definitions.language import parse
from stream.codec.definitions import document_of

WORKER, APPLY, ROLLBACK = "worker", "apply", "rollback"  # a worker's own file, or by hand
MESSAGE_MAX = 500  # characters: a subject line and a sentence
TIME_MS_MAX = 2**53  # exact in JSON everywhere
_DIGEST = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Enactment:
    """A document, named by its digest, comes into force: when (wall clock), by what, and why."""

    digest: str
    at_ms: int
    by: str
    message: str = ""


def encode_enactment(enactment: Enactment) -> tuple[bytes, bytes]:
    """Key and value of the record. Each has a key of its own: the topic is compacted, and history is kept."""
    key = f"enacts-{enactment.at_ms:013d}-{enactment.digest}"
    value = {"enacts": enactment.digest, "at": enactment.at_ms, "by": enactment.by, "message": enactment.message}
    return key.encode(), orjson.dumps(value)


def decode_record(value: bytes) -> Definitions | Enactment:
    """What a record of segment-definitions is; raises ValueError when it is neither whole."""
    document = document_of(value)
    if not isinstance(document, dict) or "enacts" not in document:
        return parse(document, recorded=True)
    digest, at_ms, by, message = (document.get(key) for key in ("enacts", "at", "by", "message"))
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError("enacts no digest")
    if not isinstance(at_ms, int) or not 0 <= at_ms <= TIME_MS_MAX or by not in (WORKER, APPLY, ROLLBACK):
        raise ValueError("is not an enactment of this version")
    if not isinstance(message, str) or len(message) > MESSAGE_MAX:
        raise ValueError(f"has a message beyond {MESSAGE_MAX} characters")
    return Enactment(digest, at_ms, by, message)
