"""Digests of what is too large to hold at once: fed piece by piece, the same however the pieces are cut."""

from __future__ import annotations

import xxhash

FILE_PIECE_BYTES = 1 << 20  # of a file at a time


class Digest:
    """xxh3 128-bit over bytes in order: tells contents apart at memory speed; it is no seal against forgery."""

    def __init__(self) -> None:
        self._state = xxhash.xxh3_128()

    def update(self, content: bytes | memoryview) -> None:
        """Go on with more bytes."""
        self._state.update(content)

    def digest(self) -> bytes:
        """The 16 bytes so far."""
        return self._state.digest()

    def hexdigest(self) -> str:
        """The same as 32 hexadecimal digits."""
        return self._state.hexdigest()


def digest_of(content: bytes) -> bytes:
    """The digest of some bytes at once, 16 bytes."""
    return xxhash.xxh3_128_digest(content)


def file_digest(path: str) -> str:
    """The digest of a file's bytes; raises OSError when it cannot be read."""
    digest = Digest()
    with open(path, "rb") as file:  # noqa: PTH123 - a plain path is what every caller has
        while piece := file.read(FILE_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
