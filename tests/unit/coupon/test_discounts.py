"""Discount arithmetic: exact, bounded, and split without losing or making a fen."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coupon.domain.allocation import allocate
from services.coupon.domain.baskets import Line
from services.coupon.domain.campaigns import AmountOff, Benefit, PercentOff
from services.coupon.domain.discounts import amount_off, discount
from tests.unit.coupon.making import campaign, numbered

AMOUNTS = st.integers(min_value=0, max_value=10**11)
SHARES = st.lists(AMOUNTS, min_size=1, max_size=40).flatmap(
    lambda weights: st.tuples(st.integers(min_value=0, max_value=sum(weights)), st.just(weights))
)
BENEFITS = st.one_of(
    st.builds(AmountOff, st.integers(1, 10**8)),
    st.builds(PercentOff, st.integers(1, 10_000), st.integers(0, 10**8)),
)


@given(SHARES)
def test_shares_add_up_and_none_is_larger_than_its_line(case: tuple[int, list[int]]) -> None:
    amount, weights = case
    shares = allocate(amount, weights)
    assert sum(shares) == amount
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(SHARES)
def test_no_share_is_a_whole_unit_away_from_its_exact_proportion(
    case: tuple[int, list[int]],
) -> None:
    amount, weights = case
    whole = sum(weights)
    for share, weight in zip(allocate(amount, weights), weights, strict=True):
        exact = Fraction(amount * weight, whole) if whole else Fraction(0)
        assert abs(share - exact) < 1


@given(SHARES)
def test_a_larger_line_never_bears_less(case: tuple[int, list[int]]) -> None:
    amount, weights = case
    borne = sorted(zip(weights, allocate(amount, weights), strict=True))
    by_weight: dict[int, list[int]] = {}
    for weight, share in borne:
        by_weight.setdefault(weight, []).append(share)
    ordered = [by_weight[weight] for weight in sorted(by_weight)]
    for smaller, larger in pairwise(ordered):
        assert max(smaller) <= min(larger)


def test_equal_remainders_go_to_the_first_lines() -> None:
    assert allocate(100, [1_000, 1_000, 1_000]) == (34, 33, 33)
    assert allocate(0, [0, 0]) == (0, 0)
    assert allocate(5, [0, 5, 0]) == (0, 5, 0)


@pytest.mark.parametrize(
    ("benefit", "eligible", "expected"),
    [
        (AmountOff(5_000), 20_000, 5_000),
        (AmountOff(5_000), 4_999, 4_999),
        (PercentOff(2_000), 20_000, 4_000),
        (PercentOff(5_000), 1, 1),
        (PercentOff(4_999), 1, 0),
        (PercentOff(3_333), 6_111, 2_037),
        (PercentOff(1_500), 3_350, 503),
        (PercentOff(2_000, 1_000), 20_000, 1_000),
        (PercentOff(2_000, 1_000), 4_000, 800),
        (PercentOff(10_000), 12_345, 12_345),
    ],
)
def test_benefits_take_off_what_their_words_say(
    benefit: Benefit, eligible: int, expected: int
) -> None:
    assert amount_off(benefit, eligible) == expected


@given(BENEFITS, AMOUNTS)
def test_no_benefit_takes_off_more_than_there_is(benefit: Benefit, eligible: int) -> None:
    taken = amount_off(benefit, eligible)
    assert 0 <= taken <= eligible
    if isinstance(benefit, PercentOff) and benefit.ceiling_minor:
        assert taken <= benefit.ceiling_minor


@given(st.integers(1, 10_000), AMOUNTS)
def test_a_share_is_rounded_half_up(basis_points: int, eligible: int) -> None:
    exact = Fraction(eligible * basis_points, 10_000)
    rounded = amount_off(PercentOff(basis_points), eligible)
    assert Fraction(-1, 2) < rounded - exact <= Fraction(1, 2)


def test_only_lines_of_the_right_category_and_item_bear_a_discount() -> None:
    lines = [
        Line("DINING", "noodles", 1_000),
        Line("SPA", "noodles", 1_000),
        Line("DINING", "tea", 1_000),
    ]
    narrow = campaign(categories=frozenset({"DINING"}), item_codes=frozenset({"noodles"}))
    taken = discount(numbered(1), narrow, lines, [1_000, 1_000, 1_000])
    assert taken.line_amounts_minor == (1_000, 0, 0)
    wide = discount(numbered(1), campaign(), lines, [400, 400, 200])
    assert (wide.amount_minor, wide.line_amounts_minor) == (1_000, (400, 400, 200))
