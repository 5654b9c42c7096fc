"""`segstream personas --approve`: what it says it does, or why it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.clusters.snapshot import Snapshot, digest
from stream.codec.definitions import encode_approval, encode_snapshot, load
from stream.errors import SegstreamError
from stream.kafka.follow import Followed
from stream.worker.documents import MODELS_TOPIC, Documents
from stream.worker.published import approvable
from tests.core import snapshot


def held(version: int) -> Snapshot:
    """A model that waits for approval."""
    return replace(snapshot((1, 10.0), (2, 100.0), version=version), held=True)


def documents_of(*values: bytes) -> Documents:
    """What a worker knows after these records of segment-models."""
    found = Documents(load("")[0])
    assert not found.add(MODELS_TOPIC, [Followed(0, i, 0, b"", value) for i, value in enumerate(values)])
    return found


def test_a_held_model_may_be_approved_while_nothing_newer_is_in_force() -> None:
    """Before any model, over an older one, and once more."""
    old, new = replace(held(5), held=False), held(6)
    name = digest(new)
    for records in (
        [encode_snapshot(new)],
        [encode_snapshot(old), encode_snapshot(new)],
        [encode_snapshot(new), encode_approval(name)[1]],
    ):
        known = documents_of(*records)
        assert approvable(known, name) == new
        known.add(MODELS_TOPIC, [Followed(0, 9, 0, b"", encode_approval(name)[1])])
        assert known.snapshot == new, "what was let through is adopted"


def test_a_model_that_no_worker_would_adopt_is_refused_and_told_why() -> None:
    """Older than the one in force: an approval would change nothing, so it is not said to be done."""
    old, new = held(5), replace(held(6), held=False)
    known = documents_of(encode_snapshot(old), encode_snapshot(new))
    with pytest.raises(SegstreamError, match="version 5, 6 is in force") as caught:
        approvable(known, digest(old))
    assert "--newest" in caught.value.advice
    known.add(MODELS_TOPIC, [Followed(0, 9, 0, b"", encode_approval(digest(old))[1])])
    assert known.snapshot == new, "the refusal was right"


@pytest.mark.parametrize("name", ["0123456789abcdef", load("")[0].digest])
def test_only_models_can_be_approved(name: str) -> None:
    """A digest of nothing, or of definitions."""
    with pytest.raises(SegstreamError, match="there is no model"):
        approvable(documents_of(), name)
