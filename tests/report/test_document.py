"""The figures of a report add up to those of the run."""

from __future__ import annotations

import numpy as np
import pytest

from models.events import MINOR_PER_MAJOR
from stream.backtest.periods import MONTH, WEEK, first_day, number_of
from stream.backtest.reading import FileSource
from stream.backtest.run import backtest
from tests.report.conftest import DAY_MS, Made, task


def test_counting_periods_changes_nothing(made: Made) -> None:
    """A report is about a run as it is without one."""
    plain = backtest([FileSource(made.path)], task(periods=False))
    assert plain.variants[0].digest == made.result.variants[0].digest
    assert plain.calendar is None


@pytest.mark.parametrize("kind", [MONTH, WEEK])
def test_a_period_begins_where_its_number_says(kind: str) -> None:
    """The first day of a period lies in it, the day before in the one before."""
    for day in range(0, 25_000, 13):
        number = number_of(kind, day * DAY_MS)
        first = (first_day(kind, number) - first_day(MONTH, 0)).days * DAY_MS
        assert number_of(kind, first) == number
        assert number_of(kind, first - 1) == number - 1


def test_everybody_goes_somewhere(made: Made) -> None:
    """Who a period ends with is who the next begins with, and the last ends as the run does."""
    assert made.result.calendar is not None
    codes = made.result.variants[0].codes
    for periods in (made.result.calendar.months, made.result.calendar.weeks):
        ends = [np.bincount(one.keys % codes.total, one.counts, codes.total) for one in periods]
        begins = [np.bincount(one.keys // codes.total, one.counts, codes.total) for one in periods]
        noone = list(codes.first)  # code 0 of each dimension: newcomers come from it
        for end, begin in zip(ends, begins[1:], strict=False):
            assert np.delete(end, noone).tolist() == np.delete(begin, noone).tolist()
        for d, dimension in enumerate(made.document["dimensions"]):
            for row in dimension["segments"]:
                code = made.result.variants[0].names(d).index(row["name"])
                assert code == 0 or ends[-1][codes.first[d] + code] == row["customers"]


def test_cohorts_hold_every_buyer_and_all_spend(made: Made) -> None:
    """Each buyer has one first order; each order's money is in one period."""
    customers, found = made.result.customers, made.document["cohorts"]
    assert sum(one["size"] for one in found["cohorts"]) == made.document["figures"]["buyers"]
    spent = int(customers.spend_minor[customers.orders > 0].sum()) / MINOR_PER_MAJOR
    assert sum(found["revenue_new"]) + sum(found["revenue_returning"]) == pytest.approx(spent, abs=0.5)


def test_grids_and_curves_hold_every_buyer(made: Made) -> None:
    """Quintiles part the buyers; the curve ends with all of the spend and never falls."""
    document = made.document
    assert sum(map(sum, document["rfm"]["customers"])) == document["figures"]["buyers"]
    curve = document["concentration"]["curve"]
    assert (curve[0], curve[-1]) == (0.0, 1.0)
    assert curve == sorted(curve)


def test_sizes_end_as_the_run_ends(made: Made) -> None:
    """The last point of each curve is the size in the table."""
    for dimension in made.document["dimensions"]:
        last = {name: values[-1] for name, values in dimension["sizes"]["values"].items()}
        assert {row["name"]: row["customers"] for row in dimension["segments"] if row["name"] in last} == last


def test_a_segment_is_told_once(made: Made) -> None:
    """Also one that somebody calls "none", as those without an answer are called."""
    for dimension in made.document["dimensions"]:
        names = [row["name"] for row in dimension["segments"]]
        assert len(set(names)) == len(names)


def test_flows_lead_to_the_sizes(made: Made) -> None:
    """What flows into a segment in the last step is its size."""
    for dimension in made.document["dimensions"]:
        last = len(dimension["flows"]["steps"]) - 2
        into: dict[str, int] = {}
        for step, _, end, count in dimension["flows"]["links"]:
            if step == last:
                into[end] = into.get(end, 0) + count
        assert all(into.get(row["name"], 0) == row["customers"] for row in dimension["segments"])


def test_every_cluster_is_on_the_map(made: Made) -> None:
    """With a persona, a prototype and its members."""
    found = made.document["clusters"]
    assert {one["segment"] for one in found["personas"]} <= {one["name"] for one in found["prototypes"]}
    assert sum(map(len, found["points"].values())) == found["customers"]
