"""The reports' arithmetic: what is owed, how accounts moved, and what a verification concludes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Asset, Funder, House
from services.points.domain.breakage import Cohort, Flow
from services.points.domain.liability import (
    AssetLiability,
    Figures,
    Liability,
    LotGroup,
    Source,
)
from services.points.domain.programme import Redemption
from services.points.domain.trial_balance import (
    AssetBalance,
    HouseAccount,
    Movement,
    TrialBalance,
)
from services.points.domain.verification import (
    DIFFERENCES_KEPT_MAX,
    DIFFERING_MEMBERS_MAX,
    AssetTotals,
    Difference,
    DifferenceKind,
    Verification,
)
from tests.unit.points.worlds import SHANGHAI, START, programme

MERCHANT = UUID(int=9)
ISSUED = HouseAccount(House.ISSUED, None)
FUNDING = HouseAccount(House.FUNDING, MERCHANT)

# Liability

OWN = Source(House.ISSUED, Funder.ISSUER, None)
THEIRS = Source(House.FUNDING, Funder.MERCHANT, MERCHANT)
JAN, FEB, MAR = range(24_312, 24_315)


def group(source: Source, rule: str, expires: int | None, figures: Figures, due: int) -> LotGroup:
    return LotGroup(Asset.POINTS, source, rule, JAN, expires, figures, due)


def test_what_is_owed_adds_up_by_source_by_rule_and_by_month() -> None:
    owed = AssetLiability(Asset.POINTS)
    owed.add(group(OWN, "BASE", MAR, Figures(1_000, 300, 50, 600), 20))
    owed.add(group(OWN, "GIFT", None, Figures(100, 10, 1, 80), 0))
    owed.add(group(THEIRS, "BASE", MAR, Figures(40, 8, 4, 2), 2)._replace(earned_month=FEB))
    assert (owed.total, owed.due) == (Figures(1_140, 318, 55, 682), 22)
    assert owed.otherwise_gone == 1_140 - 318 - 55 - 682
    assert owed.by_source == {OWN: Figures(1_100, 310, 51, 680), THEIRS: Figures(40, 8, 4, 2)}
    assert owed.by_rule == {"BASE": Figures(1_040, 308, 54, 602), "GIFT": Figures(100, 10, 1, 80)}
    assert owed.by_earned_month == {JAN: Figures(1_100, 310, 51, 680), FEB: Figures(40, 8, 4, 2)}
    assert owed.by_expiry_month == {MAR: Figures(1_040, 308, 54, 602), None: owed.by_rule["GIFT"]}


def test_what_is_held_and_pending_adds_up_and_what_may_expire_is_known_by_cohort() -> None:
    owed = AssetLiability(Asset.POINTS)
    owed.add(group(OWN, "BASE", MAR, Figures(100, 10, 0, 90, 7, 3), 0))
    owed.add(group(OWN, "BASE", FEB, Figures(50, 0, 0, 50, 5, 2), 0))
    owed.add(group(THEIRS, "BASE", MAR, Figures(20, 0, 0, 20, 1, 9), 0))
    owed.add(group(OWN, "BASE", MAR, Figures(40, 40, 0, 0, 0, 0), 0))
    owed.add(group(OWN, "BASE", None, Figures(60, 0, 0, 60, 0, 0), 0))
    assert owed.total == Figures(270, 50, 0, 220, 13, 14)
    assert owed.total.ending == {Cohort(JAN, MAR): 110, Cohort(JAN, FEB): 50}
    assert owed.by_source[OWN].ending == {Cohort(JAN, MAR): 90, Cohort(JAN, FEB): 50}
    assert owed.by_source[THEIRS].ending == {Cohort(JAN, MAR): 20}
    assert owed.by_expiry_month[None].ending == {}


def test_what_is_pending_is_worth_its_share_of_all_that_is_pending() -> None:
    report = Liability(START, SHANGHAI, programme(redemption=Redemption(300)))
    assert report.shares_minor(Asset.POINTS, [500, 400, 101]) == [166, 133, 34]
    assert report.shares_minor(Asset.BONUS, [5, 0, 7]) == [5, 0, 7]


def test_flows_of_one_cohort_and_month_are_added_up() -> None:
    owed, cohort, other = AssetLiability(Asset.POINTS), Cohort(JAN, MAR), Cohort(FEB, MAR)
    owed.add_flow(cohort, JAN, Flow(100, 20, 3, 4))
    owed.add_flow(cohort, JAN, Flow(50, 10, 2, 1))
    owed.add_flow(cohort, FEB, Flow(redeemed=7))
    owed.add_flow(other, FEB, Flow(entered=9))
    assert owed.flows == {
        cohort: {JAN: Flow(150, 30, 5, 5), FEB: Flow(0, 7, 0, 0)},
        other: {FEB: Flow(9, 0, 0, 0)},
    }
    assert owed.flows[cohort][JAN].net == 110


@pytest.mark.parametrize(
    ("points_per_unit", "points", "fen"),
    [(100, 12_345, 12_345), (300, 1_000, 333), (300, 2, 0), (7, 1, 14), (100, 0, 0)],
)
def test_points_are_worth_what_they_pay_at_the_till_and_money_itself(
    points_per_unit: int, points: int, fen: int
) -> None:
    redemption = Redemption(points_per_unit)
    report = Liability(START, SHANGHAI, programme(redemption=redemption))
    assert report.value_minor(Asset.POINTS, points) == fen
    assert report.value_minor(Asset.CASH, points) == points
    assert report.value_minor(Asset.BONUS, points) == points


def test_a_report_has_every_asset_and_each_is_its_own() -> None:
    report = Liability(START, SHANGHAI, programme())
    assert {asset: each.asset for asset, each in report.assets.items()} == {
        asset: asset for asset in Asset
    }
    report.assets[Asset.CASH].add(group(OWN, "", None, Figures(1, 0, 0, 1), 0))
    assert report.assets[Asset.POINTS].total == Figures()


amounts = st.integers(0, 10**6)


@given(st.lists(amounts, min_size=1, max_size=8), st.integers(1, 1_000))
def test_what_groups_are_worth_adds_up_to_what_the_whole_is_worth(
    outstanding: list[int], points_per_unit: int
) -> None:
    report = Liability(START, SHANGHAI, programme(redemption=Redemption(points_per_unit)))
    groups = [Figures(outstanding=each, earned=10**7, redeemed=5) for each in outstanding]
    values = report.values_minor(Asset.POINTS, groups)
    assert sum(values) == sum(outstanding) * 100 // points_per_unit
    for value, each in zip(values, outstanding, strict=True):
        assert abs(value * points_per_unit - each * 100) <= 2 * points_per_unit
    assert report.values_minor(Asset.CASH, groups) == outstanding


def test_the_odd_fen_goes_to_the_largest_remainder() -> None:
    report = Liability(START, SHANGHAI, programme(redemption=Redemption(300)))
    groups = [Figures(outstanding=each) for each in (500, 400, 101)]
    assert report.values_minor(Asset.POINTS, groups) == [166, 133, 34]


# Trial balance


def test_what_the_house_gives_is_credited_to_members_and_debited_to_the_house() -> None:
    points = AssetBalance(Asset.POINTS)
    points.add_postings(ISSUED, before=100, given=30, taken=5)
    points.add_postings(FUNDING, before=-20, given=1, taken=2)
    assert points.members == Movement(0, debits=7, credits=31, closing=0)
    assert points.accounts == {
        ISSUED: Movement(-100, debits=30, credits=5, closing=-125),
        FUNDING: Movement(20, debits=1, credits=2, closing=21),
    }
    points.add_postings(ISSUED, before=1, given=2, taken=4)
    assert points.accounts[ISSUED] == Movement(-101, debits=32, credits=9, closing=-124)
    assert all(each.agrees for each in points.accounts.values())


def test_an_account_agrees_where_its_movements_lead_to_its_closing() -> None:
    assert Movement(10, debits=3, credits=5, closing=12).agrees
    assert not Movement(10, debits=3, credits=5, closing=11).agrees
    assert not Movement(10, debits=5, credits=3, closing=12).agrees
    assert Movement().agrees


postings = st.lists(
    st.tuples(st.sampled_from(list(House)), st.integers(-99, 99), amounts, amounts), max_size=20
)


@given(postings)
def test_postings_of_both_sides_always_balance(drawn: list[tuple[House, int, int, int]]) -> None:
    cash = AssetBalance(Asset.CASH)
    for house, before, given_, taken in drawn:
        cash.add_postings(HouseAccount(house, None), before, given_, taken)
    cash.members.opening = sum(before for _, before, _, _ in drawn)
    moved = sum(given_ - taken for _, _, given_, taken in drawn)
    cash.members.closing = cash.members.opening + moved
    assert cash.balanced
    assert all(each.agrees for each in cash.accounts.values())


def books_of_points(**wrong: int) -> AssetBalance:
    """100 owed at first, then 30 given and 5 taken; with some of the members' figures wrong."""
    points = AssetBalance(Asset.POINTS)
    points.add_postings(ISSUED, before=100, given=30, taken=5)
    points.members.opening, points.members.closing = 100, 125
    for name, value in wrong.items():
        setattr(points.members, name, value)
    return points


@pytest.mark.parametrize(
    "wrong",
    [
        {"opening": 101},
        {"closing": 126},
        {"credits": 31},
        {"opening": 101, "closing": 126},
        {"credits": 31, "closing": 126},
        {"debits": 6, "closing": 124},
    ],
)
def test_books_that_are_off_by_one_do_not_balance(wrong: dict[str, int]) -> None:
    assert books_of_points().balanced
    assert not books_of_points(**wrong).balanced
    whole = TrialBalance(None, START)
    whole.assets[Asset.POINTS] = books_of_points(**wrong)
    assert not whole.balanced


def test_a_trial_balance_has_every_asset() -> None:
    whole = TrialBalance(START - timedelta(days=1), START)
    assert [each.asset for each in whole.assets.values()] == list(Asset)
    assert list(whole.assets) == list(Asset)
    assert whole.balanced


# Verification


def difference(number: int, asset: Asset | None = Asset.POINTS, **more: Any) -> Difference:
    """A difference of the member of that number."""
    kind = more.get("kind", DifferenceKind.BALANCE)
    return Difference(kind, UUID(int=number), asset, None, None, "1", "2")


def test_a_verification_without_differences_whose_sums_agree_is_balanced() -> None:
    found = Verification()
    assert [each.asset for each in found.assets] == list(Asset)
    assert found.balanced
    points = found.of(Asset.POINTS)
    points.house_totals = {"ISSUED": -150, "REDEEMED": 30}
    points.member_balances = points.open_lots = 120
    assert points.member_postings == 120
    assert points.balanced
    assert found.balanced


@pytest.mark.parametrize(
    ("balances", "lots", "issued"), [(121, 120, -120), (120, 121, -120), (120, 120, -121)]
)
def test_sums_that_are_off_by_one_do_not_balance(balances: int, lots: int, issued: int) -> None:
    totals = AssetTotals(Asset.CASH, balances, lots, house_totals={"CASH_IN": issued})
    assert not totals.balanced
    found = Verification()
    found.assets[1] = totals
    assert not found.balanced


def test_a_difference_is_noted_with_its_member_and_its_asset() -> None:
    found = Verification()
    found.note_all([difference(3, Asset.CASH), difference(1, None), difference(3, Asset.CASH)])
    assert found.differences_found == 3
    assert found.differences == [
        difference(3, Asset.CASH),
        difference(1, None),
        difference(3, Asset.CASH),
    ]
    assert found.of(Asset.CASH).differing == {UUID(int=3)}
    assert found.of(Asset.POINTS).differing == found.of(Asset.BONUS).differing == set()
    assert found.differing_members() == [UUID(int=1), UUID(int=3)]
    assert not found.balanced
    assert not found.of(Asset.CASH).balanced


def test_a_difference_of_no_asset_unbalances_the_whole() -> None:
    found = Verification()
    found.note(difference(1, None))
    assert all(each.balanced for each in found.assets)
    assert not found.balanced


def test_where_everything_differs_the_first_are_kept_and_all_are_counted() -> None:
    found = Verification()
    found.note_all(difference(number) for number in range(DIFFERING_MEMBERS_MAX + 2))
    assert found.differences_found == 10_002
    assert [each.member_id.int for each in found.differences] == list(range(DIFFERENCES_KEPT_MAX))
    assert found.of(Asset.POINTS).differing == {UUID(int=at) for at in range(10_000)}
    found.note(difference(20_000, Asset.BONUS))
    members: Sequence[UUID] = found.differing_members()
    assert members == [UUID(int=at) for at in (*range(10_000), 20_000)]
