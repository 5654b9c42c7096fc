"""The place in docs/reliability.md that the command writes."""

from __future__ import annotations

import re

PLACE = re.compile(r"(<!-- faults: [^>]* -->\n).*?(<!-- /faults -->)", re.DOTALL)


def rewritten(page: str, said: str) -> str:
    """The page with what was said between its markers.

    Raises
    ------
    ValueError : it has no such place.
    """
    if not PLACE.search(page):
        raise ValueError("the page has no <!-- faults: ... --> and <!-- /faults -->")
    return PLACE.sub(lambda found: f"{found[1]}{said}{found[2]}", page)
