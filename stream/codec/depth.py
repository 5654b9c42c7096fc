"""How deeply JSON may be nested, told from its bytes alone.

A parser's own limit is the space left on the stack: another one live than in a recovery, so it must never decide.
"""

from __future__ import annotations

import re

import numpy as np

DEPTH_MAX = 256  # no event needs ten; far below what any stack holds (Python's own limit is 1,000)
FLAT_BYTES_MAX = 2 * DEPTH_MAX  # what is no longer cannot be nested deeper: each level takes two brackets
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)  # brackets in texts nest nothing


def is_too_deep(value: bytes) -> bool:
    """Whether a JSON text is nested deeper than DEPTH_MAX. Of what is no JSON, never less than a parser would see."""
    if value.count(b"{") + value.count(b"[") <= DEPTH_MAX:  # almost always: two scans of memory
        return False
    signs = np.frombuffer(_STRING.sub(b"", value), np.uint8)
    opened = (signs == ord("{")) | (signs == ord("["))
    closed = (signs == ord("}")) | (signs == ord("]"))
    return bool((np.cumsum(opened.astype(np.int64) - closed).max(initial=0)) > DEPTH_MAX)
