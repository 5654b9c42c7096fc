"""Attributes, also of text, as numbers that a row can hold."""

from __future__ import annotations

import hashlib
from typing import Any


def string_value(text: str) -> float:
    """A string attribute as a number the row can hold: 52 bits of its hash, exact in a double."""
    return float(
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 12
    )


def attribute_value(value: Any, kind: str) -> float:
    """An attribute as a row holds it: a number as it is, a text as 52 bits of its hash, NaN when absent."""
    if value is None:
        return float("nan")
    if kind == "number":
        return float(value) if isinstance(value, int | float) else float("nan")
    return string_value(str(value).lower() if isinstance(value, bool) else str(value))
