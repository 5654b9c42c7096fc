"""`python -m stream.cli`: the same as the console script, where that is not installed."""

from __future__ import annotations

import sys

from stream.cli import main

if __name__ == "__main__":
    sys.exit(main())
