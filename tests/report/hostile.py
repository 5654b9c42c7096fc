"""Texts that want to be code, and documents made of them."""

from __future__ import annotations

from typing import Any

HOSTILE = (
    "</script><script>hit()</script>",
    "</script x='><script>hit()</script>",
    '"><img src=x onerror=hit()>',
    "' onmouseover='hit()",
    "<!--<script>",
    "{b|rich} {a} ${hit()} javascript:hit()",
    "\u2028</style><svg onload=hit()>",
)
STRUCTURE = {"kind", "period", "format", "first", "last", "unit"}
"""Fields that the page's code looks at and no input can name; everything else may say anything."""


def poisoned(value: Any, text: str, key: str = "") -> Any:
    """A document in which every text ends in `text`, names in lists and keys too; equal ones stay equal."""
    if isinstance(value, dict):
        return {
            name if key not in {"values", "points"} else f"{name}{text}": poisoned(one, text, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [poisoned(one, text, key) for one in value]
    return f"{value}{text}" if isinstance(value, str) and key not in STRUCTURE else value
