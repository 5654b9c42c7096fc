"""Seeded events: simulated customers with a known truth, and a year of real purchases with simulated company.

`events` and `truth` make any number of customers of the `ARCHETYPES`; `retail_year` lays simulated clicks,
e-mails and profiles over the real purchases of UCI Online Retail (semi-synthetic). Same seed, same bytes.
"""

from stream.simulate.archetypes import ARCHETYPES, TRUTH_DAYS_MIN, Archetype
from stream.simulate.generator import SimulatedEvent, events
from stream.simulate.population import Truth, truth
from stream.simulate.retail import RetailYear, retail_year
from stream.simulate.retail_orders import retail_path

__all__ = [
    "ARCHETYPES",
    "TRUTH_DAYS_MIN",
    "Archetype",
    "RetailYear",
    "SimulatedEvent",
    "Truth",
    "events",
    "retail_path",
    "retail_year",
    "truth",
]
