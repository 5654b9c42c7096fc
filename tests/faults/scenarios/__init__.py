"""Everything that is done to workers, brokers and inputs, each as data and a driver; a seed makes all choices."""

from __future__ import annotations

from tests.faults.scenarios import broker, dying, inputs, slow
from tests.faults.scenarios.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (*dying.SCENARIOS, *broker.SCENARIOS, *inputs.SCENARIOS, *slow.SCENARIOS)
BY_NAME = {one.name: one for one in SCENARIOS}
LAWS = {one.name: one.what for one in SCENARIOS}

__all__ = ["BY_NAME", "LAWS", "SCENARIOS", "Scenario"]
