"""The shell: everything that waits, fails, or knows the time.

How to read it: `cli` builds and prints; `worker` turns batches into changes; `codec` is the only place that
knows bytes; `kafka` the only place that knows brokers and topics; `metrics` what is counted; `settings` and
`clock` are the only readers of the environment and of the time. Decisions about customers are made in
`models`, never here.
"""

from __future__ import annotations

__version__ = "0.1.0"  # the same as in pyproject.toml, compared by tests/house
