"""Parts of the documents that a worker publishes."""

from __future__ import annotations

import pytest

from stream.codec.digests import Digest, digest_of
from stream.codec.documents import seq_of


@pytest.mark.parametrize(
    "value",
    [
        b'{"event_id":"3-4711","schema_version":1,"customer_id":"c1","seq":4711}',
        b'{"seq": 4711, "event_id": "3-4711"}',
        b'{"customer_id":"{\\"event_id\\":\\"9-9\\",","event_id":"3-4711","seq":4711}',
    ],
)
def test_a_change_tells_its_seq(value: bytes) -> None:
    """From its own bytes and from another writer's; what a customer is called does not matter."""
    assert seq_of(value) == 4711


def test_a_digest_at_once_is_the_digest_in_pieces() -> None:
    """And another content has another one."""
    pieces = Digest()
    pieces.update(b"ab")
    pieces.update(b"c")
    assert pieces.digest() == digest_of(b"abc") != digest_of(b"abd")
