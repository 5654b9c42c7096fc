"""Any JSON to plain values and back: for what has no schema here (simulated events, files, published
changes).
"""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number")  # Parquet has decimals, JSON numbers
_DECODER = msgspec.json.Decoder()


def encode(value: object) -> bytes:
    """Return a value as JSON, compact, keys in their order; the bytes own no spare memory.

    NaN and infinities become null: check before, where they may come.

    Raises
    ------
    TypeError, ValueError : JSON has no word for it (also lone surrogates and integers beyond 64 bits).
    """
    return _ENCODER.encode(value)


def decode(text: bytes | str) -> Any:
    """Return the plain value of a JSON text.

    Raises
    ------
    ValueError : it is not JSON (also NaN, and numbers that no float holds).
    """
    return _DECODER.decode(text)
