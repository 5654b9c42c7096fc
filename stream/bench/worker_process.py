"""The worker as `segstream worker` runs it, with every setting given: `python -m stream.bench.worker_process JSON`."""

from __future__ import annotations

import sys

from stream.codec import plain_json
from stream.settings import Settings
from stream.worker.main import run

if __name__ == "__main__":
    sys.exit(run(Settings(**plain_json.decode(sys.argv[1]))))
