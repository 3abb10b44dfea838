"""Breakage, worked by hand, and what is answered when there is too little to go by."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.breakage import (
    BreakageStatus,
    Cohort,
    Flow,
    Flows,
    estimate,
    observe,
)
from services.points.domain.liability import Figures, breakage_by_group

JAN, FEB, MAR, APR, MAY = range(24_312, 24_317)
"""2026, whose January is 2026 * 12 months after the year 0."""


def worked_example() -> dict[Cohort, dict[int, Flow]]:
    """Points that can be used in the month of earning and the two after it, seen in April.

    ============  =======================  =====================  ====================
    cohort        age 0                    age 1                  age 2
    ============  =======================  =====================  ====================
    January       1000 at risk, 100 used   900 at risk, 300 used  600 at risk, 60 used
    February      2000 at risk, 500 used   1500 at risk, 300 used in April: not over
    March         1000 at risk, 200 used   in April: not over
    ============  =======================  =====================  ====================

    r(0) = (100 + 500 + 200) / (1000 + 2000 + 1000) = 800/4000 = 1/5
    r(1) = (300 + 300) / (900 + 1500) = 600/2400 = 1/4
    r(2) = 60/600 = 1/10

    Outstanding in April: 540 of January, not yet posted as expired, so that all of it is broken;
    1200 of February of age 2: 1200 * 9/10 = 1080; 800 of March of age 1:
    800 * 3/4 * 9/10 = 540; 400 of April of age 0: 400 * 4/5 * 3/4 * 9/10 = 216.
    """
    return {
        Cohort(JAN, MAR): {
            JAN: Flow(entered=1000, redeemed=100),
            FEB: Flow(redeemed=300),
            MAR: Flow(redeemed=60),
        },
        Cohort(FEB, APR): {FEB: Flow(entered=2000, redeemed=500), MAR: Flow(redeemed=300)},
        Cohort(MAR, MAY): {MAR: Flow(entered=1000, redeemed=200)},
        Cohort(APR, MAY + 1): {APR: Flow(entered=400)},
    }


def test_the_shares_redeemed_by_age_are_those_worked_by_hand() -> None:
    ages = observe(worked_example(), APR)
    assert {
        age: (len(each.cohorts), each.at_risk, each.redeemed) for age, each in ages.items()
    } == {
        0: (3, 4000, 800),
        1: (2, 2400, 600),
        2: (1, 600, 60),
    }
    assert [each.kept for each in ages.values()] == [
        Fraction(4, 5),
        Fraction(3, 4),
        Fraction(9, 10),
    ]


def test_the_estimate_is_the_one_worked_by_hand() -> None:
    found = estimate(worked_example(), APR, cohorts_min=1, points_min=1)
    assert found.status is BreakageStatus.ESTIMATED
    assert found.amount == 540 + 1080 + 540 + 216
    assert (found.not_estimated, found.cohorts) == (0, 3)


def test_each_group_has_its_own_cohorts_part_of_the_estimate_and_they_add_up() -> None:
    """540, 1080, 540 and 216 of the cohorts, two of which two groups share."""
    found = estimate(worked_example(), APR, cohorts_min=1, points_min=1)
    january, february = Cohort(JAN, MAR), Cohort(FEB, APR)
    march, april = Cohort(MAR, MAY), Cohort(APR, MAY + 1)
    here = Figures(outstanding=900, ending={january: 540, february: 400})
    there = Figures(outstanding=2000, ending={february: 800, march: 800, april: 400})
    never = Figures(outstanding=70)
    assert breakage_by_group(found, [here, there, never]) == [540 + 360, 720 + 540 + 216, 0]


def test_parts_of_points_are_weighed_exactly() -> None:
    found = replace(estimate(worked_example(), APR, cohorts_min=1, points_min=1), amount=10)
    # 10 of March's and 3 of April's: 27/4 and 81/50 are expected, of 837/100 together.
    groups = [Figures(ending={Cohort(MAR, MAY): 10}), Figures(ending={Cohort(APR, MAY + 1): 3})]
    assert breakage_by_group(found, groups) == [8, 2]


def test_parts_of_the_estimate_are_whole_points_by_largest_remainder() -> None:
    flows = {Cohort(JAN, MAR): {JAN: Flow(entered=300, redeemed=1)}}
    found = estimate(flows, FEB, cohorts_min=1, points_min=1)
    assert found.amount == 0  # ages 1 and 2 were never seen
    assert breakage_by_group(found, [Figures(ending={Cohort(JAN, MAR): 299})]) == [0]
    due = estimate(flows, APR, cohorts_min=1, points_min=1)
    assert due.amount == 299
    thirds = [Figures(ending={Cohort(JAN, MAR): part}) for part in (100, 100, 99)]
    assert breakage_by_group(due, thirds) == [100, 100, 99]


def test_what_must_pass_an_age_seen_too_seldom_is_told_apart() -> None:
    found = estimate(worked_example(), APR, cohorts_min=2, points_min=1000)
    assert found.status is BreakageStatus.PARTLY_ESTIMATED
    assert found.known_ages == {0, 1}
    # Only January's, whose end has come, needs no age; all others pass age 2.
    assert (found.amount, found.not_estimated) == (540, 1200 + 800 + 400)


@pytest.mark.parametrize(
    ("cohorts_min", "points_min", "known"),
    [
        (1, 600, {0, 1, 2}),
        (1, 601, {0, 1}),
        (1, 2_400, {0, 1}),
        (1, 2_401, {0}),
        (1, 4_001, set()),
        (2, 1, {0, 1}),
        (3, 1, {0}),
        (4, 1, set()),
    ],
)
def test_an_age_is_known_where_cohorts_and_points_enough_were_seen_at_it(
    cohorts_min: int, points_min: int, known: set[int]
) -> None:
    found = estimate(worked_example(), APR, cohorts_min, points_min)
    assert found.known_ages == known
    assert (found.cohorts_required, found.points_required) == (cohorts_min, points_min)


def test_one_point_of_one_cohort_makes_an_age_known_if_no_more_is_asked() -> None:
    flows = {Cohort(JAN, FEB): {JAN: Flow(entered=1)}}
    for points_min, known in ((0, {0}), (1, {0}), (2, set())):
        assert estimate(flows, FEB, 1, points_min).known_ages == known
    asked = estimate(flows, FEB)
    assert (asked.cohorts_required, asked.points_required) == (3, 1_000)


def test_a_cohort_that_is_used_up_changes_nothing_of_the_others_estimate() -> None:
    flows = {
        **worked_example(),
        Cohort(FEB, MAR): {FEB: Flow(entered=7, redeemed=7)},
    }
    found = estimate(flows, APR, cohorts_min=1, points_min=1)
    assert found.status is BreakageStatus.ESTIMATED
    assert estimate({Cohort(FEB, MAR): flows[Cohort(FEB, MAR)]}, APR, 1, 1).status is (
        BreakageStatus.NOTHING_EXPIRES
    )


def test_a_young_ledger_has_too_little_history() -> None:
    flows = {Cohort(APR, MAY): {APR: Flow(entered=5000, redeemed=100)}}
    found = estimate(flows, APR)
    assert found.status is BreakageStatus.TOO_LITTLE_HISTORY
    assert (found.amount, found.not_estimated, dict(found.ages)) == (0, 4900, {})


def test_nothing_outstanding_that_expires_has_no_breakage() -> None:
    assert estimate({}, APR).status is BreakageStatus.NOTHING_EXPIRES


def test_points_taken_back_were_never_at_risk_in_that_month() -> None:
    flows = {Cohort(JAN, MAR): {JAN: Flow(entered=100, withdrawn=40, redeemed=30)}}
    (basis,) = observe(flows, FEB).values()
    assert (basis.at_risk, basis.redeemed) == (60, 30)


def test_a_single_point_is_at_risk_and_none_is_not() -> None:
    flows = {
        Cohort(JAN, MAY): {JAN: Flow(entered=1), MAR: Flow(redeemed=1)},
        Cohort(FEB, MAY): {FEB: Flow(entered=5, withdrawn=5)},
    }
    assert {age: each.at_risk for age, each in observe(flows, MAY).items()} == {0: 1, 1: 1, 2: 1}


def test_points_posted_late_are_not_at_risk_before() -> None:
    flows = {Cohort(JAN, MAY): {MAR: Flow(entered=100), APR: Flow(redeemed=50)}}
    ages = observe(flows, MAY)
    assert {age: (each.at_risk, each.redeemed) for age, each in ages.items()} == {
        2: (100, 0),
        3: (100, 50),
    }


def test_a_month_with_more_refunds_than_redemptions_keeps_everything() -> None:
    flows = {Cohort(JAN, MAY): {JAN: Flow(entered=100, redeemed=60), FEB: Flow(redeemed=-20)}}
    assert observe(flows, MAR)[1].kept == 1


amounts = st.integers(0, 1000)


@st.composite
def histories(draw: st.DrawFn) -> Flows:
    """Cohorts of which no month takes more than there is."""
    flows = {}
    for earned in range(JAN, APR + 1):
        held = draw(amounts)
        by_month = {earned: Flow(entered=held)}
        for month in range(earned, APR + 1):
            redeemed = draw(st.integers(0, held))
            by_month.setdefault(month, Flow()).redeemed = redeemed
            held -= redeemed
        flows[Cohort(earned, earned + 2)] = by_month
    return flows


@given(histories())
def test_the_estimate_lies_between_nothing_and_everything(flows: Flows) -> None:
    found = estimate(flows, APR, cohorts_min=1, points_min=1)
    outstanding = sum(flow.net for by_month in flows.values() for flow in by_month.values())
    assert 0 <= found.amount <= outstanding - found.not_estimated
