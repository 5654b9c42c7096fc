"""A picture of a report's beginning, for the documents: `python -m tests.report REPORT.html PICTURE.png`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.report.chromium import tab

WIDTH, HEIGHT = 1060, 1930  # from the title to the first flow chart: what a reader sees of it on a page

if __name__ == "__main__":
    with tab() as page:
        page.open(Path(sys.argv[1]), WIDTH)
        Path(sys.argv[2]).write_bytes(page.picture(height=HEIGHT))
