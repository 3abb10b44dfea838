"""Conditions and combinations: which coupons apply, in which order, and why others don't."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coupon.domain.baskets import Basket
from services.coupon.domain.campaigns import AmountOff, PercentOff
from services.coupon.domain.conditions import why_unusable
from services.coupon.domain.coupons import CouponState
from services.coupon.domain.stacking import Candidate, Combination, combine
from tests.unit.coupon.making import (
    NOON,
    PLACE,
    basket,
    campaign,
    candidate,
    coupon,
    numbered,
)


def together(
    *candidates: Candidate, buying: Basket | None = None, coupons_max: int = 5
) -> Combination:
    return combine(candidates, buying or basket(20_000), NOON, coupons_max=coupons_max)


def reasons(combination: Combination) -> list[str]:
    return [each.why.reason for each in combination.disqualified]


def amounts(combination: Combination) -> list[int]:
    return [each.amount_minor for each in combination.discounts]


def why(buying: Basket | None = None, now: datetime = NOON, **asked: object) -> str | None:
    """The reason why a coupon under these conditions does not apply."""
    owner = campaign(**asked)  # type: ignore[arg-type]
    refusal = why_unusable(coupon(1, owner), owner, buying or basket(20_000), now)
    return None if refusal is None else refusal.reason


def test_a_coupon_under_no_conditions_applies() -> None:
    assert why() is None


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"tiers": frozenset({"GOLD"})}, "TIER_NOT_ELIGIBLE"),
        ({"merchant_ids": frozenset({UUID(int=9)})}, "BASKET_NOT_ELIGIBLE"),
        ({"categories": frozenset({"SPA"})}, "BASKET_NOT_ELIGIBLE"),
        ({"item_codes": frozenset({"cake"})}, "BASKET_NOT_ELIGIBLE"),
        ({"weekdays": frozenset({1, 2})}, "BASKET_NOT_ELIGIBLE"),
        ({"minimum_spend_minor": 20_001}, "MINIMUM_SPEND"),
        ({"valid_from": NOON + timedelta(seconds=1)}, "COUPON_EXPIRED"),
        ({"tiers": frozenset({"CLASSIC"})}, None),
        ({"merchant_ids": frozenset({PLACE.merchant_id})}, None),
        ({"categories": frozenset({"DINING"})}, None),
        ({"item_codes": frozenset({"item-0"})}, None),
        ({"weekdays": frozenset({3})}, None),
        ({"minimum_spend_minor": 20_000}, None),
        ({"valid_from": NOON}, None),
    ],
)
def test_each_condition_refuses_with_its_own_reason(
    asked: dict[str, object], reason: str | None
) -> None:
    assert why(**asked) == reason  # type: ignore[arg-type]


def test_a_coupon_ends_at_its_end_and_not_before() -> None:
    end = coupon().expires_at
    assert why(now=end - timedelta(microseconds=1)) is None
    assert why(now=end) == "COUPON_EXPIRED"


def test_the_weekday_is_the_propertys_when_the_guest_buys() -> None:
    late = datetime(2030, 5, 1, 16, 30, tzinfo=NOON.tzinfo)
    thursday = frozenset({4})
    assert why(basket(20_000, occurred_at=late), weekdays=thursday) is None
    london = basket(20_000, occurred_at=late, zone=ZoneInfo("Europe/London"))
    assert why(london, weekdays=thursday) == "BASKET_NOT_ELIGIBLE"


def test_another_currency_is_refused() -> None:
    assert why(basket(20_000, currency="USD")) == "CURRENCY_MISMATCH"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (CouponState.RESERVED, "COUPON_RESERVED"),
        (CouponState.REDEEMED, "COUPON_REDEEMED"),
        (CouponState.EXPIRED, "COUPON_EXPIRED"),
        (CouponState.REVOKED, "COUPON_REVOKED"),
    ],
)
def test_a_coupon_that_is_not_free_says_so(state: CouponState, reason: str) -> None:
    held = coupon(state=state, checkout_id=numbered(9))
    refusal = why_unusable(held, campaign(), basket(20_000), NOON)
    assert refusal is not None
    assert refusal.reason == reason


def test_coupons_take_each_from_what_the_former_left() -> None:
    fixed, share = candidate(1, AmountOff(5_000)), candidate(2, PercentOff(2_000))
    assert amounts(together(fixed, share)) == [5_000, 3_000]
    assert amounts(together(share, fixed)) == [4_000, 5_000]


def test_the_minimum_spend_is_asked_before_any_coupon_took_its_part() -> None:
    first = candidate(1, AmountOff(15_000))
    second = candidate(2, AmountOff(1_000), minimum_spend_minor=20_000)
    assert amounts(together(first, second)) == amounts(together(second, first))[::-1]


def test_an_exclusive_coupon_goes_alone_whoever_comes_first() -> None:
    alone, other = candidate(1, exclusive=True), candidate(2)
    assert amounts(together(alone)) == [5_000]
    for pair in ((alone, other), (other, alone)):
        combination = together(*pair)
        assert [each.coupon_id for each in combination.discounts] == [pair[0].coupon_id]
        assert reasons(combination) == ["NOT_STACKABLE"]


def test_a_coupon_that_does_not_apply_stands_in_nobodys_way() -> None:
    useless = candidate(1, exclusive=True, categories=frozenset({"SPA"}))
    combination = together(useless, candidate(2))
    assert amounts(combination) == [5_000]
    assert reasons(combination) == ["BASKET_NOT_ELIGIBLE"]


def test_more_coupons_than_a_checkout_takes_are_refused() -> None:
    many = [candidate(number, AmountOff(1)) for number in range(1, 8)]
    combination = together(*many, coupons_max=5)
    assert amounts(combination) == [1] * 5
    assert reasons(combination) == ["NOT_STACKABLE"] * 2
    assert combination.disqualified[0].why.metadata["limit"] == "5"


def test_a_coupon_is_not_spent_on_nothing() -> None:
    all_of_it = candidate(1, AmountOff(20_000))
    assert reasons(together(all_of_it, candidate(2))) == ["NOT_STACKABLE"]
    tiny = together(candidate(1, PercentOff(1)), buying=basket(10))
    assert reasons(tiny) == ["BASKET_NOT_ELIGIBLE"]


def test_a_coupon_the_member_does_not_have_is_not_found() -> None:
    assert reasons(together(Candidate(numbered(77), None))) == ["COUPON_NOT_FOUND"]


BENEFITS = st.one_of(
    st.builds(AmountOff, st.integers(1, 30_000)),
    st.builds(PercentOff, st.integers(1, 10_000), st.integers(0, 3_000)),
)
ASKED = st.fixed_dictionaries(
    {
        "categories": st.sampled_from([frozenset(), frozenset({"DINING"}), frozenset({"SPA"})]),
        "exclusive": st.sampled_from([False, False, False, True]),
        "minimum_spend_minor": st.integers(0, 30_000),
        "item_codes": st.sampled_from([frozenset(), frozenset({"item-0"})]),
    }
)


@given(
    st.lists(st.tuples(BENEFITS, ASKED), min_size=1, max_size=8),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=12),
)
def test_a_combination_adds_up_line_by_line_and_takes_no_line_below_nothing(
    coupons: list[tuple[AmountOff | PercentOff, dict[str, object]]], lines: list[int]
) -> None:
    candidates = [
        candidate(number, benefit, **asked) for number, (benefit, asked) in enumerate(coupons)
    ]
    combination = together(*candidates, buying=basket(*lines))
    for discount in combination.discounts:
        assert sum(discount.line_amounts_minor) == discount.amount_minor > 0
    taken = [
        sum(each.line_amounts_minor[at] for each in combination.discounts)
        for at in range(len(lines))
    ]
    left = [line - off for line, off in zip(lines, taken, strict=True)]
    assert left == combination.left_minor
    assert min(left) >= 0
    assert len(combination.discounts) + len(combination.disqualified) == len(candidates)
    applied = {each.coupon_id for each in combination.discounts}
    order = [each.coupon_id for each in candidates if each.coupon_id in applied]
    assert [each.coupon_id for each in combination.discounts] == order


@given(
    st.lists(st.tuples(BENEFITS, ASKED), min_size=1, max_size=5),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
)
def test_what_was_combined_combines_to_the_same_without_the_disqualified(
    coupons: list[tuple[AmountOff | PercentOff, dict[str, object]]], lines: list[int]
) -> None:
    candidates = [
        candidate(number, benefit, **asked) for number, (benefit, asked) in enumerate(coupons)
    ]
    once = together(*candidates, buying=basket(*lines))
    applied = {each.coupon_id for each in once.discounts}
    kept = [each for each in candidates if each.coupon_id in applied]
    again = together(*kept, buying=basket(*lines))
    assert again.discounts == once.discounts
    assert not again.disqualified
