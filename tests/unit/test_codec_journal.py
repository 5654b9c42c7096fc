"""Journal entries and checkpoint parts: what is written is what is read."""

from __future__ import annotations

import msgspec
import pytest

from stream.codec import journal, state

ENTRIES: list[journal.Entry] = [
    journal.Claim("worker", "cluster", "group", "f00", 1),
    journal.Batch(3, (journal.Position(0, 5, 9, 4, 2**64 - 1),), 7, 8),
    journal.Batch(3, (), 7, 8, (journal.Embedded(3, 1, 2, b"k", None), journal.Embedded(3, 2, 2, None, b""))),
    journal.Tick(3, 7, 100, 8),
    journal.Adopt(3, "model", "abc", 7, 8),
    journal.Rejudge(3, 0, 10, 8),
    journal.Decision(3, ("new-engine",), -1, 7, 2, 1, 0, "ops", "upgrade", 8),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_comes_back_as_it_was(entry: journal.Entry) -> None:
    """Kind and fields; a null value stays apart from an empty one."""
    assert journal.decode(journal.encode(entry)) == entry


@pytest.mark.parametrize("value", [b"", b"{}", b"\x91\xa5other", journal.encode(ENTRIES[1])[:-2]])
def test_what_is_no_entry_is_refused(value: bytes) -> None:
    """Garbage, an unknown kind, half an entry."""
    with pytest.raises(msgspec.MsgspecError):
        journal.decode(value)


def test_rows_come_back_as_they_were() -> None:
    """Packed rows with their ids."""
    rows = state.Rows(b"slots", b"due", b"rows", "aü".encode(), b"\1\0\2\0")
    assert state.decode_rows(state.encode(rows)) == rows
