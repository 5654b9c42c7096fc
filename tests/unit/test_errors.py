"""The one exception."""

from __future__ import annotations

import copy

from stream.errors import SegstreamError


def test_an_error_says_what_happened_and_what_to_do() -> None:
    """Both sentences are in what a log shows."""
    assert str(SegstreamError("the port is taken", "use another")) == "the port is taken; use another"


def test_an_error_survives_being_copied() -> None:
    """Process pools rebuild exceptions from their arguments; the advice must not be lost."""
    twin = copy.copy(SegstreamError("a", "b"))
    assert (twin.message, twin.advice) == ("a", "b")
