"""Memberships and dead letters as JSON bytes. Same values, same bytes, on every machine. Changes: see changes.py."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from stream.codec.columns import Refusal

PAYLOAD_BYTES_MAX = 4096  # of a dead letter: enough to see what it was


def seq_of(value: bytes) -> int:
    """The seq of a change's record value: from its event_id, which comes first, or else from the whole of it."""
    found = _EVENT_ID(value)
    return int(found[1]) if found else int(orjson.loads(value)["seq"])


_EVENT_ID = re.compile(rb'\{"event_id":"\d+-(\d+)",').match  # a third of the time that parsing takes


def address_of(value: bytes) -> tuple[str, int]:
    """Topic and offset of the record that a dead letter refuses."""
    letter = orjson.loads(value)
    return str(letter["topic"]), int(letter["offset"])


def encode_checkpoint_mark(seq: int, changes_offset: int) -> bytes:
    """The value of the memberships' `_checkpoint` key: what the memberships of this partition hold."""
    return orjson.dumps({"seq": seq, "changes_offset": changes_offset})


def encode_dead_letter(topic: str, partition: int, record: Any, refusal: Refusal) -> bytes:
    """A refused record with its address, reason and bounded payload."""
    payload = (record.value or b"")[:PAYLOAD_BYTES_MAX]
    return orjson.dumps(
        {
            "topic": topic,
            "partition": partition,
            "offset": record.offset,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "payload": base64.b64encode(payload).decode(),
            "key": (record.key or b"")[:PAYLOAD_BYTES_MAX].decode(errors="replace"),
        }
    )
