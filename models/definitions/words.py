"""Conditions as people write them, and values in the unit that they are compared in."""

from __future__ import annotations

import math

from models.definitions.document import Term
from models.features.catalogue import ABSENT_MS, SINCE


def written(term: Term) -> str:
    """A comparison as it is written in a document: "recent_orders in 30 days >= 3"."""
    if term.op == "present":
        return f"{term.name} present"
    value = f'"{term.text}"' if term.text else f"{term.threshold:.10g}"
    return f"{term.name} {term.op} {value}"


def value_in_words(term: Term, native: float) -> str:
    """A reading in the unit that its comparison is written in: "61.5 days", "never", "absent"."""
    if math.isnan(native):
        return "absent"
    if term.feature.kind == SINCE and native >= ABSENT_MS:
        return "never"
    if term.text:
        return f'"{term.text}"' if native == term.threshold else "another"
    unit = f" {term.feature.unit}" if term.feature.unit == "days" else ""
    return f"{native / term.feature.per_unit:.6g}{unit}"
