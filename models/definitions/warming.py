"""Categories that new definitions declare: rows know nothing of the clicks before, until time has gone by."""

from __future__ import annotations

import math

from models.customers.row import CATEGORY_TIMES
from models.definitions.dependencies import terms_of
from models.definitions.document import Definitions
from models.features.catalogue import ABSENT_MS, SINCE


def warming(old: Definitions, new: Definitions, adopted_ms: int) -> dict[str, int]:
    """Until when (epoch ms) the answers about each category that `old` did not declare may miss earlier clicks.

    A row begins to keep a category's clicks at the adoption, so "a click within 14 days" is whole 14 days later.
    """
    spans = dict.fromkeys((name for name in new.categories if name not in old.categories), 0)
    for dimension in new.dimensions:
        for segment in dimension.segments:
            for condition in (segment.enter, segment.stay):
                for term in terms_of(condition):
                    place = term.feature.source - CATEGORY_TIMES
                    if term.feature.kind == SINCE and 0 <= place < len(new.categories):
                        name = new.categories[place]
                        asked_ms = math.ceil(term.threshold * term.feature.per_unit)
                        if name in spans and asked_ms < ABSENT_MS:
                            spans[name] = max(spans[name], asked_ms)
    return {name: adopted_ms + span for name, span in spans.items()}
