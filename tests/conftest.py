"""Hypothesis profiles, and an environment that is the same for everybody."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Reproducible by default; a nightly run may search wider.
settings.register_profile(
    "default",
    deadline=None,  # the first example compiles kernels
    derandomize=True,  # the same examples in every run and on every machine: a failure can be repeated
    suppress_health_check=[HealthCheck.too_slow],  # as above
)
settings.register_profile("search", deadline=None, max_examples=2_000, derandomize=False)  # HYPOTHESIS_PROFILE=search
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the developer's SEGSTREAM_ variables away, but the cache: it holds downloads, not behaviour."""
    for name in list(os.environ):
        if name.startswith("SEGSTREAM_") and name != "SEGSTREAM_CACHE":
            monkeypatch.delenv(name)
