"""String attributes as numbers that a row can hold."""

from __future__ import annotations

import hashlib


def string_value(text: str) -> float:
    """A string attribute as a number the row can hold: 52 bits of its hash, exact in a double."""
    return float(
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 12
    )
