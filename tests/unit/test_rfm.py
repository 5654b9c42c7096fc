"""The ten RFM segments: the published table of Online Retail, and what ties do to equal customers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.definitions.compile import STACK_MAX
from models.definitions.evaluate import answer, compare
from models.engine import judge_of
from models.rfm import GRID, NAMES, SCORES, by_cuts, by_rank, split
from stream.cli import main
from stream.codec.definitions import load
from stream.simulate import retail_path

PUBLISHED = {
    "hibernating": 1071, "at risk": 593, "can't lose": 63, "about to sleep": 352, "need attention": 187,
    "loyal": 819, "promising": 94, "new customer": 42, "potential loyalist": 484, "champions": 633,
}  # fmt: skip
BY_CUTS = {
    "hibernating": 1335, "loyal": 688, "champions": 604, "potential loyalist": 484, "about to sleep": 478,
    "at risk": 328, "promising": 169, "need attention": 121, "new customer": 67, "can't lose": 64,
}  # fmt: skip
CUTS = (1.0, 2.0, 3.0, 5.0)
customers = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 30)), min_size=1, max_size=80)


@pytest.mark.parametrize(("ties", "expected"), [("first", PUBLISHED), ("equal", BY_CUTS)])
def test_online_retail_gives_the_published_table(
    ties: str, expected: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Customer for customer, at 2011-12-11, and the other table beside it; the mapping is recognised."""
    assert main(["rfm", str(retail_path()), "--at", "2011-12-11", "--ties", ties, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: one["customers"] for name, one in found["segments"].items()} == expected
    assert found["customers"] == 4338
    assert found["recency_cuts_days"] == [13.8, 33, 72, 180]
    if ties == "first":
        assert (found["segments"]["champions"]["share"], found["segments"]["champions"]["revenue_share"]) == (
            0.1459,
            0.4871,
        )
        assert {name: one["customers"] for name, one in found["segments_ties_equal"].items()} == BY_CUTS
    assert found["difference"]["customers_in_split_groups"] > 0


def test_the_map_is_that_of_the_shipped_dimension() -> None:
    """All 25 pairs of scores have the segment that the compiled definitions answer."""
    judge = judge_of(load("")[0], None)
    d = [one.name for one in judge.definitions.dimensions].index("rfm")
    plan, stack = judge.rules.plan, np.zeros(STACK_MAX, np.bool_)
    for recency in range(1, SCORES + 1):
        for frequency in range(1, SCORES + 1):
            score = {"recency_score": float(recency), "frequency_score": float(frequency), "orders": 1.0}
            truth = np.array(
                [compare(score.get(one.feature.name, 0.0), plan.terms[k]["op"], plan.terms[k]["threshold"])
                 for k, one in enumerate(judge.terms)]
            )  # fmt: skip
            name = judge.segment_name(d, answer(plan, d, 0, truth, stack))
            assert name == GRID[recency - 1][frequency - 1]
    assert {name for row in GRID for name in row} == set(NAMES)


@given(customers)
def test_by_cut_points_equal_customers_have_an_equal_segment(found: list[tuple[int, int]]) -> None:
    """Whatever their order; and by ranks each fifth is as large, to one customer."""
    days, orders = np.array(found).T
    segments = by_cuts(days, orders, CUTS).segments()
    assert len(set(zip(found, segments, strict=True))) == len(set(found))
    backwards = by_cuts(days[::-1], orders[::-1], CUTS).segments()
    assert segments == backwards[::-1]
    sizes = Counter(by_rank(days, orders).frequency.tolist())
    if len(found) >= SCORES:
        assert max(sizes.values()) - min(sizes.values()) <= 1


def test_ranks_split_customers_who_did_the_same() -> None:
    """Ten customers, all alike: the published form makes two segments of them, cut points one."""
    days, orders = np.full(10, 10), np.full(10, 1)
    found = split(days, orders, by_rank(days, orders), by_cuts(days, orders, CUTS))
    assert (found.groups, found.customers) == (1, 10)
    assert found.one_order == dict.fromkeys(range(1, SCORES + 1), 2)


def test_without_an_order_it_is_said_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of nothing would pass for an answer."""
    file = tmp_path / "orders.csv"
    file.write_text("order_id,customer_id,ordered_at,amount\n1,a,2025-01-01,0\n", "utf-8")
    assert main(["rfm", str(file), "--mapping", "orders"]) == 2
    assert "there is no order" in capsys.readouterr().err
