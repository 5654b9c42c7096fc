"""Customer attributes: demographic, geographic, technographic, firmographic and psychographic, seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

Attributes = dict[str, str | float | bool | None]
"""What a profile event carries."""

COUNTRIES = ("United Kingdom", "Germany", "France", "Netherlands", "Spain", "Portugal", "Sweden", "Ireland")
_COUNTRY_SHARES = (
    0.55,
    0.13,
    0.11,
    0.06,
    0.05,
    0.03,
    0.03,
    0.04,
)  # a UK shop with European customers, like the real one
DEVICES = ("mobile", "desktop", "tablet")
_DEVICE_SHARES = (0.58, 0.36, 0.06)  # usual shares of shop visits
INDUSTRIES = ("gift shop", "hospitality", "events", "interior design", "education")
INTERESTS = ("home", "kitchen", "gifts", "garden", "crafts")
EMPLOYEES_MEDIAN = 9  # wholesale customers are small shops
_AGE_MEAN, _AGE_SPREAD, _AGE_MIN, _AGE_MAX = 44.0, 13.0, 18, 90  # adults


@dataclass(frozen=True, slots=True)
class Profiles:
    """The attributes of every customer, one per row; `employees` is 0 for a private person."""

    country: list[str]
    age: list[int]
    device: list[str]
    newsletter: list[bool]
    interest: list[str]
    employees: list[int]
    industry: list[str]

    def attributes(self, row: int, *, loyalty_member: bool) -> Attributes:
        """The attributes of one customer; only companies have `company_employees` and `industry`."""
        known: Attributes = {
            "country": self.country[row],
            "age": self.age[row],
            "device": self.device[row],
            "newsletter": self.newsletter[row],
            "interest": self.interest[row],
            "loyalty_member": loyalty_member,
        }
        if self.employees[row]:
            known["company_employees"] = self.employees[row]
            known["industry"] = self.industry[row]
        return known


def draw(rng: np.random.Generator, newsletter: Flags, company: Flags, country: list[str] | None = None) -> Profiles:
    """Attributes for as many customers as `newsletter` has rows; `country` where the real one is known."""
    count = len(newsletter)
    age = np.clip(rng.normal(_AGE_MEAN, _AGE_SPREAD, count), _AGE_MIN, _AGE_MAX).astype(np.int64)
    employees = np.where(company, 1 + rng.lognormal(np.log(EMPLOYEES_MEDIAN), 1.0, count), 0).astype(np.int64)
    return Profiles(
        country=country or _choose(rng, COUNTRIES, count, _COUNTRY_SHARES),
        age=age.tolist(),
        device=_choose(rng, DEVICES, count, _DEVICE_SHARES),
        newsletter=newsletter.tolist(),
        interest=_choose(rng, INTERESTS, count),
        employees=employees.tolist(),
        industry=_choose(rng, INDUSTRIES, count),
    )


def _choose(
    rng: np.random.Generator, names: tuple[str, ...], count: int, shares: tuple[float, ...] | None = None
) -> list[str]:
    picks: list[int] = rng.choice(len(names), count, p=shares).tolist()
    return [names[pick] for pick in picks]
