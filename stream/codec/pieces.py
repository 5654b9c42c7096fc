"""Texts put together from prepared pieces, by compiled code.

A position of -1, taken or given, means "not the plain case": whoever asked has it written by plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import copy, kernel
from models.times import TEXT_BYTES, write_time

QUOTE, BACKSLASH, SPACE = ord('"'), ord("\\"), 0x20


OUT_BYTES = 1 << 20  # written before Python takes it: a thousand texts


class Scribe:
    """The buffer that compiled code writes many texts into, one after the other, before Python takes them out."""

    def __init__(self) -> None:
        self._out = np.empty(OUT_BYTES, np.uint8)

    def write(self, count: int, some: Callable[[int, Any, Any, Any], int]) -> tuple[list[bytes], list[int]]:
        """So many texts, and the places of those that are not plain, which are empty.

        Parameters
        ----------
        some : called with (first to write, buffer, ends, plain), the last two [count] for it to fill; it writes from
            the first on while there is room and returns how many are written then.
        """
        texts: list[bytes] = []
        ends, plain = np.empty(count, np.int64), np.empty(count, np.bool_)
        while (done := len(texts)) < count:
            written = some(done, self._out, ends, plain)
            if written == done:
                self._out = np.empty(2 * len(self._out), np.uint8)  # a text of uncommon length
                continue
            whole = self._out[: ends[written - 1]].tobytes()
            texts.extend([whole[begin:end] for begin, end in pairwise([0, *ends[done:written].tolist()])])
        return texts, np.flatnonzero(~plain).tolist()


class Desk:
    """Texts on their way into arrays; the same text is kept once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Where in `span` the text is, or will be."""
        return self._places.setdefault(text, len(self._places))

    def places(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The same of several; something of length 1 for none."""
        return np.array([self.place(text) for text in texts] or [0], np.int64)

    def constants(self, texts: Sequence[str]) -> None:
        """The first pieces, which have fixed places: all different."""
        for place, text in enumerate(texts):
            if self.place(text) != place:
                raise AssertionError(f"the piece {text!r} is there twice")

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """(all bytes, [pieces, 2] first byte and length of each)."""
        encoded = [text.encode() for text in self._places]
        sizes = np.array([len(one) for one in encoded], np.int64)
        spans = np.stack((np.cumsum(sizes) - sizes, sizes), axis=1)
        return np.frombuffer(b"".join(encoded), np.uint8), spans


@kernel
def put(out: Any, at: int, pieces: Any, place: int) -> int:
    """A piece as it is."""
    if at < 0 or place < 0:
        return -1
    start, length = pieces.span[place, 0], pieces.span[place, 1]
    copy(out, at, pieces.text, start, length)
    return at + length  # type: ignore[no-any-return]  # a cell of a numpy array is in it


@kernel
def inside(out: Any, at: int, pieces: Any, place: int) -> int:
    """A piece that is a JSON string, without its quotes."""
    if at < 0 or place < 0:
        return -1
    start, length = pieces.span[place, 0] + 1, pieces.span[place, 1] - 2
    copy(out, at, pieces.text, start, length)
    return at + length  # type: ignore[no-any-return]  # as above


@kernel
def text(out: Any, at: int, data: Any, start: int, stop: int) -> int:
    """Bytes of UTF-8 as they are; -1 when one of them must be escaped."""
    if at < 0:
        return -1
    for k in range(start, stop):
        sign = data[k]
        if sign < SPACE or sign == QUOTE or sign == BACKSLASH:  # noqa: PLR1714, SIM109 - numba compiles `in` slower
            return -1
        out[at] = sign
        at += 1
    return at


@kernel
def sign(out: Any, at: int, character: int) -> int:
    """One ASCII character."""
    if at < 0:
        return -1
    out[at] = character
    return at + 1


@kernel
def time(out: Any, at: int, ms: int) -> int:
    """A time in ISO 8601, UTC, to the millisecond."""
    if at < 0:
        return -1
    write_time(ms, out, at)
    return at + TEXT_BYTES
