"""Nesting is judged by the bytes alone, and the same wherever the parser runs."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.events import CLICK
from stream.codec.depth import DEPTH_MAX, FLAT_BYTES_MAX, is_too_deep
from tests.unit.test_codec_events import of, reason

CLICK_PAYLOAD = {"event_id": "e", "customer_id": "c", "ts": 1_700_000_000_000, "action": "view"}


def nested(depth: int) -> Any:
    """A click whose JSON is nested so deep: the object itself is the first level."""
    text = json.dumps(CLICK_PAYLOAD)[:-1] + ', "x": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    return text.encode()


def test_the_limit_is_the_same_at_every_depth_of_the_stack() -> None:
    """A record that is legal live is legal in a recovery that calls from elsewhere: the bytes alone decide."""

    def from_below(frames: int, depth: int) -> str:
        return from_below(frames - 1, depth) if frames else reason(of(CLICK, nested(depth)))

    for frames in (0, 100, 400):
        assert from_below(frames, DEPTH_MAX) == ""
        assert from_below(frames, DEPTH_MAX + 1) == "malformed"
    assert "nested deeper than" in of(CLICK, nested(DEPTH_MAX + 1)).refused[0][1].detail


def test_what_is_not_looked_at_cannot_be_too_deep() -> None:
    """Every level takes an opening and a closing bracket."""
    assert not is_too_deep(b"[" * (FLAT_BYTES_MAX // 2) + b"]" * (FLAT_BYTES_MAX // 2))


def test_brackets_in_texts_nest_nothing() -> None:
    """A page full of brackets is a long text, also when it has quotes and backslashes of its own."""
    for page in ("[{" * 5_000, '\\"[' * 5_000, "\\\\" * 9 + "[" * 5_000):
        assert reason(of(CLICK, {**CLICK_PAYLOAD, "page": page})) == ""


VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='{"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    """Levels of lists and objects."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(VALUES, st.integers(DEPTH_MAX - 8, DEPTH_MAX + 8))
def test_the_depth_of_any_value_is_seen(value: Any, around: int) -> None:
    """Whatever is inside, wrapped in brackets up to around the limit."""
    text = b"[" * around + json.dumps(value).encode() + b"]" * around
    assert is_too_deep(text) == (around + depth_of(value) > DEPTH_MAX)
